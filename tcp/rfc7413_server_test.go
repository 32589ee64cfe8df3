package tcp

import (
	"io"
	"net/netip"
	"testing"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

const synOpts = "mss 1460,sackOK,wscale 7"

// Requirement OPT-4: on a segment without SYN the option means nothing.
func TestOPT4OnlyOnSYN(t *testing.T) {
	h := newHarness(t).listen(10)
	h.establish(synOpts)
	h.recv(20, "P. 1:11(10) ack 1 win 1000 <fo good>")
	h.want("plain ACK", ". 1:1(0) ack 11")
	h.wantRead("data", 10, nil)
	if n := h.l.Stats.Passive; n != 0 {
		t.Errorf("counted %d passive opens", n)
	}
}

// Requirement OPT-7: the server answers in the kind the client used.
func TestOPT7SameKind(t *testing.T) {
	for _, kind := range []string{"fo", "foexp"} {
		h := newHarness(t).listen(10)
		h.recv(0, "S 0:0(0) win 65535 <mss 1460,"+kind+" request>")
		h.want("cookie in the same kind", "S. 0:0(0) ack 1 <mss 1460,"+kind+" good>")
	}
}

// Requirement SRV-1: only a listener, and not with RST or FIN; PSH, URG, ECE and
// CWR do no harm.
func TestSRV1WhichSYNs(t *testing.T) {
	for _, flags := range []string{"SR", "SF", "SFP"} {
		h := newHarness(t).listen(10)
		h.recv(0, flags+" 0:10(10) win 65535 <mss 1460,fo good>")
		h.idle("dropped silently")
		if h.c != nil {
			t.Errorf("%s made a connection", flags)
		}
	}
	for _, flags := range []string{"SP", "SU", "SEW"} {
		h := newHarness(t).listen(10)
		h.recv(0, flags+" 0:10(10) win 65535 <mss 1460,fo good>")
		h.want("taken", "S. 0:0(0) ack 11 <...>")
	}
}

// Requirement SRV-2: a full accept queue drops the SYN; children of Fast Open are
// in that queue from the SYN on.
func TestSRV2AcceptQueueFull(t *testing.T) {
	h := newHarness(t)
	h.lc.Backlog = 1
	h.listen(10)
	for i := range 2 {
		h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), uint16(1000+i))
		h.recv(0, "S 0:5(5) win 65535 <mss 1460,fo good>")
		h.want("room", "S. 0:0(0) ack 6")
	}
	h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), 2000)
	h.recv(0, "S 0:5(5) win 65535 <mss 1460,fo good>")
	h.idle("dropped")
	if h.l.Stats.ListenOverflows != 1 || h.l.Stats.ListenOverflow != 0 || h.l.Acceptable() != 2 {
		t.Errorf("stats %+v, %d acceptable", h.l.Stats, h.l.Acceptable())
	}
}

// Requirement SRV-3: with SYN cookies there is no Fast Open, nor any count of it.
func TestSRV3SynCookies(t *testing.T) {
	h := newHarness(t)
	h.lc.SYNQueue = -1
	h.listen(10)
	h.recv(0, "S 0:5(5) win 65535 <mss 1460,fo good>")
	h.want("a plain SYN-ACK", "S. 0:0(0) ack 1 <mss 1460>")
	if s := h.l.Stats; h.c != nil || s.Passive+s.CookieReqd+s.PassiveFail+s.ListenOverflow != 0 || s.SyncookiesSent != 1 {
		t.Errorf("stats %+v", s)
	}
	iss := h.last.Seq
	ack := h.parse("P. 1:6(5) ack 0 win 1000")
	ack.Ack = iss + 1
	c := h.l.Receive(h.now, &ack)
	if c == nil || c.State() != Established {
		t.Fatal("the ACK of a SYN cookie made no connection")
	}
	h.c = c
	h.accept("from a SYN cookie")
	h.want("its data is taken", ". 1:1(0) ack 6")
	h.wantRead("data", 5, nil)
}

// Requirement SRV-4: a request counts even if Fast Open is off or over the limit.
func TestSRV4RequestCounts(t *testing.T) {
	h := newHarness(t).listen(0)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,fo request>")
	h.want("no cookie", "S. 0:0(0) ack 1 <mss 1460>")
	if h.l.Stats.CookieReqd != 1 {
		t.Errorf("counted %d requests", h.l.Stats.CookieReqd)
	}
}

