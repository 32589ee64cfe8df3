package fastopen_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// TestConn runs the promises of net.Conn over loopback and a veth pair, IPv4
// and IPv6, with and without Multipath TCP: on connections that have just
// begun with data in the SYN, and on connections that have sent nothing yet.
func TestConn(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	netns.Veth(t, client, server)
	fastOn(t, client, server)
	for _, host := range []struct {
		h       *netns.Host
		address string
	}{{client, "127.0.0.1:0"}, {client, "[::1]:0"}, {server, "10.77.0.2:0"}, {server, "[fd77::2]:0"}} {
		// A cookie serves all ports of an address (requirement COOKIE-3).
		prime(t, client, listen(t, host.h, fastopen.ListenConfig{}, host.address).Addr().String())
		for _, mptcp := range []bool{false, true} {
			for _, begun := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s mptcp=%t begun=%t", host.address, mptcp, begun), func(t *testing.T) {
					nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
						var lc fastopen.ListenConfig
						lc.SetMultipathTCP(mptcp)
						d := fastopen.Dialer{Policy: fastopen.Idempotent}
						d.SetMultipathTCP(mptcp)
						return pipe(t, &d, listen(t, host.h, lc, host.address), begun)
					})
				})
			}
		}
	}
}

// TestConnOverStack does the same over package stack.
func TestConnOverStack(t *testing.T) {
	la, lb, err := link.NewPipe(link.PipeConfig{MTU: 1500})
	if err != nil {
		t.Fatal(err)
	}
	host := func(l stack.Link, addrs ...string) *stack.Stack {
		c := stack.Config{Links: []stack.Link{l}}
		for _, a := range addrs {
			c.Addresses = append(c.Addresses, netip.MustParsePrefix(a))
		}
		s, err := stack.New(c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	client, server := host(la, "192.0.2.1/24", "2001:db8::1/64"), host(lb, "192.0.2.2/24", "2001:db8::2/64")
	for _, address := range []string{"192.0.2.2:0", "[2001:db8::2]:0"} {
		d := &fastopen.Dialer{Policy: fastopen.Idempotent, Network: client, Cache: new(tfo.Cache)}
		open := func() *fastopen.Listener {
			t.Helper()
			lc := fastopen.ListenConfig{Network: server}
			l, err := lc.Listen(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		first := open()
		c, err := d.Dial("tcp", first.Addr().String()) // gets the cookie
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		first.Close()
		for _, begun := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s begun=%t", address, begun), func(t *testing.T) {
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					return pipe(t, d, open(), begun)
				})
			})
		}
	}
}

// pipe returns both ends of a connection by d to l, with data in its SYN if it
// has begun, and put off otherwise.
func pipe(t *testing.T, d *fastopen.Dialer, l *fastopen.Listener, begun bool) (c1, c2 net.Conn, stop func(), err error) {
	c1, err = d.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, nil, nil, err
	}
	late := newLateConn(l)
	stop = func() {
		c1.Close()
		late.Close()
		l.Close()
	}
	if !begun {
		return c1, late, stop, nil
	}
	b := []byte{'x'}
	for _, step := range []func([]byte) (int, error){c1.Write, late.Read, late.Write, c1.Read} {
		if _, err := step(b); err != nil {
			return nil, nil, nil, err
		}
	}
	if o := c1.(*fastopen.Conn).Outcome(); o.Status != tfo.DataAccepted {
		t.Errorf("nettest over a connection without Fast Open: %v", o)
	}
	return c1, late, stop, nil
}

// A lateConn is the accepted end of a connection whose SYN may not have left
// yet: whoever uses it first waits for it to be accepted.
type lateConn struct {
	addr  net.Addr
	ready chan struct{}

	mu          sync.Mutex
	conn        net.Conn
	err         error
	read, write time.Time
	changed     chan struct{} // closed when a deadline changes
	closed      bool
}

func newLateConn(l *fastopen.Listener) *lateConn {
	c := &lateConn{addr: l.Addr(), ready: make(chan struct{}), changed: make(chan struct{})}
	go func() {
		conn, err := l.Accept()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.conn, c.err = conn, err
		if err == nil {
			conn.SetReadDeadline(c.read)
			conn.SetWriteDeadline(c.write)
			if c.closed {
				conn.Close()
			}
		}
		close(c.ready)
	}()
	return c
}

// accepted waits for the connection until the deadline at by.
func (c *lateConn) accepted(by *time.Time) (net.Conn, error) {
	for {
		c.mu.Lock()
		deadline, changed, closed := *by, c.changed, c.closed
		c.mu.Unlock()
		var timeout <-chan time.Time
		if !deadline.IsZero() {
			timeout = time.After(time.Until(deadline))
		}
		select {
		case <-c.ready:
			return c.conn, c.err
		default:
		}
		if closed {
			return nil, net.ErrClosed
		}
		select {
		case <-c.ready:
			return c.conn, c.err
		case <-timeout:
			return nil, os.ErrDeadlineExceeded
		case <-changed:
		}
	}
}

func (c *lateConn) Read(b []byte) (int, error) {
	conn, err := c.accepted(&c.read)
	if err != nil {
		return 0, err
	}
	return conn.Read(b)
}

func (c *lateConn) Write(b []byte) (int, error) {
	conn, err := c.accepted(&c.write)
	if err != nil {
		return 0, err
	}
	return conn.Write(b)
}

// change runs f, and set on the connection if there is one by now.
func (c *lateConn) change(f func(), set func(net.Conn) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
	if c.conn != nil {
		return set(c.conn)
	}
	return nil
}

func (c *lateConn) Close() error {
	return c.change(func() { c.closed = true }, net.Conn.Close)
}

func (c *lateConn) SetDeadline(t time.Time) error {
	return c.change(func() { c.read, c.write = t, t }, func(n net.Conn) error { return n.SetDeadline(t) })
}

func (c *lateConn) SetReadDeadline(t time.Time) error {
	return c.change(func() { c.read = t }, func(n net.Conn) error { return n.SetReadDeadline(t) })
}

func (c *lateConn) SetWriteDeadline(t time.Time) error {
	return c.change(func() { c.write = t }, func(n net.Conn) error { return n.SetWriteDeadline(t) })
}

func (c *lateConn) LocalAddr() net.Addr  { return c.addr }
func (c *lateConn) RemoteAddr() net.Addr { return c.addr }
