package tcp

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// stamped is an established connection with timestamps; the peer's clock started
// at 1000.
func stamped(t *testing.T) *harness {
	t.Helper()
	h := newHarness(t)
	h.cfg.NoTimestamps = false
	h.listen(0)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,sackOK,TS 1000/0,wscale 7>")
	h.want("SYN-ACK", "S. 0:0(0) ack 1 <mss 1460,sackOK,TS 0/1000,wscale 7>")
	h.recv(10, ". 1:1(0) ack 1 win 500 <TS 1010/1>")
	h.accept("open")
	return h
}

// RFC 7323 section 5.3: R1: old segments are not acceptable; R3: what is echoed.
func TestRFC7323_5_3_PAWS(t *testing.T) {
	h := stamped(t)
	h.recv(2000, "P. 1:11(10) ack 1 win 500 <TS 3000/1>")
	h.want("echoed", ". 1:1(0) ack 11 <TS 2000/3000>")
	h.recv(3000, "P. 11:21(10) ack 1 win 500 <TS 2999/1>")
	h.want("old: an ACK", ". 1:1(0) ack 11 <TS 3000/3000>")
	h.recv(4000, "P. 21:31(10) ack 1 win 500 <TS 4000/1>")
	h.want("R3: not from beyond a hole", ". 1:1(0) ack 11 <TS 4000/3000,sack 21:31>")
	h.recv(5000, "P. 11:21(10) ack 1 win 500 <TS 3500/1>")
	h.want("R3: of the one that fills it", ". 1:1(0) ack 31 <TS 5000/3500>")
	h.recv(5001, "R 31:31(0) win 0 <TS 1/1>")
	h.wantState("R1 does not apply to RST", Closed)
}

// RFC 7323 section 3.2: segments without the option are dropped once it was agreed
// on, and it is on every segment sent.
func TestRFC7323_3_2_Negotiated(t *testing.T) {
	h := stamped(t)
	h.recv(20, "P. 1:11(10) ack 1 win 500")
	h.idle("dropped")
	h.wantRead("nothing", 0, nil)
	h.write(10)
	h.want("with the option", "P. 1:11(10) ack 1 <TS 20/1010>")
}

// RFC 7323 section 5.5: after 24 days of silence any timestamp is taken.
func TestRFC7323_5_5_Outdated(t *testing.T) {
	h := stamped(t)
	h.recv(25*24*3600*1000, "P. 1:11(10) ack 1 win 500 <TS 5/1>")
	h.wantRead("taken", 10, nil)
}

// RFC 7323 section 2: window scale: in both directions, not on a SYN, 14 at most.
func TestRFC7323_2_WindowScale(t *testing.T) {
	h := newHarness(t).listen(0)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,wscale 7>")
	h.want("not scaled", "S. 0:0(0) ack 1 win 65535 <mss 1460,wscale 7>")
	h.recv(10, ". 1:1(0) ack 1 win 1000")
	if h.c.Info().SendWindow != 128_000 {
		t.Errorf("window is %d", h.c.Info().SendWindow)
	}
	h.recv(20, "P. 1:11(10) ack 1 win 1000")
	h.want("ours", ". 1:1(0) ack 11 win 512")
	for n, want := range map[int]uint8{65535: 0, 65536: 1, 6 << 20: 7, 1 << 30: 14} {
		if got := (&Config{ReceiveBuffer: n, MaxReceiveBuffer: n}).windowShift(); got != want {
			t.Errorf("buffer of %d: shift %d, want %d", n, got, want)
		}
	}
}

// RFC 5961 section 3.2: resets by the exact number only; 4.2: SYN; 5.2: ACK.
func TestRFC5961_3_Challenge(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.recv(1000, "R 2:2(0) win 0")
	h.want("in the window: challenge", ". 1:1(0) ack 1")
	h.recv(2000, "R 100000:100000(0) win 0")
	h.idle("outside: nothing")
	h.recv(3000, "S 1:1(0) win 100 <mss 1460>")
	h.want("SYN: challenge", ". 1:1(0) ack 1")
	h.recv(4000, "S. 100000:100000(0) ack 1 win 100 <mss 1460>")
	h.want("SYN outside: the same", ". 1:1(0) ack 1")
	h.recv(4100, "S. 100000:100000(0) ack 1 win 100 <mss 1460>")
	h.idle("section 7: limited in rate")
	h.recv(5000, "P. 1:11(10) ack -100000 win 100")
	h.want("an ACK far too old: challenge", ". 1:1(0) ack 1")
	h.wantRead("and its data is not taken", 0, nil)
	h.recv(6000, "R 1:1(0) win 0")
	h.wantState("exact", Closed)
}