// Requirement SRV-5: off by default, and then everything is plain.
func TestSRV5OffByDefault(t *testing.T) {
	h := newHarness(t).listen(0)
	h.recv(0, "S 0:100(100) win 65535 <mss 1460,fo good>")
	h.want("ISN only, no option", "S. 0:0(0) ack 1 <mss 1460>")
	h.recv(10, "P. 1:101(100) ack 1 win 65535")
	h.accept("after the handshake")
	h.wantRead("sent again", 100, nil)
}

// Requirements SRV-6 and SRV-28: over the limit, no Fast Open and no cookie, not
// even for a request.
func TestSRV6OverLimit(t *testing.T) {
	h := newHarness(t).listen(1)
	h.recv(0, "S 0:5(5) win 65535 <mss 1460,fo good>")
	h.want("the first is accepted", "S. 0:0(0) ack 6 <mss 1460>")
	if h.l.Pending() != 1 {
		t.Fatalf("%d pending", h.l.Pending())
	}
	for i, o := range []string{"fo good", "fo request", "fo bad"} {
		h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), uint16(5000+i))
		h.recv(0, "S 0:5(5) win 65535 <mss 1460,"+o+">")
		h.want("over the limit", "S. 0:0(0) ack 1 <mss 1460>")
	}
	if h.l.Stats.ListenOverflow != 3 || h.l.Stats.CookieReqd != 1 {
		t.Errorf("stats %+v", h.l.Stats)
	}
}

// Requirement SRV-7: a request, with or without data, gets a cookie, and its data
// is dropped.
func TestSRV7Request(t *testing.T) {
	for _, data := range []string{"0:0(0)", "0:50(50)"} {
		h := newHarness(t).listen(10)
		h.recv(0, "S "+data+" win 65535 <"+synOpts+",fo request>")
		h.want("ISN only, and a cookie", "S. 0:0(0) ack 1 <"+synOpts+",fo good>")
		if h.l.Accept() != nil {
			t.Error("acceptable before the handshake")
		}
		h.recv(10, ". 1:1(0) ack 1 win 1000")
		h.accept("after it")
		h.wantRead("nothing of the SYN", 0, nil)
		h.wantOutcome("asked", tfo.CookieRequested, tfo.NoCause, len(h.parse("S "+data+" win 1").Payload))
	}
}

// Requirement SRV-8: a wrong cookie of any legal length.
func TestSRV8InvalidCookie(t *testing.T) {
	for _, cookie := range []string{"bad", "01020304", "0102030405060708090a0b0c0d0e0f10"} {
		h := newHarness(t).listen(10)
		h.recv(0, "S 0:50(50) win 65535 <mss 1460,fo "+cookie+">")
		h.want("ISN only, and the right cookie", "S. 0:0(0) ack 1 <mss 1460,fo good>")
		if h.l.Stats.PassiveFail != 1 || h.l.Stats.Passive != 0 {
			t.Errorf("stats %+v", h.l.Stats)
		}
		h.wantOutcome("fell back", tfo.FellBack, tfo.BadCookie, 50)
	}
}

// Requirement SRV-9: data without option.
func TestSRV9NoOption(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:50(50) win 65535 <mss 1460>")
	h.want("ISN only, no cookie", "S. 0:0(0) ack 1 <mss 1460>")
	if s := h.l.Stats; s.Passive+s.PassiveFail+s.CookieReqd+s.ListenOverflow != 0 {
		t.Errorf("stats %+v", s)
	}
}

// Requirement SRV-10: a valid cookie.
func TestSRV10ValidCookie(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:100(100) win 65535 <"+synOpts+",fo good>")
	h.accept("at once")
	h.want("all acknowledged, no option", "S. 0:0(0) ack 101 <"+synOpts+">")
	h.wantRead("at once", 100, nil)
	h.wantOutcome("accepted", tfo.DataAccepted, tfo.NoCause, 100)
	if h.c.Confirmed() {
		t.Error("confirmed by a SYN alone")
	}
	if h.l.Stats.Passive != 1 {
		t.Errorf("stats %+v", h.l.Stats)
	}
	// Without data it is accepted as well.
	h = newHarness(t).listen(10)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,fo good>")
	h.accept("without data")
	h.want("no option", "S. 0:0(0) ack 1 <mss 1460>")
	h.write(20)
	h.want("writable at once", ". 1:21(20) ack 1")
}

