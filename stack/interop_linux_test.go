package stack_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// The tests in the files interop_* set the stack against the kernel, which is this
// process in a network namespace of its own: the stack sits on a TUN device. The
// kernel's counters are the judge.

// pair is the kernel and a stack that can reach each other.
type pair struct {
	t      *testing.T
	kernel *netns.Host
	stack  *stack.Stack
	cache  *tfo.Cache
}

// plug is how a pair is joined.
type plug struct {
	mtu    int       // of the device; 1500 if zero
	hops   []sim.Hop // a path between, from the kernel, if there is one
	config stack.Config
	device string
}

var (
	kernel4, stack4 = netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("10.77.0.2/24")
	kernel6, stack6 = netip.MustParsePrefix("fd77::1/64"), netip.MustParsePrefix("fd77::2/64")
)

// join makes a pair. The test has to be isolated.
func join(t *testing.T, p plug) *pair {
	t.Helper()
	k := netns.Self(t)
	k.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	device := p.device
	if device == "" {
		device = "stack0"
	}
	c := link.TUNConfig{Name: device, MTU: p.mtu}
	if c.MTU == 0 {
		c.MTU = 1500
	}
	var l stack.Link
	if len(p.hops) == 0 {
		q, err := link.OpenTUNQueues(c, 1)
		if err != nil {
			t.Fatal(err)
		}
		l = q[0]
	} else {
		l = overPath(t, c, p.hops)
	}
	k.Up(t, device, kernel4, kernel6)
	p.config.Links = []stack.Link{l}
	p.config.Addresses = []netip.Prefix{stack4, stack6}
	if p.config.Cache == nil {
		p.config.Cache = new(tfo.Cache)
	}
	s, err := stack.New(p.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &pair{t: t, kernel: k, stack: s, cache: p.config.Cache}
}

// overPath is a link to a TUN device with a path between.
func overPath(t *testing.T, c link.TUNConfig, hops []sim.Hop) stack.Link {
	t.Helper()
	tun, err := link.OpenTUN(c)
	if err != nil {
		t.Fatal(err)
	}
	near, far, err := link.NewPipe(link.PipeConfig{MTU: c.MTU})
	if err != nil {
		t.Fatal(err)
	}
	dev, err := link.ToDevice(far)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("path with seed %d", seed)
	b, err := sim.NewBridge(tun, dev, sim.NewPath(seed, hops...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("the path between kernel and stack: %v", err)
		}
	})
	return near
}

// families runs f for IPv4 and for IPv6, with the addresses of kernel and stack.
func families(t *testing.T, f func(t *testing.T, kernel, stack netip.Addr)) {
	t.Run("IPv4", func(t *testing.T) { f(t, kernel4.Addr(), stack4.Addr()) })
	t.Run("IPv6", func(t *testing.T) { f(t, kernel6.Addr(), stack6.Addr()) })
}

// server is a listener with what tells the two ends of a test apart.
type server struct {
	net.Listener
	t *testing.T
}

// serveStack listens on the stack, with Fast Open unless queue is 0.
func (p *pair) serveStack(t *testing.T, a netip.Addr, c tfo.ListenConfig) *server {
	t.Helper()
	l, err := p.stack.ListenFastOpen(netip.AddrPortFrom(a, 0), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &server{l, t}
}

// serveKernel listens on the kernel.
func serveKernel(t *testing.T, a netip.Addr, lc fastopen.ListenConfig) *server {
	t.Helper()
	l, err := lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &server{l, t}
}

// serve runs f on each connection that is accepted.
func (s *server) serve(f func(c net.Conn)) *server {
	go func() {
		for {
			c, err := s.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				s.t.Errorf("accept: %v", err)
				return
			}
			go f(c)
		}
	}()
	return s
}

// accept is the next connection.
func (s *server) accept() net.Conn {
	s.t.Helper()
	c, err := s.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

func (s *server) address() string { return s.Addr().String() }

// echo sends back what comes, and then the end. (Not by splice, which takes two
// descriptors more.)
func echo(c net.Conn) {
	io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
	c.Close()
}

// fastConn is what the connections of either side have.
type fastConn interface {
	net.Conn
	CloseWrite() error
	SetLinger(int) error
	Outcome() tfo.Outcome
}

// dialer dials with early data from one of the two sides.
type dialer func(ctx context.Context, address string, early []byte) (fastConn, error)

// dialStack is the stack's.
func (p *pair) dialStack(ctx context.Context, address string, early []byte) (fastConn, error) {
	c, err := p.stack.DialEarly(ctx, "tcp", address, early)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dialKernel is the kernel's. What it remembers itself is not to count.
func dialKernel(ctx context.Context, address string, early []byte) (fastConn, error) {
	d := fastopen.Dialer{Cache: new(tfo.Cache), FallbackDelay: -1}
	c, err := d.DialEarly(ctx, "tcp", address, early)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// within is the time after which a test is stuck.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// ask dials, sends the request, ends the stream, and checks that it comes back.
func ask(t *testing.T, dial dialer, address, request string) tfo.Outcome {
	t.Helper()
	c, err := dial(within(t), address, []byte(request))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil || string(b) != request {
		t.Fatalf("asked %q, got %q, %v", request, b, err)
	}
	return c.Outcome()
}

// wantOutcome checks what became of Fast Open.
func wantOutcome(t *testing.T, why string, o tfo.Outcome, want tfo.Status) {
	t.Helper()
	if o.Status != want {
		t.Errorf("%s: %v (%v), want %v", why, o.Status, o, want)
	}
}

// wantCounters checks what the kernel has counted, of what is named.
func wantCounters(t *testing.T, why string, got netns.Counters, want netns.Counters) {
	t.Helper()
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s: the kernel counts %s %d times, want %d", why, name, got[name], n)
		}
	}
}

// noise reads n bytes that depend on the seed alone.
func noise(seed uint64, n int64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return io.LimitReader(rand.NewChaCha8(key), n)
}

// sum is the hash of what r gives, and how much that is.
func sum(r io.Reader) (h [sha256.Size]byte, n int64, err error) {
	d := sha256.New()
	n, err = io.CopyBuffer(struct{ io.Writer }{d}, r, make([]byte, 256<<10))
	copy(h[:], d.Sum(nil))
	return h, n, err
}