// RFC 6191 section 2 and RFC 1337 section 3: TIME-WAIT as a record.
func TestRFC6191_2_TimeWaitRecord(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.c.Close(h.now)
	h.want("FIN", "F. 1:1(0) ack 1")
	h.recv(20, "F. 1:1(0) ack 2 win 1000")
	if _, ok := h.c.Wait(h.now); ok {
		t.Error("a record although an ACK is due")
	}
	h.want("ACK", ". 2:2(0) ack 2")
	w, ok := h.c.Wait(h.now)
	if !ok || w.Deadline() != h.start.Add(60_020*time.Millisecond) {
		t.Fatalf("%v, until %v", ok, w.Deadline())
	}
	for _, x := range []struct {
		in, out string
		reuse   bool
	}{
		{"F. 1:1(0) ack 2 win 1000", ". 2:2(0) ack 2", false},
		{"R 2:2(0) win 0", "", false},
		{"S 1:1(0) win 1", ". 2:2(0) ack 2", false},
		{"S 3:3(0) win 1", "", true},
		{". 2:2(0) ack 2 win 1000", "", false},
		{"P. 1:5(4) ack 2 win 1000", ". 2:2(0) ack 2", false},
	} {
		s := h.parse(x.in)
		reply, send, reuse := w.Receive(h.now.Add(time.Second), &h.cfg, &s)
		if send != (x.out != "") || reuse != x.reuse {
			t.Errorf("%s: sends %v, reuse %v", x.in, send, reuse)
		} else if send {
			h.compare(x.in, x.out, reply)
		}
	}
	if w.Deadline() != h.start.Add(61_020*time.Millisecond) {
		t.Errorf("a FIN must start the wait anew: until %v", w.Deadline())
	}
}

// RFC 3168 section 6.1: negotiation, marks, echo, response, once a window.
func TestRFC3168_6_1_ECN(t *testing.T) {
	h := newHarness(t)
	h.cfg.ECN, h.cfg.MaxMSS = true, 1000
	h.listen(0)
	h.recv(0, "SEW 0:0(0) win 65535 <mss 1000>")
	h.want("accepted", "SE. 0:0(0) ack 1")
	h.recv(10, ". 1:1(0) ack 1 win 65535")
	h.accept("open")
	h.recv(20, "P. 1:11(10) ack 1 win 65535 ecn 3")
	h.want("a mark is echoed", "E. 1:1(0) ack 11")
	h.recv(30, "P. 11:21(10) ack 1 win 65535 ecn 2")
	h.want("until CWR", "E. 1:1(0) ack 21")
	h.recv(40, "PW. 21:31(10) ack 1 win 65535 ecn 2")
	h.want("comes", ". 1:1(0) ack 31")
	h.write(4000)
	for i := range 4 {
		h.want("data is ECT(0)", sprint(". %d:%d(1000) ack 31 win 65505 ect0", i*1000+1, i*1000+1001))
	}
	cwnd := h.c.cc.cwnd
	h.recv(50, "E. 31:31(0) ack 1001 win 65535")
	h.recv(51, "E. 31:31(0) ack 2001 win 65535")
	if got := h.c.cc.cwnd; got != cwnd*7/10 {
		t.Errorf("window went from %d to %d", cwnd, got)
	}
	h.write(1000)
	h.want("told, once", "W. 4001:5001(1000) ack 31 win 65505 ect0")
	h.write(1000)
	h.want("once", ". 5001:6001(1000) ack 31 win 65505 ect0")
	// A client offers it in its first SYN only.
	h = newHarness(t).client()
	h.cfg.ECN = true
	h.dial(0)
	h.want("offered", "SEW 0:0(0) <...>")
	h.wake()
	h.want("not again", "S 0:0(0)")
}