// Requirement SRV-11: the cookie is repeated only if asked for.
func TestSRV11AlwaysEcho(t *testing.T) {
	h := newHarness(t)
	h.lc.FastOpen.AlwaysEcho = true
	h.listen(10)
	h.recv(0, "S 0:100(100) win 65535 <mss 1460,fo good>")
	h.want("accepted, and repeated", "S. 0:0(0) ack 101 <mss 1460,fo good>")
}

// Requirement KEY-1: a backup key's cookie is accepted and replaced.
func TestKEY1BackupKey(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:100(100) win 65535 <mss 1460,fo old>")
	h.want("accepted, and a fresh one", "S. 0:0(0) ack 101 <mss 1460,fo good>")
	if h.l.Stats.PassiveAltKey != 1 || h.l.Stats.Passive != 1 {
		t.Errorf("stats %+v", h.l.Stats)
	}
}

// Requirement SRV-12: the child is in the queue at once and can be read, written
// and closed before the ACK.
func TestSRV12ChildInSynReceived(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:10(10) win 65535 <"+synOpts+",fo good>")
	h.accept("before anything was sent")
	h.wantRead("before the SYN-ACK", 10, nil)
	h.write(100)
	h.want("SYN-ACK first, without data", "S. 0:0(0) ack 11 <...>")
	h.want("then the answer", "P. 1:101(100) ack 11")
	h.wantState("still", SynReceived)
	h.recv(50, ". 11:11(0) ack 101 win 1000")
	h.wantState("confirmed", Established)
	if !h.c.Confirmed() || h.c.Events()&EventConfirmed == 0 {
		t.Error("no event tells that the handshake is confirmed")
	}
	if h.l.Pending() != 0 {
		t.Errorf("%d pending", h.l.Pending())
	}
}

// Requirement SRV-13: before the ACK, the initial window and the client's
// unscaled window bound what is sent.
func TestSRV13EarlyWindow(t *testing.T) {
	for _, x := range []struct {
		win  string
		want int
	}{{"65000", 10}, {"3000", 2}, {"0", 0}} {
		h := newHarness(t).listen(10)
		h.recv(0, "S 0:10(10) win "+x.win+" <"+synOpts+",fo good>")
		h.accept("child")
		h.want("SYN-ACK", "S. 0:0(0) ack 11 <...>")
		h.write(60_000)
		n, bytes := 0, 0
		for {
			s, ok := h.send()
			if !ok {
				break
			}
			n++
			bytes += s.Len()
		}
		if n != x.want || bytes > 14600 {
			t.Errorf("window %s: sent %d segments, %d bytes; want %d", x.win, n, bytes, x.want)
		}
	}
}

// Requirement SRV-14: data in the SYN-ACK only if configured; the window in it is
// not scaled.
func TestSRV14SYNACKContent(t *testing.T) {
	h := newHarness(t)
	h.lc.FastOpen.DataInSYNACK = true
	h.listen(10)
	h.recv(0, "S 0:10(10) win 65535 <"+synOpts+",fo good>")
	h.accept("child")
	h.wantRead("request", 10, nil)
	h.write(20)
	h.want("with data", "S. 0:20(20) ack 11 win 65526 <...>")
	h.idle("once")
	h.recv(10, ". 11:11(0) ack 21 win 1000")
	h.wantState("all acknowledged", Established)
	if h.c.snd.una != h.c.snd.nxt {
		t.Error("data of the SYN-ACK is still out")
	}
}

