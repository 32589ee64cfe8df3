package stack

import (
	"io"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// world is two hosts, a wire between them that takes half a round trip, and one
// virtual clock.
type world struct {
	t      testing.TB
	now    time.Time
	delay  time.Duration
	a, b   *Host // the client and the server of most tests
	flight []inFlight
	drop   func(to *Host, p []byte) bool
	seen   []string
}

type inFlight struct {
	at time.Time
	to *Host
	b  []byte
}

var (
	addrA4, addrB4 = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	addrA6, addrB6 = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
)

func newWorld(t testing.TB, a, b Settings) *world {
	w := &world{t: t, now: time.Unix(1_800_000_000, 0), delay: 10 * time.Millisecond}
	w.a = w.host(1, a, addrA4, addrA6)
	w.b = w.host(2, b, addrB4, addrB6)
	return w
}

func (w *world) host(id byte, set Settings, addrs ...netip.Addr) *Host {
	var h *Host
	h = NewHost(w.now, HostConfig{
		Settings: set, Links: []LinkConfig{{MTU: 1500}}, Secret: [16]byte{id},
		Output: func(_ int, batch []wire.Packet) {
			for i := range batch {
				w.send(h, batch[i].Append(nil))
			}
		},
	})
	for _, a := range addrs {
		bits := 24
		if !a.Is4() {
			bits = 64
		}
		if err := h.AddAddress(0, netip.PrefixFrom(a, bits)); err != nil {
			w.t.Fatal(err)
		}
	}
	return h
}

func (w *world) send(from *Host, p []byte) {
	to, name := w.b, "> "
	if from == w.b {
		to, name = w.a, "< "
	}
	w.seen = append(w.seen, name+describe(p))
	if w.drop != nil && w.drop(to, p) {
		return
	}
	w.flight = append(w.flight, inFlight{w.now.Add(w.delay), to, p})
}

// describe is a packet in one line.
func describe(p []byte) string {
	ip, body, ok := wire.ParseIP(p)
	var s wire.Segment
	if !ok || !s.Parse(ip.Src, ip.Dst, body, wire.Full) {
		if ok {
			return "protocol " + string('0'+rune(ip.Protocol%10))
		}
		return "not an IP packet"
	}
	return s.String()
}

// run lets d pass.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for {
		next := end
		for _, h := range []*Host{w.a, w.b} {
			if at := h.Deadline(); !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		if len(w.flight) > 0 && !w.flight[0].at.After(next) {
			f := w.flight[0]
			w.flight = w.flight[1:]
			w.now = f.at
			f.to.Input(w.now, f.b)
			continue
		}
		if next.After(w.now) {
			w.now = next
		}
		if !next.Before(end) {
			return
		}
		w.a.Advance(w.now)
		w.b.Advance(w.now)
	}
}

// want compares errnos.
func want(t testing.TB, what string, got, want error) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

func (w *world) listen(a netip.AddrPort, fastOpen int) *Socket {
	w.t.Helper()
	l := w.b.Socket()
	if fastOpen > 0 {
		want(w.t, "SetFastOpen", l.SetFastOpen(fastOpen), nil)
	}
	want(w.t, "Bind", l.Bind(a), nil)
	want(w.t, "Listen", l.Listen(w.now, 0), nil)
	return l
}

func (w *world) connect(a netip.AddrPort, l *Socket) (c, s *Socket) {
	w.t.Helper()
	c = w.a.Socket()
	want(w.t, "Connect", c.Connect(w.now, a), syscall.EINPROGRESS)
	w.run(3 * w.delay)
	s, err := l.Accept(w.now)
	want(w.t, "Accept", err, nil)
	return c, s
}

func (w *world) receive(s *Socket) string {
	w.t.Helper()
	var b [4096]byte
	n, err := s.Receive(w.now, b[:])
	if err != nil {
		w.t.Fatalf("Receive: %v\n%v", err, w.seen)
	}
	return string(b[:n])
}

