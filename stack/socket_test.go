package stack

import (
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

const (
	in     = PollIn | PollRdNorm
	out    = PollOut | PollWrNorm
	hangup = in | PollRdHup
)

var at80 = netip.AddrPortFrom(addrB4, 80)

func poll(t testing.TB, what string, s *Socket, want Poll) {
	t.Helper()
	if got := s.Poll(); got != want {
		t.Errorf("poll of a socket that %s: %#x, want %#x", what, got, want)
	}
}

// TestPoll goes through the states that a socket can be in, and what Linux's
// tcp_poll says in each.
func TestPoll(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	s := w.a.Socket()
	poll(t, "is new", s, PollHup|out)
	l := w.b.Socket()
	want(t, "Bind", l.Bind(at80), nil)
	poll(t, "is bound", l, PollHup|out)
	want(t, "Listen", l.Listen(w.now, 1), nil)
	poll(t, "listens", l, 0)
	want(t, "Connect", s.Connect(w.now, at80), syscall.EINPROGRESS)
	poll(t, "connects", s, 0)
	w.run(time.Second)
	poll(t, "is connected", s, out)
	poll(t, "has somebody to accept", l, in)
	c, err := l.Accept(w.now)
	want(t, "Accept", err, nil)
	poll(t, "has nobody to accept", l, 0)
	poll(t, "was accepted", c, out)
	s.Send(w.now, []byte("x"))
	w.run(time.Second)
	poll(t, "has data", c, in|out)
	want(t, "Shutdown", s.Shutdown(w.now, ShutWrite), nil)
	poll(t, "was shut for writing", s, out)
	w.run(time.Second)
	poll(t, "has data, and the end behind it", c, hangup|out)
	if got := w.receive(c); got != "x" {
		t.Errorf("got %q", got)
	}
	poll(t, "has come to the end", c, hangup|out)
	want(t, "Shutdown", c.Shutdown(w.now, ShutWrite), nil)
	poll(t, "has closed both sides", c, hangup|out|PollHup)
	w.run(time.Second)
	poll(t, "was closed on both sides", s, hangup|out|PollHup)
	want(t, "Close", s.Close(w.now), nil)
	poll(t, "was given up", s, PollNVAL)
	// A reset.
	s, c = w.connect(at80, l)
	c.SetLinger(0)
	want(t, "Close", c.Close(w.now), nil)
	w.run(time.Second)
	poll(t, "was reset", s, hangup|out|PollHup|PollErr)
	want(t, "PendingError", s.PendingError(), syscall.ECONNRESET)
	poll(t, "was reset, and told so", s, hangup|out|PollHup)
	// Refused.
	s = w.a.Socket()
	want(t, "Connect", s.Connect(w.now, netip.AddrPortFrom(addrB4, 81)), syscall.EINPROGRESS)
	w.run(time.Second)
	poll(t, "was refused", s, hangup|out|PollHup|PollErr)
	// Full.
	s, c = w.connect(at80, l)
	for range 10 {
		if _, err := s.Send(w.now, make([]byte, 1<<20)); err != nil {
			want(t, "Send", err, syscall.EAGAIN)
		}
		w.run(time.Second)
	}
	poll(t, "has no room", s, 0)
	before := s.Wakeups()
	w.run(10 * time.Second)
	poll(t, "has no room", s, 0)
	if n := s.Wakeups() - before; n > 1 {
		t.Errorf("%d wake-ups of a socket without room", n)
	}
	for {
		if _, err := c.Receive(w.now, make([]byte, 1<<20)); err != nil {
			break
		}
		w.run(time.Second)
	}
	poll(t, "has room again", s, out)
	if s.Wakeups() == before {
		t.Error("nobody was woken when there was room again")
	}
	// Put off.
	w.listenFast(t)
	s = w.a.Socket()
	s.SetFastOpenConnect(true)
	want(t, "Connect", s.Connect(w.now, netip.AddrPortFrom(addrB4, 90)), nil)
	poll(t, "was put off", s, out)
	want(t, "Close", s.Close(w.now), nil)
}

// listenFast makes a listener with Fast Open on port 90, and gets a cookie.
func (w *world) listenFast(t testing.TB) *Socket {
	at := netip.AddrPortFrom(addrB4, 90)
	l := w.listen(at, 10)
	s := w.a.Socket()
	_, err := s.ConnectWith(w.now, at, []byte("x"))
	want(t, "ConnectWith", err, syscall.EINPROGRESS)
	w.run(time.Second)
	s.Close(w.now)
	c, err := l.Accept(w.now)
	want(t, "Accept", err, nil)
	c.Close(w.now)
	w.run(time.Second)
	return l
}

// TestErrnos provokes each errno that a socket's operations have.
func TestErrnos(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	h := w.a
	var b [10]byte
	s := h.Socket()
	_, err := s.Receive(w.now, b[:])
	want(t, "Receive, not connected", err, syscall.ENOTCONN)
	_, err = s.Peek(b[:])
	want(t, "Peek, not connected", err, syscall.ENOTCONN)
	_, err = s.Send(w.now, b[:])
	want(t, "Send, not connected", err, syscall.EPIPE)
	_, err = s.Accept(w.now)
	want(t, "Accept, not listening", err, syscall.EINVAL)
	_, err = s.Remote()
	want(t, "Remote, not connected", err, syscall.ENOTCONN)
	want(t, "Shutdown, not connected", s.Shutdown(w.now, ShutWrite), syscall.ENOTCONN)
	want(t, "Shutdown of nothing", s.Shutdown(w.now, 0), syscall.EINVAL)
	want(t, "Bind to another's", s.Bind(netip.AddrPortFrom(addrB4, 80)), syscall.EADDRNOTAVAIL)
	want(t, "Connect nowhere", s.Connect(w.now, netip.MustParseAddrPort("192.0.2.1:80")), syscall.ENETUNREACH)
	want(t, "Connect to a group", s.Connect(w.now, netip.MustParseAddrPort("224.0.0.1:80")), syscall.ENETUNREACH)
	want(t, "Connect to port 0", s.Connect(w.now, netip.AddrPortFrom(addrB4, 0)), syscall.EADDRNOTAVAIL)
	want(t, "Bind", s.Bind(netip.AddrPortFrom(addrA4, 7)), nil)
	want(t, "Bind twice", s.Bind(netip.AddrPortFrom(addrA4, 8)), syscall.EINVAL)
	want(t, "Bind to what another has", h.Socket().Bind(netip.AddrPortFrom(addrA4, 7)), syscall.EADDRINUSE)
	want(t, "Bind to all", h.Socket().Bind(netip.AddrPortFrom(netip.Addr{}, 7)), syscall.EADDRINUSE)
	want(t, "Connect to the other family", s.Connect(w.now, netip.AddrPortFrom(addrB6, 80)), syscall.EAFNOSUPPORT)
	want(t, "Listen", s.Listen(w.now, 0), nil)
	want(t, "Connect, listening", s.Connect(w.now, at80), syscall.EISCONN)
	_, err = s.Accept(w.now)
	want(t, "Accept of nobody", err, syscall.EAGAIN)
	want(t, "Shutdown of a listener", s.Shutdown(w.now, ShutRead), nil)
	_, err = s.Accept(w.now)
	want(t, "Accept, no longer listening", err, syscall.EINVAL)
	want(t, "Close", s.Close(w.now), nil)
	want(t, "Close twice", s.Close(w.now), syscall.EBADF)
	_, err = s.Send(w.now, b[:])
	want(t, "Send, closed", err, syscall.EBADF)
	want(t, "Connect, closed", s.Connect(w.now, at80), syscall.EBADF)
	want(t, "SetMaxSegment too small", h.Socket().SetMaxSegment(87), syscall.EINVAL)
	want(t, "SetSYNCount too many", h.Socket().SetSYNCount(128), syscall.EINVAL)
	want(t, "SetFastOpen below 0", h.Socket().SetFastOpen(-1), syscall.EINVAL)

	l := w.listen(at80, 0)
	s = h.Socket()
	want(t, "Connect", s.Connect(w.now, at80), syscall.EINPROGRESS)
	want(t, "Connect again", s.Connect(w.now, at80), syscall.EALREADY)
	_, err = s.Send(w.now, b[:])
	want(t, "Send, connecting", err, syscall.EAGAIN)
	_, err = s.Receive(w.now, b[:])
	want(t, "Receive, connecting", err, syscall.EAGAIN)
	w.run(time.Second)
	want(t, "PendingError", s.PendingError(), nil)
	want(t, "Connect when open", s.Connect(w.now, at80), nil)
	want(t, "Connect once more", s.Connect(w.now, at80), syscall.EISCONN)
	want(t, "Listen, connected", s.Listen(w.now, 1), syscall.EINVAL)
	want(t, "SetMaxSegment, connected", s.SetMaxSegment(1000), syscall.EINVAL)
	_, err = s.Receive(w.now, b[:])
	want(t, "Receive without data", err, syscall.EAGAIN)
	want(t, "Shutdown", s.Shutdown(w.now, ShutWrite), nil)
	_, err = s.Send(w.now, b[:])
	want(t, "Send, shut", err, syscall.EPIPE)
	c, err := l.Accept(w.now)
	want(t, "Accept", err, nil)
	w.run(time.Second)
	_, err = c.Receive(w.now, b[:])
	want(t, "Receive at the end", err, io.EOF)
	c.SetLinger(0)
	want(t, "Close", c.Close(w.now), nil)
	w.run(time.Second)
	_, err = s.Receive(w.now, b[:])
	want(t, "Receive, reset", err, syscall.ECONNRESET)
	_, err = s.Receive(w.now, b[:])
	want(t, "Receive, reset and told", err, io.EOF)
	_, err = s.Send(w.now, b[:])
	want(t, "Send, reset and told", err, syscall.EPIPE)

	s = h.Socket()
	at81 := netip.AddrPortFrom(addrB4, 81)
	want(t, "Connect", s.Connect(w.now, at81), syscall.EINPROGRESS)
	w.run(time.Second)
	want(t, "Connect, refused", s.Connect(w.now, at81), syscall.ECONNREFUSED)
	want(t, "Connect afresh", s.Connect(w.now, at80), syscall.EINPROGRESS)
	want(t, "Disconnect", s.Disconnect(w.now), nil)
	w.run(time.Second)

	// An ICMP error, about a SYN, and later about data.
	icmp := func(kind wire.ICMPKind) {
		w.drop = func(to *Host, p []byte) bool {
			if to != w.b {
				return false
			}
			m := wire.ICMP{Kind: kind, Quote: p}
			ip := wire.IP{Src: netip.AddrFrom4([4]byte{10, 0, 0, 254}), Dst: addrA4, Protocol: wire.ProtocolICMP}
			body := m.Append(nil, ip.Src, ip.Dst)
			w.flight = append(w.flight, inFlight{w.now.Add(w.delay), w.a, append(ip.Append(nil, len(body)), body...)})
			return true
		}
	}
	for kind, no := range map[wire.ICMPKind]syscall.Errno{
		wire.HostUnreachable: syscall.EHOSTUNREACH, wire.NetUnreachable: syscall.ENETUNREACH,
		wire.PortUnreachable: syscall.ECONNREFUSED, wire.ProtocolUnknown: syscall.ENOPROTOOPT,
		wire.AdminProhibited: syscall.EHOSTUNREACH, wire.HopLimitExceeded: syscall.EHOSTUNREACH,
	} {
		icmp(kind)
		s = h.Socket()
		want(t, "Connect", s.Connect(w.now, at80), syscall.EINPROGRESS)
		w.run(time.Second)
		want(t, "PendingError", s.PendingError(), no)
		want(t, "PendingError again", s.PendingError(), nil)
	}
	w.drop = nil
	s, _ = w.connect(at80, l)
	icmp(wire.HostUnreachable)
	s.Send(w.now, b[:])
	w.run(100 * time.Millisecond)
	want(t, "PendingError, soft", s.PendingError(), syscall.EHOSTUNREACH)
	if s.Info().State != tcp.Established {
		t.Error("a soft error has ended the connection")
	}
	w.drop = func(*Host, []byte) bool { return true }
	w.run(time.Hour)
	want(t, "PendingError, silence", s.PendingError(), syscall.EHOSTUNREACH)
	s = h.Socket()
	want(t, "Connect", s.Connect(w.now, at80), syscall.EINPROGRESS)
	w.run(time.Hour)
	want(t, "PendingError, silence", s.PendingError(), syscall.ETIMEDOUT)

	set := h.Settings()
	set.FastOpen = FastOpenServer
	h.SetSettings(set)
	_, err = h.Socket().ConnectWith(w.now, at80, b[:])
	want(t, "ConnectWith, off", err, syscall.EOPNOTSUPP)
	want(t, "SetFastOpenConnect, off", h.Socket().SetFastOpenConnect(true), syscall.EOPNOTSUPP)
}

// TestSwitches: the host's switches of Fast Open count for the next SYN.
func TestSwitches(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.listenFast(t)
	at := netip.AddrPortFrom(addrB4, 90)
	try := func(what string, status tfo.Status) {
		t.Helper()
		w.a.ForgetFailures()
		c := w.a.Socket()
		if _, err := c.ConnectWith(w.now, at, []byte("data")); err != nil && err != syscall.EINPROGRESS {
			t.Fatal(err)
		}
		w.run(time.Second)
		if o := c.Outcome(); o.Status != status {
			t.Errorf("%s: %v", what, o)
		}
		s, err := l.Accept(w.now)
		want(t, "Accept", err, nil)
		s.Close(w.now)
		c.Close(w.now)
		w.run(time.Second)
	}
	set := func(h *Host, bits FastOpenBits) {
		x := h.Settings()
		x.FastOpen = bits
		h.SetSettings(x)
	}
	try("on", tfo.DataAccepted)
	set(w.b, FastOpenClient)
	try("server off", tfo.FellBack)
	set(w.b, FastOpenServer)
	try("server on", tfo.DataAccepted)
	want(t, "SetFastOpen", l.SetFastOpen(0), nil)
	try("listener off", tfo.FellBack)
	set(w.b, FastOpenServer|FastOpenEveryListener)
	try("every listener, but not this one any more", tfo.FellBack)
	want(t, "SetFastOpen", l.SetFastOpen(5), nil)
	try("listener on", tfo.DataAccepted)
	want(t, "SetFastOpenKeys", l.SetFastOpenKeys(tfo.NewKeyring(tfo.GenerateKeys())), nil)
	try("other keys", tfo.FellBack)
	try("and their cookie", tfo.DataAccepted)
	w.a.ForgetDestinations()
	set(w.a, FastOpenClient|FastOpenClientCookieless)
	try("client without cookie", tfo.FellBack)
	set(w.b, FastOpenServer|FastOpenServerCookieless)
	try("both without cookie", tfo.DataAccepted)
	set(w.b, FastOpenServer|FastOpenEveryListener)
	every := w.b.Socket()
	want(t, "Listen", every.Listen(w.now, 77), nil)
	if n := every.FastOpen(); n != 77 {
		t.Errorf("a listener under FastOpenEveryListener has a queue of %d, want 77", n)
	}
	if f := w.b.Stats().FastOpen; f.PassiveFail != 1 || f.Passive != 5 || f.CookieReqd != 1 {
		t.Errorf("%+v", f)
	}
}

// TestOnTheWire: no PSH on a SYN with data, PSH on what empties the send queue, the
// first data acknowledged at once.
func TestOnTheWire(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.listenFast(t)
	w.seen = nil
	c := w.a.Socket()
	if n, err := c.ConnectWith(w.now, netip.AddrPortFrom(addrB4, 90), []byte(strings.Repeat("x", 3000))); n != 1420 || err != nil {
		t.Fatalf("the SYN took %d, %v", n, err)
	}
	w.run(w.delay)
	s, err := l.Accept(w.now)
	want(t, "Accept", err, nil)
	w.run(w.delay)
	began := len(w.seen)
	c.Send(w.now, make([]byte, 3000))
	w.run(2 * w.delay)
	s.Send(w.now, make([]byte, 10))
	w.run(time.Second)
	if got := w.seen[0]; !strings.HasPrefix(got, "> S ") {
		t.Errorf("the SYN is %s", got)
	}
	var flags []string
	for _, line := range w.seen[began:] {
		f := strings.Fields(line)
		flags = append(flags, f[0]+f[1])
	}
	if got, want := strings.Join(flags, " "), ">. >. >P. <. <. <. <P. >."; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if t.Failed() {
		t.Log(strings.Join(w.seen, "\n"))
	}
}

// TestQueues: what is unread, unacknowledged and unsent.
func TestQueues(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.listen(at80, 0)
	c, s := w.connect(at80, l)
	n, err := c.Send(w.now, make([]byte, 50_000))
	if n != 50_000 || err != nil {
		t.Fatal(n, err)
	}
	if u, q := c.Unacknowledged(), c.Unsent(); u != 50_000 || q != 50_000-10*1448 {
		t.Errorf("unacknowledged %d, unsent %d", u, q)
	}
	w.run(w.delay)
	if got := s.Unread(); got != 10*1448 {
		t.Errorf("unread %d", got)
	}
	w.run(time.Second)
	if u, q, r := c.Unacknowledged(), c.Unsent(), s.Unread(); u != 0 || q != 0 || r != 50_000 {
		t.Errorf("unacknowledged %d, unsent %d, unread %d", u, q, r)
	}
	var b [10]byte
	if n, err := s.Peek(b[:]); n != 10 || err != nil || s.Unread() != 50_000 {
		t.Errorf("peek: %d, %v; unread %d", n, err, s.Unread())
	}
	seen := len(w.seen)
	want(t, "Close with data unread", s.Close(w.now), nil)
	if got := w.seen[seen:]; len(got) != 1 || !strings.HasPrefix(got[0], "< R. ") {
		t.Errorf("closing with data unread sent %q, want a reset", got)
	}
	w.run(time.Second)
	want(t, "PendingError", c.PendingError(), syscall.ECONNRESET)
}

// TestRefusedFast: where a round trip takes microseconds, and the second less than
// half of the first, a refusal is still told at once.
func TestRefusedFast(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	w.delay = 47 * time.Microsecond
	s := w.a.Socket()
	_, err := s.ConnectWith(w.now, at80, []byte("x"))
	want(t, "ConnectWith", err, syscall.EINPROGRESS)
	w.run(50 * time.Microsecond)
	w.delay = time.Microsecond
	w.run(60 * time.Microsecond)
	want(t, "PendingError", s.PendingError(), syscall.ECONNREFUSED)
}

// TestTries counts how often SYNs and SYN-ACKs are sent that nobody answers.
func TestTries(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.b.Socket()
	want(t, "SetSYNCount", l.SetSYNCount(3), nil)
	want(t, "Bind", l.Bind(at80), nil)
	want(t, "Listen", l.Listen(w.now, 0), nil)
	w.drop = func(to *Host, _ []byte) bool { return to == w.a }
	c := w.a.Socket()
	want(t, "SetSYNCount", c.SetSYNCount(2), nil)
	want(t, "Connect", c.Connect(w.now, at80), syscall.EINPROGRESS)
	w.run(500 * time.Millisecond)
	w.drop = func(*Host, []byte) bool { return true }
	w.run(10 * time.Minute)
	syns, synacks := 0, 0
	for _, line := range w.seen {
		switch {
		case strings.HasPrefix(line, "> S "):
			syns++
		case strings.HasPrefix(line, "< S. "):
			synacks++
		}
	}
	if syns != 3 || synacks != 4 {
		t.Errorf("%d SYNs and %d SYN-ACKs, want 3 and 4: %v", syns, synacks, w.seen)
	}
	want(t, "PendingError", c.PendingError(), syscall.ETIMEDOUT)
	if conns, _ := w.b.Sockets(); conns != 0 {
		t.Errorf("%d connections are left at the server", conns)
	}
}

// TestKeepalive: an idle connection whose peer has gone ends, and only with
// keepalive.
func TestKeepalive(t *testing.T) {
	for _, on := range []bool{false, true} {
		w := newWorld(t, Settings{}, Settings{})
		l := w.listen(at80, 0)
		c, _ := w.connect(at80, l)
		if on {
			c.SetKeepaliveConfig(w.now, tcp.Keepalive{Idle: time.Minute, Interval: time.Second, Count: 3})
			c.SetKeepalive(w.now, true)
		}
		w.run(time.Hour)
		want(t, "PendingError, peer there", c.PendingError(), nil)
		w.drop = func(*Host, []byte) bool { return true }
		w.run(time.Minute + 5*time.Second)
		if on {
			want(t, "PendingError, peer gone", c.PendingError(), syscall.ETIMEDOUT)
		} else {
			want(t, "PendingError, peer gone", c.PendingError(), nil)
		}
	}
}

// TestDisconnect: a socket that was disconnected connects again; a listener that
// was, listens no more.
func TestDisconnect(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.listen(at80, 0)
	c, s := w.connect(at80, l)
	w.seen = nil
	want(t, "Disconnect", c.Disconnect(w.now), nil)
	if len(w.seen) != 1 || !strings.HasPrefix(w.seen[0], "> R. ") {
		t.Errorf("disconnecting sent %q", w.seen)
	}
	w.run(time.Second)
	want(t, "PendingError of the peer", s.PendingError(), syscall.ECONNRESET)
	want(t, "Connect", c.Connect(w.now, at80), syscall.EINPROGRESS)
	w.run(time.Second)
	s, err := l.Accept(w.now)
	want(t, "Accept", err, nil)
	c.Send(w.now, []byte("again"))
	w.run(time.Second)
	if got := w.receive(s); got != "again" {
		t.Errorf("got %q", got)
	}
	want(t, "Disconnect", l.Disconnect(w.now), nil)
	x := w.a.Socket()
	want(t, "Connect", x.Connect(w.now, at80), syscall.EINPROGRESS)
	w.run(time.Second)
	want(t, "PendingError", x.PendingError(), syscall.ECONNREFUSED)
	want(t, "Listen", l.Listen(w.now, 0), nil)
}