// Requirement SRV-15: only the SYN-ACK is sent again, without option, and it
// still acknowledges the data.
func TestSRV15OnlySYNACKAgain(t *testing.T) {
	h := newHarness(t)
	h.cfg.SYNACKRetries = 3
	h.listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo old>")
	h.accept("child")
	h.want("SYN-ACK with a fresh cookie", "S. 0:0(0) ack 11 <mss 1460,fo good>")
	h.write(100)
	h.want("answer", ". 1:101(100) ack 11")
	h.wantAt(1000, "first", "S. 0:0(0) ack 11 <mss 1460>")
	h.wantAt(3000, "second", "S. 0:0(0) ack 11 <mss 1460>")
	h.wantAt(7000, "third", "S. 0:0(0) ack 11 <mss 1460>")
	// Requirement SRV-16: then it dies silently.
	h.wake()
	h.idle("no reset")
	h.wantState("gave up", Closed)
	h.wantRead("what came is read first", 10, ErrTimeout)
	if h.l.Pending() != 0 {
		t.Error("a timeout must free the slot")
	}
}

// Requirement SRV-16, for the client that never was: covered with SRV-15.
func TestSRV16DiesSilently(t *testing.T) { TestSRV15OnlySYNACKAgain(t) }

// Requirement SRV-17: duplicate SYNs.
func TestSRV17DuplicateSYN(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.accept("child")
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	h.recv(600, "S 0:20(20) win 65535 <mss 1460,fo good>")
	h.want("again, unchanged", "S. 0:0(0) ack 11")
	h.recv(700, "S 0:0(0) win 65535 <mss 1460>")
	h.idle("limited in rate")
	h.recv(1300, "S 0:0(0) win 65535 <mss 1460>")
	h.want("again", "S. 0:0(0) ack 11")
	h.recv(1900, "S 100000000:100000000(0) win 65535 <mss 1460>")
	h.want("outside the window: challenge", ". 1:1(0) ack 11")
	h.recv(2000, "S 500:500(0) win 65535 <mss 1460>")
	h.want("another number inside: reset to the sender", "R 1:1(0)")
	h.wantState("the child survives", SynReceived)
	h.wantRead("the data came once", 10, nil)
}

// Requirement SRV-18: what completes the handshake.
func TestSRV18HandshakeACK(t *testing.T) {
	child := func() *harness {
		h := newHarness(t).listen(10)
		h.recv(0, "S 0:10(10) win 65535 <mss 1460,sackOK,fo good>")
		h.accept("child")
		h.want("SYN-ACK", "S. 0:0(0) ack 11")
		return h
	}
	h := child()
	h.recv(10, "P. 11:21(10) ack 1 win 1000")
	h.wantState("data with the ACK", Established)
	h.want("ACK", ". 1:1(0) ack 21")
	h.wantRead("both", 20, nil)

	h = child()
	h.recv(10, "F. 11:11(0) ack 1 win 1000")
	h.wantState("FIN with the ACK", CloseWait)
	h.want("ACK", ". 1:1(0) ack 12")
	h.wantRead("data, then the end", 10, io.EOF)

	h = child()
	h.recv(10, "P 11:21(10) win 1000")
	h.idle("without ACK it is ignored")
	h.wantState("still", SynReceived)

	h = child()
	h.recv(10, ". 11:11(0) ack 500 win 1000")
	h.want("ACK of what was not sent", "R 500:500(0)")
	h.wantState("still", SynReceived)

	// What was sent early and not acknowledged goes out again after the
	// timeout, once established.
	h = child()
	h.write(100)
	h.want("early", ". 1:101(100) ack 11")
	h.recv(10, ". 11:11(0) ack 1 win 1000")
	h.wake()
	h.want("probe or timeout", ". 1:101(100) ack 11")
}

// Requirement SRV-19: resets.
func TestSRV19Reset(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	h.recv(600, "R 50:50(0) win 0")
	h.want("inexact: challenge", ". 1:1(0) ack 11")
	h.recv(1500, "R 11:11(0) win 0")
	h.idle("no answer")
	h.wantState("exact: dead", Closed)
	h.accept("but still accepted")
	h.wantRead("data, then the error", 10, ErrReset)
}

