package stack

import (
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
)

// What is here was seen on Linux 6.18, with the same calls in the same order.

var at90 = netip.AddrPortFrom(addrB4, 90)

// A connection that was given up by disconnecting leaves an error, and the next one
// takes it away.
func TestDisconnectTells(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.listenFast(t)
	var b [10]byte
	for name, begin := range map[string]func(*Socket){
		"is open":        func(c *Socket) { c.Connect(w.now, at90); w.run(time.Second) },
		"connects":       func(c *Socket) { c.Connect(w.now, at90) },
		"was put off":    func(c *Socket) { c.SetFastOpenConnect(true); c.Connect(w.now, at90) },
		"is in FIN-WAIT": func(c *Socket) { c.Connect(w.now, at90); w.run(time.Second); c.Shutdown(w.now, ShutWrite) },
		"shut, connects": func(c *Socket) { c.Connect(w.now, at90); want(t, "Shutdown", c.Shutdown(w.now, ShutWrite), nil) },
		"shut, as put off": func(c *Socket) {
			c.SetFastOpenConnect(true)
			c.Connect(w.now, at90)
			want(t, "Shutdown", c.Shutdown(w.now, ShutRead), nil)
		},
	} {
		for what, ask := range map[string]func(*Socket) error{
			"PendingError": (*Socket).PendingError,
			"Send":         func(c *Socket) error { _, err := c.Send(w.now, b[:]); return err },
			"Receive":      func(c *Socket) error { _, err := c.Receive(w.now, b[:]); return err },
		} {
			c := w.a.Socket()
			begin(c)
			if c.flags&disconnected == 0 {
				want(t, "Disconnect", c.Disconnect(w.now), nil)
			}
			poll(t, name+", and was disconnected", c, PollHup|out|PollErr)
			want(t, what+" of one that "+name, ask(c), syscall.ECONNRESET)
			poll(t, name+", was disconnected, and told", c, PollHup|out)
			want(t, "PendingError", c.PendingError(), nil)
			c.Close(w.now)
			w.run(time.Second)
		}
	}
	c := w.a.Socket()
	want(t, "Connect", c.Connect(w.now, at90), syscall.EINPROGRESS)
	want(t, "Disconnect", c.Disconnect(w.now), nil)
	want(t, "Connect", c.Connect(w.now, at90), syscall.EINPROGRESS)
	w.run(time.Second)
	poll(t, "was disconnected, and is connected again", c, out)
	want(t, "PendingError", c.PendingError(), nil)
	// Nothing to give up, nothing to tell.
	want(t, "Disconnect", l.Disconnect(w.now), nil)
	want(t, "PendingError of a listener", l.PendingError(), nil)
	c = w.a.Socket()
	want(t, "Disconnect", c.Disconnect(w.now), nil)
	want(t, "PendingError of a new one", c.PendingError(), nil)
}

// Connecting with data fails on a socket that is connected, when that was told.
func TestConnectWithWhenConnected(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.listenFast(t)
	c := w.a.Socket()
	want(t, "Connect", c.Connect(w.now, at90), syscall.EINPROGRESS)
	_, err := c.ConnectWith(w.now, at90, []byte("x"))
	want(t, "ConnectWith, connecting", err, syscall.EALREADY)
	w.run(time.Second)
	n, err := c.ConnectWith(w.now, at90, []byte("xyz"))
	if want(t, "ConnectWith, connected", err, nil); n != 3 {
		t.Errorf("%d bytes were taken", n)
	}
	_, err = c.ConnectWith(w.now, at90, []byte("xyz"))
	want(t, "ConnectWith, told", err, syscall.EISCONN)
	want(t, "Connect, told", c.Connect(w.now, at90), syscall.EISCONN)
	s, err := l.Accept(w.now)
	want(t, "Accept", err, nil)
	_, err = s.ConnectWith(w.now, at90, []byte("xyz"))
	want(t, "ConnectWith, accepted", err, syscall.EISCONN)
}

// A socket whose connection is in TIME-WAIT is not connected any more. One that was shut
// counts as connected for Connect.
func TestTimeWaitOfSocket(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.listen(at80, 0)
	c, s := w.connect(at80, l)
	want(t, "Shutdown", c.Shutdown(w.now, ShutWrite), nil)
	w.run(time.Second)
	want(t, "Shutdown", s.Shutdown(w.now, ShutWrite), nil)
	w.run(time.Second)
	if i := c.Info(); i.State != tcp.TimeWait {
		t.Fatalf("%+v", i)
	}
	_, err := c.Remote()
	want(t, "Remote", err, syscall.ENOTCONN)
	want(t, "Shutdown again", c.Shutdown(w.now, ShutWrite), syscall.ENOTCONN)
	want(t, "Connect", c.Connect(w.now, at80), syscall.EISCONN)
	_, err = c.Receive(w.now, make([]byte, 1))
	want(t, "Receive", err, io.EOF)
}

// Data for a connection that was shut in both directions is answered by a reset. Shut for
// reading only, it is kept, and read.
func TestDataAfterShutdown(t *testing.T) {
	for _, first := range []int{ShutRead, ShutRead | ShutWrite} {
		w := newWorld(t, Settings{}, Settings{})
		l := w.listen(at80, 0)
		c, s := w.connect(at80, l)
		want(t, "Shutdown", c.Shutdown(w.now, first), nil)
		w.run(time.Second)
		var b [10]byte
		if first == ShutRead {
			_, err := c.Receive(w.now, b[:])
			want(t, "Receive", err, io.EOF)
			s.Send(w.now, []byte("kept"))
			w.run(time.Second)
			if got := w.receive(c); got != "kept" {
				t.Errorf("got %q", got)
			}
			want(t, "Shutdown", c.Shutdown(w.now, ShutWrite), nil)
			w.run(time.Second)
		}
		s.Send(w.now, []byte("refused"))
		w.run(time.Second)
		poll(t, "was shut on both sides, and got data", c, hangup|out|PollHup|PollErr)
		_, err := c.Receive(w.now, b[:])
		want(t, "Receive", err, syscall.ECONNRESET)
		want(t, "PendingError of the peer", s.PendingError(), syscall.EPIPE)
		if conns, _ := w.a.Sockets(); conns != 0 {
			t.Errorf("%d connections are left", conns)
		}
	}
}

// A connection that was put off is one all the same: in SYN-SENT.
func TestPutOff(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	w.listenFast(t)
	c := w.a.Socket()
	want(t, "SetFastOpenConnect", c.SetFastOpenConnect(true), nil)
	want(t, "Connect", c.Connect(w.now, at90), nil)
	want(t, "Bind", c.Bind(netip.AddrPortFrom(addrA4, 77)), syscall.EINVAL)
	if i := c.Info(); i.State != tcp.SynSent {
		t.Errorf("%+v", i)
	}
}
