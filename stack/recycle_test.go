package stack_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// repeating is a link that sends packets of long ago again.
type repeating struct {
	stack.Link
	mu   sync.Mutex
	rand *rand.Rand
	past [][]byte
}

func (l *repeating) Send(batch []wire.Packet) (int, error) {
	n, err := l.Link.Send(batch)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range batch {
		l.past = append(l.past, cut(&batch[i])...)
	}
	l.past = l.past[max(len(l.past)-5000, 0):]
	for l.rand.IntN(3) == 0 {
		_, _ = l.Link.Send([]wire.Packet{{Head: l.past[l.rand.IntN(len(l.past))]}})
	}
	return n, err
}

// TestRecycleAbuse opens and closes connections, all with an own number to be sent
// back, while packets of earlier ones come again, and while goroutines go on to use
// the ones that are closed in every way there is. No connection notices another.
func TestRecycleAbuse(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	near, far, err := link.NewPipe(link.PipeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	over := func(l stack.Link, s uint64) stack.Link {
		return &repeating{Link: l, rand: rand.New(rand.NewPCG(seed, s))}
	}
	a := onLink(t, over(near, 1), "10.0.0.1/24")
	b := onLink(t, over(far, 2), "10.0.0.2/24")
	l, err := b.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	var old graves
	var servers, clients, users sync.WaitGroup
	servers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			servers.Go(func() {
				var p [8]byte
				if _, err := io.ReadFull(c, p[:]); err == nil {
					_, _ = c.Write(p[:])
					_, _ = c.Read(p[:])
				}
				old.bury(c.(*stack.Conn))
			})
		}
	})
	stop := make(chan struct{})
	for i := range 3 {
		users.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(100+i)))
			for {
				select {
				case <-stop:
					return
				default:
					old.visit(t, r)
				}
			}
		})
	}
	for i := range 4 {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(200+i)))
			for range 600 / slower {
				number, got := r.Uint64(), [8]byte{}
				c, err := a.Dial("tcp", serverAddr4+":80")
				if err == nil {
					_, err = c.Write(binary.BigEndian.AppendUint64(nil, number))
				}
				if err == nil {
					_, err = io.ReadFull(c, got[:])
				}
				if err != nil || binary.BigEndian.Uint64(got[:]) != number {
					t.Errorf("sent %x, got %x, %v", number, got, err)
					return
				}
				if r.IntN(4) == 0 {
					_ = c.(*stack.Conn).SetLinger(0)
				}
				old.bury(c.(*stack.Conn))
			}
		})
	}
	clients.Wait()
	close(stop)
	users.Wait()
	a.Close()
	b.Close()
	servers.Wait()
	nothingLent(t, a, b)
	if a, b := kept(a), kept(b); a == 0 || b == 0 {
		t.Errorf("%d and %d connections are kept for use again", a, b)
	}
}