// Requirement SRV-20: a reset keeps its slot charged for 60 seconds.
func TestSRV20ResetAccounting(t *testing.T) {
	for _, linux := range []bool{false, true} {
		for _, accepted := range []bool{true, false} {
			h := newHarness(t)
			h.lc.FastOpen.ChargeAcceptedOnly = linux
			h.listen(1)
			h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
			h.want("SYN-ACK", "S. 0:0(0) ack 11")
			if accepted {
				h.accept("child")
			}
			h.recv(10, "R 11:11(0) win 0")
			charged := accepted || !linux
			for _, ms := range []float64{30_000, 59_000, 62_000} {
				want := "S. 0:0(0) ack 11"
				if charged && ms < 60_000 {
					want = "S. 0:0(0) ack 1"
				}
				h.c = nil
				h.recv(ms, "S 0:10(10) win 65535 <mss 1460,fo good>")
				h.want("after the reset", want)
				h.c.Abort(h.now)
				h.c.listener = nil
				for h.l.Accept() != nil {
				}
			}
		}
	}
}

// Requirement SRV-21: ICMP before the handshake is complete.
func TestSRV21ICMP(t *testing.T) {
	child := func() *harness {
		h := newHarness(t).listen(10)
		h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
		h.want("SYN-ACK", "S. 0:0(0) ack 11")
		return h
	}
	h := child()
	h.icmp(wire.HostUnreachable, 0, 0)
	h.wantState("before accept", Closed)
	h.accept("still")
	h.wantRead("data, then the error", 10, Unreachable{wire.HostUnreachable})

	h = child()
	h.accept("first")
	h.icmp(wire.HostUnreachable, 0, 0)
	h.wantState("after accept: soft", SynReceived)

	h = child()
	h.icmp(wire.HostUnreachable, 0, 100_000)
	h.wantState("out of the window: ignored", SynReceived)
}

// Requirement SRV-22: closing before the ACK.
func TestSRV22CloseEarly(t *testing.T) {
	child := func() *harness {
		h := newHarness(t).listen(10)
		h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
		h.accept("child")
		h.want("SYN-ACK", "S. 0:0(0) ack 11")
		return h
	}
	h := child()
	h.wantRead("request", 10, nil)
	h.write(20)
	h.c.CloseWrite(h.now)
	h.want("data", "P. 1:21(20) ack 11")
	h.idle("the FIN waits")
	h.recv(10, ". 11:11(0) ack 21 win 1000")
	h.want("FIN", "F. 21:21(0) ack 11")
	h.wantState("closing", FinWait1)

	h = child()
	h.wantRead("request", 10, nil)
	h.write(20)
	h.c.Close(h.now)
	h.want("closed altogether: data and FIN at once", "FP. 1:21(20) ack 11")
	h.wantAt(1000, "SYN-ACK again", "S. 0:0(0) ack 11")
	h.recv(1100, ". 11:11(0) ack 22 win 1000")
	h.wantState("all acknowledged", FinWait2)

	h = child()
	h.c.Close(h.now)
	h.want("unread data: reset", "R. 1:1(0) ack 11")
	h.wantState("gone", Closed)
}

// Requirement SRV-23: closing the listener.
func TestSRV23ListenerClose(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	h.accept("this one")
	kept := h.c
	h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), 999)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	if n := len(h.l.Close(h.now)); n != 1 {
		t.Fatalf("closing ended %d connections", n)
	}
	h.want("not accepted: reset", "R. 1:1(0) ack 11")
	h.c, h.remote = kept, clientAddr
	h.recv(10, ". 11:11(0) ack 1 win 1000")
	h.wantState("accepted: lives on", Established)
}

// Requirement SRV-24: a new SYN for a connection in TIME-WAIT.
func TestSRV24TimeWait(t *testing.T) {
	h := newHarness(t)
	h.cfg.NoTimestamps = false
	h.listen(10)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,TS 1000/0>")
	h.want("SYN-ACK", "S. 0:0(0) ack 1")
	h.recv(10, ". 1:1(0) ack 1 win 65535 <TS 1000/0>")
	h.accept("handshake")
	h.c.Close(h.now)
	h.want("FIN", "F. 1:1(0) ack 1")
	h.recv(30, "F. 1:1(0) ack 2 win 1000 <TS 1001/1>")
	h.want("ACK", ". 2:2(0) ack 2")
	w, ok := h.c.Wait(h.now)
	if !ok {
		t.Fatalf("no record in %v", h.c.State())
	}
	old := h.parse("S 0:10(10) win 65535 <mss 1460,TS 999/0,fo good>")
	if reply, send, reuse := w.Receive(h.now, &h.cfg, &old); !send || reuse || reply.Flags != wire.ACK {
		t.Errorf("replayed SYN: %v %v %v", reply, send, reuse)
	}
	fresh := h.parse("S 5000:5010(10) win 65535 <mss 1460,TS 2000/0,fo good>")
	if _, send, reuse := w.Receive(h.now, &h.cfg, &fresh); send || !reuse {
		t.Error("a newer SYN must be allowed to open")
	}
	if c := h.l.Reopen(h.now, &w, &fresh); c == nil || !c.fo.child {
		t.Error("and by Fast Open")
	}
}