func TestConnect(t *testing.T) {
	for _, addr := range []netip.Addr{addrB4, addrB6} {
		w := newWorld(t, Settings{}, Settings{})
		at := netip.AddrPortFrom(addr, 80)
		l := w.listen(at, 0)
		c, s := w.connect(at, l)
		if got := c.Poll(); got != PollOut|PollWrNorm {
			t.Errorf("poll of a new connection: %x", got)
		}
		if n, err := c.Send(w.now, []byte("hello")); n != 5 || err != nil {
			t.Fatal(n, err)
		}
		w.run(time.Second)
		if got := w.receive(s); got != "hello" {
			t.Errorf("got %q", got)
		}
		var b [10]byte
		_, err := s.Receive(w.now, b[:])
		want(t, "Receive without data", err, syscall.EAGAIN)
		want(t, "Close", c.Close(w.now), nil)
		w.run(time.Second)
		_, err = s.Receive(w.now, b[:])
		want(t, "Receive at the end", err, io.EOF)
		want(t, "Close", s.Close(w.now), nil)
		w.run(time.Second)
		if conns, waits := w.a.Sockets(); conns != 0 || waits != 1 {
			t.Errorf("%d connections, %d in TIME-WAIT", conns, waits)
		}
		if conns, waits := w.b.Sockets(); conns != 0 || waits != 0 {
			t.Errorf("%d connections, %d in TIME-WAIT", conns, waits)
		}
		w.run(2 * time.Minute)
		if _, waits := w.a.Sockets(); waits != 0 {
			t.Errorf("%d in TIME-WAIT after two minutes", waits)
		}
		if w.a.memory.lent != 0 || w.b.memory.lent != 0 {
			t.Errorf("buffers left: %d, %d", w.a.memory.lent, w.b.memory.lent)
		}
		if t.Failed() {
			t.Log(w.seen)
		}
	}
}

func TestFastOpen(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	at := netip.AddrPortFrom(addrB4, 80)
	l := w.listen(at, 16)
	c := w.a.Socket()
	_, err := c.ConnectWith(w.now, at, []byte("first"))
	want(t, "ConnectWith", err, syscall.EINPROGRESS)
	w.run(time.Second)
	_, err = l.Accept(w.now)
	want(t, "Accept", err, nil)
	c = w.a.Socket()
	n, err := c.ConnectWith(w.now, at, []byte("second"))
	if n != 6 || err != nil {
		t.Fatalf("ConnectWith: %d, %v", n, err)
	}
	w.run(w.delay)
	s, err := l.Accept(w.now)
	want(t, "Accept", err, nil)
	if got := w.receive(s); got != "second" {
		t.Errorf("got %q", got)
	}
	if !s.Info().SYNData || s.Info().Confirmed {
		t.Errorf("%+v", s.Info())
	}
	if n, err := s.Send(w.now, []byte("answer")); n != 6 || err != nil {
		t.Fatal(n, err)
	}
	w.run(w.delay)
	if got := w.receive(c); got != "answer" {
		t.Errorf("got %q", got)
	}
	if o := c.Outcome(); o.Status != tfo.DataAccepted || !o.Saved() {
		t.Errorf("%v", o)
	}
	// Put off.
	c = w.a.Socket()
	want(t, "SetFastOpenConnect", c.SetFastOpenConnect(true), nil)
	sent := len(w.seen)
	want(t, "Connect", c.Connect(w.now, at), nil)
	if len(w.seen) != sent {
		t.Errorf("something was sent: %v", w.seen[sent:])
	}
	want(t, "Connect", c.Connect(w.now, at), syscall.EISCONN)
	if n, err := c.Send(w.now, []byte("third")); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	w.run(time.Second)
	if s, err = l.Accept(w.now); err != nil || w.receive(s) != "third" {
		t.Fatal(err)
	}
	if f := w.a.Stats().FastOpen; f.Active != 2 || f.ActiveFail != 0 {
		t.Errorf("%+v", f)
	}
	if f := w.b.Stats().FastOpen; f.Passive != 2 || f.CookieReqd != 1 {
		t.Errorf("%+v", f)
	}
	if t.Failed() {
		t.Log(w.seen)
	}
}

// TestWaitSize measures what is left of a connection in TIME-WAIT, with its place in
// the table.
func TestWaitSize(t *testing.T) {
	const n = 50_000
	w := newWorld(t, Settings{}, Settings{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		remote := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1000)
		w.a.addWait(w.now, flowOf(at80, remote), tcp.Wait{})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if _, waits := w.a.Sockets(); waits != n {
		t.Fatalf("%d are waiting", waits)
	}
	each := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("a connection in TIME-WAIT takes %.0f bytes", each)
	if each > 128 {
		t.Errorf("a connection in TIME-WAIT takes %.0f bytes, at most 128 are allowed", each)
	}
	runtime.KeepAlive(w)
}