// RFC 5482: the user timeout takes the place of R2.
func TestRFC5482_3_UserTimeout(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.c.SetUserTimeout(3 * time.Second)
	h.write(10)
	h.want("data", ". 1:11(10) ack 1")
	for h.state() == Established {
		h.wake()
		h.send()
	}
	if d := h.now.Sub(h.start); d < 3*time.Second || d > 7*time.Second {
		t.Errorf("ended after %v", d)
	}
	h.wantRead("error", 0, ErrTimeout)
}

// RFC 1191 section 6 and RFC 8201: too big: smaller segments, at once, and not a
// loss.
func TestRFC1191_6_PacketTooBig(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460,sackOK")
	h.write(2920)
	h.want("full", ". 1:1461(1460) ack 1")
	h.want("full", ". 1461:2921(1460) ack 1")
	h.icmp(wire.PacketTooBig, 1040, 100_000)
	h.idle("RFC 5927 section 4.1: not about anything that is out")
	h.icmp(wire.PacketTooBig, 1040, 1)
	h.want("again", ". 1:1001(1000) ack 1")
	h.want("again", ". 1001:2001(1000) ack 1")
	h.want("again", ". 2001:2921(920) ack 1")
	if h.c.recovery.phase != open {
		t.Error("taken for congestion")
	}
	h.icmp(wire.PacketTooBig, 68, 1)
	if got := h.c.Info().MSS; got != minMTU4-40 {
		t.Errorf("believed an MTU of 68: MSS %d", got)
	}
	// Ten minutes later full segments are tried again: RFC 8201 section 5.3.
	h.recv(700_000, ". 1:1(0) ack 2921 win 65535")
	h.write(1460)
	h.want("full", ". 2921:4381(1460) ack 1")
}

// RFC 4821 section 7.7: large segments that vanish without a word: how many
// timeouts it takes to send smaller ones.
func TestRFC4821_7_7_BlackHole(t *testing.T) {
	retries := func(h *harness, why string, from uint32, n int) {
		t.Helper()
		full := sprint(". %d:%d(1460) ack 1", from, from+1460)
		for range n - 1 {
			h.wake()
			h.want(why, full)
		}
		for range max(3-n, 1) {
			h.wake()
			h.want(why+": smaller", sprint(". %d:%d(1200) ack 1", from, from+1200))
		}
		h.wake()
		h.want(why+": still smaller", sprint(". %d:%d(536) ack 1", from, from+536))
	}

	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.write(1460)
	h.want("full", ". 1:1461(1460) ack 1")
	retries(h, "nothing large got through", 1, 2)

	h = newHarness(t).listen(0)
	h.establish("mss 1460")
	h.write(1460)
	h.want("full", ". 1:1461(1460) ack 1")
	h.recv(20, ". 1:1(0) ack 1461 win 65535")
	h.write(1460)
	h.want("full", ". 1461:2921(1460) ack 1")
	retries(h, "the path takes large ones", 1461, 3)

	for _, options := range []string{"mss 1460,sackOK", "mss 1460"} {
		h = newHarness(t).listen(0)
		h.establish(options)
		h.c.SetNoDelay(true)
		h.write(1560)
		h.want("full", ". 1:1461(1460) ack 1")
		h.want("small", ". 1461:1561(100) ack 1")
		if options == "mss 1460" {
			h.recv(20, ". 1:1(0) ack 1 win 65535")
		} else {
			h.recv(20, ". 1:1(0) ack 1 win 65535 <sack 1461:1561>")
			h.wake() // RACK
			h.want("fast retransmission", ". 1:1461(1460) ack 1")
		}
		retries(h, "a small one got through", 1, 1)
	}

	h = newHarness(t).client().knows("good", 1460, 0)
	h.dial(1420)
	h.want("large SYN", "S 0:1420(1420) <...>")
	h.wake()
	h.want("small SYN", "S 0:0(0)")
	h.recv(1100, "S. 0:0(0) ack 1 win 10000 <mss 1460>")
	h.want("the data", ". 1:1421(1420) ack 1")
	if d := h.deadline(); d != 4100 {
		t.Errorf("the next deadline is at %v ms, want 4100: RFC 6298 (5.7)", d)
	}
	h.wake()
	h.want("smaller", ". 1:1201(1200) ack 1")
}