// Requirements SRV-25 and SEC-6: a SYN that is repeated after its connection is
// gone delivers its data again; only Confirmed tells the two apart.
func TestSRV25Replay(t *testing.T) {
	h := newHarness(t).listen(10)
	for range 2 {
		h.c, h.read = nil, 0
		h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
		h.want("SYN-ACK", "S. 0:0(0) ack 11")
		h.accept("child")
		h.wantRead("the same data", 10, nil)
		if h.c.Confirmed() {
			t.Error("confirmed")
		}
		h.c.Abort(h.now)
		h.want("reset", "R. 1:1(0) ack 11")
	}
}

// Requirement SRV-26: a plain request is not upgraded.
func TestSRV26NoUpgrade(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo bad>")
	h.want("fell back", "S. 0:0(0) ack 1 <mss 1460,fo good>")
	h.recv(1000, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("again the same", "S. 0:0(0) ack 1 <mss 1460>")
	if h.l.Accept() != nil {
		t.Error("upgraded")
	}
}

// Requirement SRV-27: the limit can be changed live, and zero turns it off.
func TestSRV27LimitLive(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("on", "S. 0:0(0) ack 11")
	first := h.c
	h.l.SetMaxPending(0)
	h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), 999)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("off", "S. 0:0(0) ack 1 <mss 1460>")
	if first.State() != SynReceived || !first.fo.child {
		t.Error("existing children must not be affected")
	}
}

// Requirement SRV-28: pending counts the children in SYN-RECEIVED.
func TestSRV28Pending(t *testing.T) { TestSRV6OverLimit(t) }

// Requirements SRV-30 and SRV-33: cookie-less only for listed prefixes; cookies
// are still handed out on request, unless configured as Linux does.
func TestSRV30Cookieless(t *testing.T) {
	server := func(withhold bool, prefix string) *harness {
		h := newHarness(t)
		h.lc.FastOpen.Cookieless = []netip.Prefix{netip.MustParsePrefix(prefix)}
		h.lc.FastOpen.WithholdCookies = withhold
		return h.listen(10)
	}
	h := server(false, "192.0.2.0/24")
	h.recv(0, "S 0:10(10) win 65535 <mss 1460>")
	h.want("accepted without", "S. 0:0(0) ack 11 <mss 1460>")
	h = server(false, "192.0.2.0/24")
	h.recv(0, "S 0:0(0) win 65535 <mss 1460>")
	h.want("no data, no option: plain", "S. 0:0(0) ack 1 <mss 1460>")
	if h.c.fo.child {
		t.Error("a plain SYN made a child")
	}
	h = server(false, "192.0.2.0/24")
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo request>")
	h.want("accepted, and a cookie on request", "S. 0:0(0) ack 11 <mss 1460,fo good>")
	h = server(true, "192.0.2.0/24")
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo bad>")
	h.want("as Linux: none", "S. 0:0(0) ack 11 <mss 1460>")
	h = server(false, "203.0.113.0/24")
	h.recv(0, "S 0:10(10) win 65535 <mss 1460>")
	h.want("another prefix: plain", "S. 0:0(0) ack 1 <mss 1460>")
}

func TestSRV33OnlyListedPrefixes(t *testing.T) { TestSRV30Cookieless(t) }

// Requirement SRV-31: no probe and no retransmission of data before the ACK, and
// the window is not reduced by a lost SYN-ACK.
func TestSRV31NoProbeBeforeACK(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,sackOK,fo good>")
	h.accept("child")
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	h.write(100)
	h.want("early", ". 1:101(100) ack 11")
	h.wantAt(1000, "only the SYN-ACK", "S. 0:0(0) ack 11")
	h.idle("no data")
	cwnd := h.c.cc.cwnd
	h.recv(1100, ". 11:11(0) ack 101 win 1000")
	if h.c.cc.cwnd < cwnd {
		t.Errorf("window went from %d to %d", cwnd, h.c.cc.cwnd)
	}
}