func onLink(t *testing.T, l stack.Link, addr string) *stack.Stack {
	t.Helper()
	s, err := stack.New(stack.Config{Links: []stack.Link{l}, Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func kept(s *stack.Stack) (n int) {
	s.Do(func(_ time.Time, h *stack.Host) { n = stack.Kept(h) })
	return n
}

// graves are connections that were closed, and what they told of themselves.
type graves struct {
	mu  sync.Mutex
	all []grave
}

type grave struct {
	conn          *stack.Conn
	local, remote string
	status        tfo.Status
	passive       bool
}

// bury closes a connection.
func (g *graves) bury(c *stack.Conn) {
	o := c.Outcome()
	x := grave{conn: c, local: c.LocalAddr().String(), remote: c.RemoteAddr().String(), status: o.Status, passive: o.Passive}
	c.Close()
	g.mu.Lock()
	g.all = append(g.all[max(len(g.all)-200, 0):], x)
	g.mu.Unlock()
}

// visit calls any method of any of them.
func (g *graves) visit(t *testing.T, r *rand.Rand) {
	g.mu.Lock()
	var x grave
	if len(g.all) > 0 {
		x = g.all[r.IntN(len(g.all))]
	}
	g.mu.Unlock()
	if x.conn == nil {
		return
	}
	v := reflect.ValueOf(x.conn)
	i := r.IntN(v.NumMethod())
	for _, result := range v.Method(i).Call(anything(v.Method(i).Type())) {
		err, ok := result.Interface().(error)
		if ok && !errors.Is(err, net.ErrClosed) && !errors.Is(err, stack.ErrUnconfirmed) {
			t.Errorf("%s of a closed connection: %v", v.Type().Method(i).Name, err)
		}
	}
	o := x.conn.Outcome()
	if l, r := x.conn.LocalAddr().String(), x.conn.RemoteAddr().String(); l != x.local || r != x.remote ||
		o.Status != x.status || o.Passive != x.passive {
		t.Errorf("a closed connection from %s to %s, %v, says that it is from %s to %s, %v", x.local, x.remote, x.status, l, r, o)
	}
}

// anything is arguments for a method.
func anything(method reflect.Type) (args []reflect.Value) {
	some := []any{
		context.Background(), []byte("some bytes"), time.Now().Add(time.Hour), time.Hour, true, 1,
		net.KeepAliveConfig{Enable: true}, tfo.Closed,
	}
	for i := range method.NumIn() {
		in := method.In(i)
		arg := reflect.Zero(in)
		switch in {
		case reflect.TypeFor[io.Reader]():
			arg = reflect.ValueOf(strings.NewReader("what is read"))
		case reflect.TypeFor[io.Writer]():
			arg = reflect.ValueOf(io.Discard)
		case reflect.TypeFor[context.Context]():
			arg = reflect.ValueOf(context.Background())
		}
		for _, x := range some {
			if reflect.TypeOf(x) == in {
				arg = reflect.ValueOf(x)
			}
		}
		args = append(args, arg)
	}
	return args
}

// TestRecycleWaiters closes connections while goroutines wait in all their calls,
// and dials others at once.
func TestRecycleWaiters(t *testing.T) {
	a, b := ends(t, link.PipeConfig{}, stack.Config{}, stack.Config{})
	l, err := b.Listen("tcp", serverAddr4+":80")
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		x, err := a.Dial("tcp", serverAddr4+":80")
		if err != nil {
			t.Fatal(err)
		}
		y, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c, s := x.(*stack.Conn), y.(*stack.Conn)
		var wait sync.WaitGroup
		for what, f := range map[string]func() error{
			"read":  func() error { _, err := c.Read(make([]byte, 1)); return err },
			"copy":  func() error { _, err := c.WriteTo(io.Discard); return err },
			"write": func() error { _, err := c.Write(make([]byte, 20<<20)); return err },
			"await": func() error { return c.Await(context.Background(), "read", tfo.Closed) },
			"never": func() error { return c.Await(context.Background(), "read", tfo.Closed+1) },
		} {
			wait.Go(func() {
				if err := f(); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		c.SetLinger(0)
		c.Close()
		s.Close()
		wait.Wait()
	}
	l.Close()
}

// TestRecycleLent: a connection that is over before what it has lent comes back is
// not used again until then.
func TestRecycleLent(t *testing.T) {
	a, b := ends(t, link.PipeConfig{}, stack.Config{}, stack.Config{})
	l, err := b.Listen("tcp", serverAddr4+":80")
	if err != nil {
		t.Fatal(err)
	}
	open := func() (*stack.Conn, net.Conn) {
		c, err := a.Dial("tcp", serverAddr4+":80")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c.(*stack.Conn), s
	}
	c, s := open()
	reads, fills := make(chan struct{}), make(chan []byte)
	done := make(chan error)
	go func() {
		_, err := c.ReadFrom(readFunc(func(p []byte) (int, error) {
			reads <- struct{}{}
			return copy(p, <-fills), nil
		}))
		done <- err
	}()
	<-reads
	c.SetLinger(0)
	c.Close()
	if n := kept(a); n != 0 {
		t.Errorf("%d connections are kept while a buffer is lent", n)
	}
	// Another uses neither the connection nor the buffer.
	other, far := open()
	if _, err := other.Write([]byte("other")); err != nil {
		t.Fatal(err)
	}
	fills <- bytes.Repeat([]byte("late"), 1000)
	if err := <-done; !errors.Is(err, syscall.ECONNABORTED) {
		t.Errorf("the copy ends with %v", err)
	}
	if n := kept(a); n != 1 {
		t.Errorf("%d connections are kept, want the one that is over", n)
	}
	other.CloseWrite()
	if got, err := io.ReadAll(far); err != nil || string(got) != "other" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, c := range []net.Conn{s, other, far} {
		c.Close()
	}
}

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