// RFC 6528: initial sequence numbers: another secret or tuple, another number; the
// clock goes by one in 64 ns.
func TestRFC6528_3_ISN(t *testing.T) {
	a, b := &Config{Secret: [16]byte{1}}, &Config{Secret: [16]byte{2}}
	n := a.isn(testStart, clientAddr, serverAddr)
	if b.isn(testStart, clientAddr, serverAddr) == n || a.isn(testStart, serverAddr, clientAddr) == n {
		t.Error("the number does not depend on secret and addresses")
	}
	if d := a.isn(testStart.Add(time.Millisecond), clientAddr, serverAddr) - n; d != 15625 {
		t.Errorf("a millisecond is %d", d)
	}
}

// RFC 6056 section 3.3.3: ports: all of a range, from a start that depends on the
// destination, moving on.
func TestRFC6056_3_3_3_Ports(t *testing.T) {
	cfg := &Config{Secret: [16]byte{9}}
	var p Ports
	seen := map[uint16]bool{}
	for try := range 100 {
		seen[p.Port(cfg, clientAddr.Addr(), serverAddr, 1000, 1099, try)] = true
	}
	if len(seen) != 100 || !seen[1000] || !seen[1099] {
		t.Errorf("100 tries gave %d ports", len(seen))
	}
	first := p.Port(cfg, clientAddr.Addr(), serverAddr, 1000, 65000, 0)
	p.Taken(0)
	if p.Port(cfg, clientAddr.Addr(), serverAddr, 1000, 65000, 0) == first {
		t.Error("the same port twice in a row")
	}
	other := netip.AddrPortFrom(serverAddr.Addr(), 80)
	if p.Port(cfg, clientAddr.Addr(), other, 1000, 65000, 0) == p.Port(cfg, clientAddr.Addr(), serverAddr, 1000, 65000, 0) {
		t.Error("two destinations give one port")
	}
}

// RFC 4987 section 3.6: SYN cookies keep what was negotiated in the timestamp,
// expire, and cannot be guessed.
func TestRFC4987_3_6_SynCookies(t *testing.T) {
	h := newHarness(t)
	h.cfg.NoTimestamps, h.cfg.ECN = false, true
	h.lc.SYNQueue = -1
	h.listen(0)
	answer := func(wait time.Duration, change uint32) *Conn {
		h.c = nil
		h.recv(float64(h.now.Sub(h.start))/1e6, "SEW 0:0(0) win 65535 <mss 1400,sackOK,TS 5/0,wscale 3>")
		s, ok := h.l.Send()
		if !ok || !s.Flags.Has(wire.SYN|wire.ACK|wire.ECE) || !s.Options.SACKPermitted || s.Options.WindowScale == 0 {
			t.Fatalf("%v %v", ok, s)
		}
		ack := wire.Segment{Src: h.remote, Dst: h.local, Seq: h.irs + 1, Ack: s.Seq + 1 + change, Flags: wire.ACK, Window: 1000}
		ack.Options = wire.Options{Timestamps: true, TSVal: 6, TSEcr: s.Options.TSVal}
		h.now = h.now.Add(wait)
		return h.l.Receive(h.now, &ack)
	}
	c := answer(time.Second, 0)
	if c == nil || c.State() != Established || h.l.Accept() != c {
		t.Fatal("the right answer makes no connection")
	}
	if i := c.Info(); !i.SACK || !i.Timestamps || !i.Scaled || !i.ECN || i.MSS != 1400-12 || i.SendWindow != 8000 {
		t.Errorf("negotiated %+v", i)
	}
	if answer(0, 1) != nil {
		t.Error("a guess made a connection")
	}
	if answer(5*time.Minute, 0) != nil {
		t.Error("an old cookie made a connection")
	}
	if _, ok := h.l.Send(); !ok {
		t.Error("and was not answered by a reset")
	}
	if h.l.Stats.SyncookiesRecv != 1 || h.l.Stats.SyncookiesFail != 1 {
		t.Errorf("stats %+v", h.l.Stats)
	}
}

// RFC 9040 section 6: what a connection learnt helps the next.
func TestRFC9040_6_Sharing(t *testing.T) {
	h := newHarness(t).client()
	h.dial(0)
	h.want("SYN", "S 0:0(0) <...,fo request>")
	h.recv(40, "S. 0:0(0) ack 1 win 1000 <mss 1460,fo good>")
	h.want("ACK", ". 1:1(0) ack 1")
	h.c.Abort(h.now)
	h.want("over", "R. 1:1(0) ack 1")
	e := h.cfg.Cache.Lookup(h.now, h.path())
	if e.RTT != 40*time.Millisecond || e.MSS != 1460 {
		t.Fatalf("learnt %+v", e)
	}
	h.start = h.now
	h.dial(10)
	h.want("SYN", "S 0:10(10) <...,fo good>")
	h.wantAt(240, "its first timer comes from that", "S 0:0(0)")
}