// Requirement SRV-32: never acknowledge what is not kept.
func TestSRV32MoreThanTheBuffer(t *testing.T) {
	h := newHarness(t)
	h.cfg.ReceiveBuffer, h.cfg.MaxReceiveBuffer = 64, 64
	h.listen(10)
	h.recv(0, "S 0:100(100) win 65535 <mss 1460,fo good>")
	h.accept("child")
	h.want("a part", "S. 0:0(0) ack 65 win 0")
	h.wantRead("that part", 64, nil)
}

// Requirement SEC-1: held output waits for the handshake.
func TestSEC1HoldOutput(t *testing.T) {
	h := newHarness(t)
	h.lc.FastOpen.HoldOutput = true
	h.listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.accept("child")
	h.wantRead("delivered", 10, nil)
	h.write(5000)
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	h.idle("nothing more")
	h.recv(10, ". 11:11(0) ack 1 win 65535")
	h.want("now", ". 1:1461(1460) ack 11")
}

// Requirement SEC-2: a SYN without data and a valid cookie is bounded by the same
// limits and held the same way.
func TestSEC2DatalessChild(t *testing.T) {
	h := newHarness(t)
	h.lc.FastOpen.HoldOutput = true
	h.listen(1)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,fo good>")
	h.accept("child")
	if h.l.Pending() != 1 {
		t.Error("not counted")
	}
	h.write(50)
	h.want("SYN-ACK", "S. 0:0(0) ack 1")
	h.idle("held")
}

// Requirements SEC-3 and SEC-4: the pending limit falls back to plain handshakes,
// so that the SYN queue and SYN cookies bound those.
func TestSEC3Flood(t *testing.T) {
	h := newHarness(t)
	h.lc.SYNQueue, h.lc.Backlog = 2, 100
	h.listen(2)
	var got []string
	for i := range 5 {
		h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), uint16(100+i))
		h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
		s, _ := h.send()
		got = append(got, []string{"cookie", "conn"}[b2i(h.c != nil)]+":"+[]string{"plain", "early"}[b2i(s.Ack == h.irs+11)])
	}
	want := []string{"conn:early", "conn:early", "conn:plain", "conn:plain", "cookie:plain"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("SYN %d: %s, want %s", i, got[i], want[i])
		}
	}
}

// Requirements SEC-4 and SEC-5: one prefix cannot take every slot.
func TestSEC5PerPrefix(t *testing.T) {
	h := newHarness(t)
	h.lc.FastOpen.MaxPendingPerPrefix = 1
	h.listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("first of the prefix", "S. 0:0(0) ack 11")
	h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), 77)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("second: plain", "S. 0:0(0) ack 1 <mss 1460>")
	other := netip.MustParseAddr("203.0.113.9")
	h.c, h.remote = nil, netip.AddrPortFrom(other, 77)
	s := h.parse("S 0:10(10) win 65535 <mss 1460,fo good>")
	s.Options.FastOpen.Cookie = h.keys.Mint(other, serverAddr.Addr())
	h.c = h.l.Receive(h.now, &s)
	h.want("another prefix", "S. 0:0(0) ack 11")
}

// Requirement SEC-7: Confirmed tells when the handshake is complete, by getter
// and by event.
func TestSEC7Confirmed(t *testing.T) { TestSRV12ChildInSynReceived(t) }

// Requirement OPT-11, server: a cookie that does not fit is left out.
func TestOPT11ServerRoom(t *testing.T) {
	var o wire.Options
	o.MSS, o.SACKPermitted, o.Timestamps, o.WindowScale = 1460, true, true, 8
	if room := o.Room(); room != 20 {
		t.Errorf("full options leave %d bytes, want 20", room)
	}
	h := newHarness(t)
	h.cfg.NoTimestamps = false
	h.listen(10)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,sackOK,TS 5/0,wscale 7,fo request>")
	h.want("fits beside all others", "S. 0:0(0) ack 1 <...,fo good>")
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
