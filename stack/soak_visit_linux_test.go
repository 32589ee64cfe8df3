package stack_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/tfo"
)

// A visit is one connection from its beginning to its end. Its first byte tells the
// server of which kind it is.
type visit byte

const (
	visitEcho         visit = iota // everything comes back, then the ends
	visitHalf                      // the client ends first, and a long answer follows
	visitServerFirst               // the server ends first, and a long question follows
	visitReset                     // the client resets in the middle
	visitServerResets              // the server does
	visitUnread                    // the server closes with data unread
	visitLeft                      // the client closes at once, without waiting
	visitRefused                   // nobody listens
	visitGivenUp                   // the dial is cancelled at some time
	visitDeadline                  // the client waits in vain, and gives up
	visitBulk                      // a transfer: how many bytes are to come, and they
)

var visitNames = [...]string{"echo", "half-closed by the client", "half-closed by the server", "reset by the client", "reset by the server",
	"closed with data unread", "closed at once", "refused", "given up", "deadline"}

const answerSize = 50_000

// serve makes the servers of both sides.
func (w *soak) serve() {
	listeners := new(sync.WaitGroup)
	for family := range 2 {
		w.servers[0][family] = serveKernel(w.t, addrs[0][family], fastopen.ListenConfig{})
		w.servers[1][family] = w.serveStack(w.t, addrs[1][family], tfo.ListenConfig{Queue: 1000})
		for side := range 2 {
			s := w.servers[side][family]
			listeners.Go(func() {
				for {
					c, err := s.Accept()
					if errors.Is(err, net.ErrClosed) {
						return
					}
					if err != nil {
						w.t.Errorf("accept: %v", err)
						return
					}
					go w.answer(side, c.(fastConn))
				}
			})
		}
	}
	w.stops = append(w.stops, func() {
		for side := range 2 {
			for family := range 2 {
				w.servers[side][family].Close()
			}
		}
		listeners.Wait()
	})
}

func (w *soak) stop() {
	for _, f := range w.stops {
		f()
	}
}

// plain hides what io.Copy would use: splice takes two descriptors more.
type plain struct{ io.ReadWriter }

// answer is the server. What goes wrong is found out by the client, who knows
// what is to come.
func (w *soak) answer(side int, c fastConn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	var kind [1]byte
	if _, err := io.ReadFull(c, kind[:]); err != nil {
		return
	}
	switch visit(kind[0]) {
	case visitEcho, visitReset:
		io.Copy(plain{c}, plain{c})
	case visitHalf:
		if n, err := io.Copy(io.Discard, plain{c}); err == nil {
			io.CopyN(c, noise(uint64(n), answerSize), answerSize)
		}
	case visitServerFirst:
		c.CloseWrite()
		io.Copy(io.Discard, plain{c})
	case visitServerResets:
		c.SetLinger(0)
	case visitUnread, visitLeft:
		// Close: what the client has sent since is not read.
	case visitDeadline:
		io.Copy(io.Discard, plain{c})
	case visitBulk:
		w.receive(side, c)
	}
}

// dial connects from a side, with data in the SYN if it may.
func (w *soak) dial(ctx context.Context, from int, address string, early []byte) (fastConn, error) {
	if from == 1 {
		return w.dialStack(ctx, address, early)
	}
	return dialKernel(ctx, address, early)
}

// visits makes one after the other.
func (w *soak) visits(r *rand.Rand) {
	for !w.over() {
		kind := visit(r.IntN(len(visitNames)))
		from, family := r.IntN(2), r.IntN(2)
		if err := w.visit(r, kind, from, family); err != nil {
			w.t.Errorf("visit %q from the %s, IPv%d: %v", visitNames[kind], [...]string{"kernel", "stack"}[from], 4+2*family, err)
			return
		}
		w.counts[kind].Add(1)
	}
}