// A listener keeps an ACK waiting when there is no room to accept: the client's
// data makes up for it.
func TestListenerQueueFullAtACK(t *testing.T) {
	h := newHarness(t)
	h.lc.Backlog = 1
	h.listen(0)
	var conns []*Conn
	for i := range 3 {
		h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), uint16(i+1))
		h.recv(0, "S 0:0(0) win 65535 <mss 1460>")
		h.want("SYN-ACK", "S. 0:0(0) ack 1")
		conns = append(conns, h.c)
	}
	for i, c := range conns {
		h.c, h.remote = c, netip.AddrPortFrom(clientAddr.Addr(), uint16(i+1))
		h.recv(10, ". 1:1(0) ack 1 win 1000")
	}
	h.wantState("no room", SynReceived)
	h.l.Accept()
	h.recv(20, "P. 1:11(10) ack 1 win 1000")
	h.wantState("room", Established)
	h.wantRead("data", 10, nil)
	if h.l.HalfOpen() != 0 {
		t.Errorf("%d half open", h.l.HalfOpen())
	}
}

// Auto-tuning follows what the application reads, up to the limit. An application
// that does not read gets no more than it started with.
func TestReceiveBufferTuning(t *testing.T) {
	p := newPair(t, 1)
	p.end[1].send = pattern(3_000_000, 1)
	p.start(ListenConfig{}, nil)
	most := uint32(0)
	for !p.end[0].eof && p.step(testStart.Add(time.Minute)) {
		most = max(most, p.client.rcv.limit)
	}
	if most < 200_000 || most > 6<<20 {
		t.Errorf("the buffer went to %d", most)
	}
	h := newHarness(t).listen(0)
	h.establish("mss 1460,wscale 7")
	for i := range 44 {
		h.recv(20+float64(i)*20, sprint(". %d:%d(1460) ack 1 win 1000", i*1460+1, i*1460+1461))
		h.send()
	}
	if n := h.c.Info(); n.ReceiveLimit != 64<<10 || n.Unread != 44*1460 {
		t.Errorf("unread: %d of %d", n.Unread, n.ReceiveLimit)
	}
}

// RFC 7323 section 2.3 and RFC 9293 section 3.8.6 (SHLD-14): the window that the
// peer sees, which is rounded to what the scale can express, never ends beyond what
// is taken, and does shut, whatever the size of the segments.
func TestRFC7323_2_3_Rounding(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		h := newHarness(t)
		h.cfg.ReceiveBuffer, h.cfg.MaxReceiveBuffer = 30_000+rng.IntN(100), 6<<20
		h.listen(0)
		h.establish("mss 1460,wscale 7")
		unit := 1 << h.c.rcv.scale
		next, edge := 1, 0
		tiny := seed%4 == 0
		for i := 0; ; i++ {
			n := 1 + rng.IntN(2000)
			if tiny && edge != 0 && edge-next < 3000 {
				n = 1 + rng.IntN(3)
			}
			if edge != 0 {
				n = min(n, edge-next)
			}
			h.recv(float64(1000+50*i), sprint("P. %d:%d(%d) ack 1 win 1000", next, next+n, n))
			if d := h.deadline(); d > 0 {
				h.wake()
			}
			s, ok := h.send()
			if !ok {
				t.Fatalf("seed %d: no ACK of %d", seed, next+n)
			}
			if next += n; s.Ack != h.irs+uint32(next) {
				t.Fatalf("seed %d: %d bytes within the window were announced, and %d taken", seed, n, int(s.Ack-h.irs)-next+n)
			}
			edge = max(edge, next+int(s.Window)*unit)
			if s.Window == 0 {
				break
			}
			if i > 200_000 || next > 2_000_000 {
				t.Fatalf("seed %d: the window does not shut, after %d bytes", seed, next)
			}
		}
		if got, most := h.c.Info().Unread, int(h.c.rcv.limit)+unit; got > most {
			t.Fatalf("seed %d: %d bytes are kept, at most %d should be", seed, got, most)
		}
	}
}
