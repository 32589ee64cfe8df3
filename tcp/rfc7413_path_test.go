package tcp

import (
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// Requirement MBOX-1: what a middlebox may dislike is the option, so a SYN that
// carried the cookie alone is suspected, too.
func TestMBOX1BlackHoleNoData(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(0)
	h.want("SYN", "S 0:0(0) <...,fo good>")
	h.recv(10, "S. 0:0(0) ack 1 win 10000 <mss 1460>")
	h.want("ACK", ". 1:1(0) ack 1")
	h.write(50)
	h.want("request", ". 1:51(50) ack 1")
	for range 3 {
		h.wake()
		h.want("again", ". 1:51(50) ack 1")
	}
	h.wantOutcome("black hole", tfo.FellBack, tfo.BlackHole, 0)
	if a := h.cfg.Cache.Lookup(h.now, h.path()).Avoid; a.Cause != tfo.BlackHole || !a.Active(h.now) {
		t.Errorf("negative memory %+v", a)
	}
}

// Requirement MBOX-2 (b) and (c): a RST beyond what came, and a FIN that is alone
// when the connection ends, are signs of a black hole as long as no data came.
func TestMBOX2BeyondAHole(t *testing.T) {
	opened := func() *harness {
		h := newHarness(t).client().knows("good", 1460, 0)
		h.dial(100)
		h.want("SYN", "S 0:100(100) <...>")
		h.recv(10, "S. 0:0(0) ack 101 win 10000 <mss 1460>")
		h.want("ACK", ". 101:101(0) ack 1")
		return h
	}
	check := func(h *harness, why string, blackHole bool) {
		t.Helper()
		a := h.cfg.Cache.Lookup(h.now, h.path()).Avoid
		if a.Active(h.now) != blackHole {
			t.Fatalf("%s: negative memory %+v", why, a)
		}
		if blackHole {
			h.wantOutcome(why, tfo.FellBack, tfo.BlackHole, 100)
		} else {
			h.wantOutcome(why, tfo.DataAccepted, tfo.NoCause, 100)
		}
	}

	h := opened()
	h.recv(20, "F. 501:501(0) ack 101 win 10000")
	h.want("what is missing", ". 101:101(0) ack 1")
	check(h, "it may still come", false)
	h.c.Close(h.now)
	h.want("FIN", "F. 101:101(0) ack 1")
	h.recv(30, ". 502:502(0) ack 102 win 10000")
	h.wake() // FIN-WAIT-2 without an owner
	h.idle("the wait is over")
	h.wantState("ended", Closed)
	check(h, "a FIN alone", true)

	h = opened()
	h.recv(20, "F. 501:501(0) ack 101 win 10000")
	h.recv(30, "P. 1:501(500) ack 101 win 10000")
	h.c.Abort(h.now)
	check(h, "the hole was filled", false)

	h = opened()
	h.recv(20, "FP. 201:501(300) ack 101 win 10000")
	h.c.Abort(h.now)
	check(h, "data came, if not all", false)

	h = opened()
	h.recv(20, "R 501:501(0) win 0")
	h.want("challenge", ". 101:101(0) ack 1")
	check(h, "a RST", true)

	h = opened()
	h.recv(20, "P. 1:101(100) ack 101 win 10000")
	h.recv(30, "R 501:501(0) win 0")
	check(h, "a RST, but data came", false)
}

// RFC 7323 section 4.3: the SYN-ACK that acknowledges SYN data sets Last.ACK.sent
// to that, so the timestamp of the segment after the data is echoed.
func TestRFC7323_4_3_LastACKSent(t *testing.T) {
	h := newHarness(t).listen(10)
	h.cfg.NoTimestamps = false
	h.recv(0, "S 0:200(200) win 65535 <mss 1460,TS 100/0,fo good>")
	h.want("SYN-ACK", "S. 0:0(0) ack 201 <...,TS 0/100>")
	h.recv(10, "F. 201:201(0) ack 1 win 1000 <TS 110/0>")
	h.accept("child")
	h.want("the FIN's is echoed", ". 1:1(0) ack 202 <TS 10/110>")
}

// RFC 9293 section 3.9.1.2: PSH says something of data. A FIN alone has none,
// neither the first time nor again.
func TestRFC9293_3_9_1_2_BareFIN(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.c.CloseWrite(h.now)
	h.want("FIN", "F. 1:1(0) ack 1")
	h.wake()
	s, _ := h.send()
	if got := h.format(s); got[:3] != "F. " {
		t.Errorf("again %s", got)
	}
}

// Requirement CLI-16: the refusal of a SYN with Fast Open that the network
// doubles does not refuse the plain SYN.
func TestCLI16DoubledRefusal(t *testing.T) {
	for _, x := range []struct {
		name     string
		cookie   string
		data     int
		ack      string
		unlikely bool // the first copy could not be told from an answer
	}{
		{"to data", "good", 100, "101", false},
		{"to a cookie", "good", 0, "1", true},
		{"to a request", "request", 0, "1", true},
	} {
		t.Run(x.name, func(t *testing.T) {
			h := newHarness(t).client()
			if x.cookie != "request" {
				h.knows(x.cookie, 1460, 0)
			}
			h.dial(x.data)
			h.want("SYN", sprint("S 0:%d(%d) <...,fo %s>", x.data, x.data, x.cookie))
			h.recv(20, "R. 0:0(0) ack "+x.ack+" win 0")
			h.want("plain", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
			h.recv(20, "R. 0:0(0) ack "+x.ack+" win 0")
			h.recv(29, "R. 0:0(0) ack "+x.ack+" win 0")
			if !x.unlikely {
				h.recv(39, "R. 0:0(0) ack "+x.ack+" win 0")
			}
			h.wantState("still asking", SynSent)
			h.recv(40, "R. 0:0(0) ack 1 win 0")
			h.wantState("that is the answer", Closed)
		})
	}
	// One that came too soon to be an answer, and is one: that shows soon.
	h := newHarness(t).client()
	h.dial(0)
	h.want("request", "S 0:0(0) <...,fo request>")
	h.recv(20, "R. 0:0(0) ack 1 win 0")
	h.want("plain", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
	h.recv(25, "R. 0:0(0) ack 1 win 0")
	h.wantAt(75, "again", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
	h.recv(80, "R. 0:0(0) ack 1 win 0")
	h.wantState("that is the answer", Closed)
	// On a short path there is no telling.
	h = newHarness(t).client()
	h.dial(0)
	h.want("request", "S 0:0(0) <...,fo request>")
	h.recv(2, "R. 0:0(0) ack 1 win 0")
	h.want("plain", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
	h.recv(2.5, "R. 0:0(0) ack 1 win 0")
	h.wantState("that may be the answer", Closed)
	// The same with ICMP.
	h = newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...,fo good>")
	h.at(20)
	h.icmp(wire.AdminProhibited, 0, 0)
	h.want("plain", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
	h.icmp(wire.AdminProhibited, 0, 0)
	h.wantState("still asking", SynSent)
	h.at(40)
	h.icmp(wire.AdminProhibited, 0, 0)
	h.wantState("that is the answer", Closed)
}

// RFC 1191 section 6: what a child sent early and a router found too big is sent
// again when the handshake is complete, without waiting for a timeout.
func TestRFC1191_6_ChildTooBig(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:50(50) win 65535 <mss 1460,sackOK,fo good>")
	h.accept("child")
	h.want("SYN-ACK", "S. 0:0(0) ack 51")
	h.write(2000)
	h.want("early", ". 1:1461(1460) ack 51")
	h.want("early", ". 1461:2001(540) ack 51")
	h.at(5)
	h.icmp(wire.PacketTooBig, 1040, 1)
	h.idle("not before the handshake is complete")
	h.recv(10, ". 51:51(0) ack 1 win 65535")
	h.want("again", ". 1:1001(1000) ack 51")
	h.want("again", ". 1001:2001(1000) ack 51")
	h.idle("all")
}

// The same where there is more to send: it does not go before what was lost, or a peer
// without SACK would bring that forth a segment each round trip.
func TestRFC1191_6_ChildTooBigAndMore(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:50(50) win 65535 <mss 1460,fo good>")
	h.accept("child")
	h.want("SYN-ACK", "S. 0:0(0) ack 51")
	h.write(40_000)
	for i := range 10 {
		h.want("early", sprint(". %d:%d(1460) ack 51", 1+i*1460, 1+(i+1)*1460))
	}
	h.at(5)
	h.icmp(wire.PacketTooBig, 1040, 1)
	h.idle("neither that nor what is new, before the handshake is complete")
	h.recv(10, ". 51:51(0) ack 1 win 65535")
	for i := range 10 {
		h.want("again", sprint(". %d:%d(1000) ack 51", 1+i*1000, 1+(i+1)*1000))
	}
}

// RFC 9040 section 6 before RFC 6298 (5.7): after a SYN that was lost, the timeout
// comes from what is remembered of the path, if anything is.
func TestRFC9040_6_AfterLostSYN(t *testing.T) {
	for rtt, rto := range map[time.Duration]time.Duration{
		0:                      3 * time.Second,
		100 * time.Millisecond: 300 * time.Millisecond,
	} {
		h := newHarness(t).client().knows("good", 1460, rtt)
		h.dial(100)
		h.want("SYN", "S 0:100(100) <...>")
		h.wake()
		h.want("plain", "S 0:0(0)")
		h.recv(1500, "S. 0:0(0) ack 1 win 10000 <mss 1460>")
		h.want("data", ". 1:101(100) ack 1")
		if got := h.c.Info().RTO; got != rto {
			t.Errorf("with %v known, the timeout is %v, want %v", rtt, got, rto)
		}
		h.wantAt(1500+float64(rto/time.Millisecond), "timeout", ". 1:101(100) ack 1")
	}
}

// RFC 6298 (2.2): a guess is neither blended into what is measured nor remembered
// as if it were.
func TestRFC6298_2_2_Guess(t *testing.T) {
	h := newHarness(t).client()
	h.dial(0)
	h.want("SYN", "S 0:0(0) <...,fo request>")
	h.wantAt(1000, "plain", "S 0:0(0)")
	h.recv(1200, "S. 0:0(0) ack 1 win 10000 <mss 1460>")
	h.want("ACK", ". 1:1(0) ack 1")
	if e := h.cfg.Cache.Lookup(h.now, h.path()); e.RTT != 0 || h.c.Info().RTT != 0 {
		t.Errorf("remembers a round trip of %v, tells %v", e.RTT, h.c.Info().RTT)
	}
	h.write(10)
	h.want("data", ". 1:11(10) ack 1")
	h.recv(1400, ". 1:1(0) ack 11 win 10000")
	if got := h.c.Info().RTT; got != 200*time.Millisecond {
		t.Errorf("measured %v", got)
	}
	h.c.Abort(h.now)
	if e := h.cfg.Cache.Lookup(h.now, h.path()); e.RTT != 200*time.Millisecond {
		t.Errorf("remembers %v", e.RTT)
	}
}