// visit makes one visit, and says how it differs from what it should be.
func (w *soak) visit(r *rand.Rand, kind visit, from, family int) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address := w.address(1-from, family)
	switch kind {
	case visitRefused:
		address = netip.AddrPortFrom(addrs[1-from][family], 9).String()
		if c, err := w.dial(ctx, from, address, nil); !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("dial: %v, %v", c, err)
		}
		return nil
	case visitGivenUp:
		early, stop := context.WithTimeout(ctx, time.Duration(r.IntN(300))*time.Microsecond)
		defer stop()
		c, err := w.dial(early, from, address, []byte{byte(visitLeft)})
		if err == nil {
			return c.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("dial: %v", err)
		}
		return nil
	}

	question := make([]byte, 1+r.IntN(3000))
	for i := range question {
		question[i] = byte(r.Uint32())
	}
	question[0] = byte(kind)
	c, err := w.dial(ctx, from, address, question)
	if err != nil {
		if ended := kind == visitServerResets || kind == visitUnread || kind == visitLeft; ended && gone(err) {
			return nil // before it was known to be open
		}
		return fmt.Errorf("dial: %w", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if c.Outcome().Status == tfo.DataAccepted {
		w.fast.Add(1)
	}
	return w.converse(c, kind, question)
}

// gone reports whether an error is one of a connection that the peer has reset.
func gone(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// converse does the rest of a visit, once the question is on its way.
func (w *soak) converse(c fastConn, kind visit, question []byte) error {
	b := make([]byte, 100)
	switch kind {
	case visitEcho:
		if err := c.CloseWrite(); err != nil {
			return err
		}
		got, err := io.ReadAll(c)
		if err == nil && !bytes.Equal(got, question[1:]) {
			err = fmt.Errorf("%d bytes came back of %d", len(got), len(question)-1)
		}
		return err
	case visitHalf:
		if err := c.CloseWrite(); err != nil {
			return err
		}
		want, _, _ := sum(noise(uint64(len(question)-1), answerSize))
		if got, n, err := sum(plain{c}); err != nil || got != want {
			return fmt.Errorf("the answer has %d bytes, the right ones %v: %w", n, got == want, err)
		}
	case visitServerFirst:
		if n, err := c.Read(b); n != 0 || err != io.EOF {
			return fmt.Errorf("read after the server's end: %d, %v", n, err)
		}
		if _, err := io.CopyN(plain{c}, noise(1, answerSize), answerSize); err != nil {
			return err
		}
		return c.CloseWrite()
	case visitReset:
		if _, err := c.Read(b[:1]); err != nil && len(question) > 1 {
			return err
		}
		return c.SetLinger(0)
	case visitServerResets:
		if n, err := io.Copy(io.Discard, plain{c}); n != 0 || !gone(err) {
			return fmt.Errorf("read from a server that resets: %d, %v", n, err)
		}
	case visitUnread:
		if _, err := c.Write(make([]byte, 100)); err != nil && !gone(err) {
			return fmt.Errorf("write: %v", err)
		}
		if n, err := io.Copy(io.Discard, plain{c}); n != 0 || err != nil && !gone(err) {
			return fmt.Errorf("read from a server that has closed: %d, %v", n, err)
		}
	case visitDeadline:
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, err := c.Read(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("read with a deadline: %d, %v", n, err)
		}
	}
	return nil
}

// idle holds n connections that say nothing for a while, and then as many others.
func (w *soak) idle(n int) {
	for !w.over() {
		var held []fastConn
		for i := range n {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			c, err := w.dial(ctx, i%2, w.address(1-i%2, i/2%2), nil)
			cancel()
			if err != nil {
				w.t.Errorf("idle connection: %v", err)
				break
			}
			held = append(held, c)
		}
		<-time.After(time.Second)
		for _, c := range held {
			c.Close()
		}
	}
}

// transfers sends as much as there is time for: lane 0 and 1 from the kernel, over
// IPv4 and IPv6, 2 and 3 from the stack. At least one is sent to its end.
func (w *soak) transfers(lane int) {
	from, family := lane/2, lane%2
	for once := true; once || !w.over(); once = false {
		if w.t.Failed() {
			return
		}
		if err := w.transfer(from, family, uint64(lane)); err != nil {
			w.t.Errorf("transfer from the %s, IPv%d: %v", [...]string{"kernel", "stack"}[from], 4+2*family, err)
			return
		}
	}
}

// transfer sends as many bytes as one has, and gets back what they hash to.
func (w *soak) transfer(from, family int, seed uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := w.dial(ctx, from, w.address(1-from, family), append([]byte{byte(visitBulk)}, binary.BigEndian.AppendUint64(nil, uint64(w.size))...))
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Minute))
	h := sha256.New()
	moved := &counter{c, func(n int) { w.moved[from].Add(int64(n)) }}
	if _, err := io.CopyBuffer(struct{ io.Writer }{moved}, io.TeeReader(noise(seed, w.size), h), make([]byte, 256<<10)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	var got [sha256.Size]byte
	if _, err := io.ReadFull(c, got[:]); err != nil {
		return fmt.Errorf("read the hash: %w", err)
	}
	if !bytes.Equal(got[:], h.Sum(nil)) {
		return errors.New("something else has come than was sent")
	}
	w.whole[from].Add(1)
	return nil
}

// receive is the other end of transfer.
func (w *soak) receive(side int, c fastConn) {
	var size [8]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	if h, n, err := sum(io.LimitReader(c, int64(binary.BigEndian.Uint64(size[:])))); err != nil {
		w.t.Errorf("read on the %s after %d bytes: %v", [...]string{"kernel", "stack"}[side], n, err)
	} else {
		c.Write(h[:])
	}
}

// counter tells of what is written.
type counter struct {
	io.Writer
	add func(n int)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.add(n)
	return n, err
}
