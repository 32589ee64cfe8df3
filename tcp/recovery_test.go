package tcp

import (
	"testing"
	"time"
)

// sender is an established connection with n segments of 1000 bytes in flight.
func sender(t *testing.T, options string, n int) *harness {
	t.Helper()
	h := newHarness(t)
	h.cfg.MaxMSS = 1000
	h.listen(0)
	h.establish("mss 1000" + options)
	h.write(n * 1000)
	for i := range n {
		h.want("flight", sprint(". %d:%d(1000) ack 1", i*1000+1, i*1000+1001))
	}
	h.idle("that was all")
	return h
}

// RFC 8985 section 6.2 and RFC 6675: three segments sacked above a hole: the hole
// is lost, and goes out at once.
func TestRFC8985_6_FastRetransmit(t *testing.T) {
	h := sender(t, ",sackOK", 8)
	h.recv(60, ". 1:1(0) ack 1 win 60000 <sack 1001:2001>")
	h.idle("one may be reordering")
	h.recv(61, ". 1:1(0) ack 1 win 60000 <sack 1001:3001>")
	h.idle("two")
	h.recv(62, ". 1:1(0) ack 1 win 60000 <sack 1001:4001>")
	h.want("three", ". 1:1001(1000) ack 1")
	if got := h.c.cc.ssthresh; got != 7000 {
		t.Errorf("ssthresh is %d, want 0.7 of the window of 10000", got)
	}
	h.recv(120, ". 1:1(0) ack 8001 win 60000")
	if h.c.recovery.phase != open {
		t.Error("recovery is over when its point is acknowledged")
	}
}

// RFC 8985 section 6.2 step 5: without three, the reordering timer.
func TestRFC8985_6_ReorderTimer(t *testing.T) {
	h := sender(t, ",sackOK", 3)
	h.recv(50, ". 1:1(0) ack 1 win 60000 <sack 1001:2001>")
	h.idle("waits")
	h.wake()
	h.want("a quarter of the round trip later", ". 1:1001(1000) ack 1")
	if d := h.now.Sub(h.start); d > 60*time.Millisecond {
		t.Errorf("only after %v", d)
	}
}

// RFC 8985 section 7: a lost tail is probed after two round trips, not after a
// timeout, and the answer starts recovery.
func TestRFC8985_7_TailLossProbe(t *testing.T) {
	h := sender(t, ",sackOK", 4)
	h.recv(20, ". 1:1(0) ack 1001 win 60000")
	h.idle("waits")
	h.wake()
	if d := h.now.Sub(h.start); d > 50*time.Millisecond {
		t.Errorf("the probe waits until %v", d)
	}
	h.want("the last segment", ". 3001:4001(1000) ack 1")
	h.recv(60, ". 1:1(0) ack 1001 win 60000 <sack 3001:4001>")
	h.want("what it shows as lost", ". 1001:2001(1000) ack 1")
}

// RFC 8985 section 7.3: a probe carries new data where there is some.
func TestRFC8985_7_ProbeNewData(t *testing.T) {
	h := newHarness(t)
	h.cfg.MaxMSS, h.cfg.InitialWindow = 1000, 2
	h.listen(0)
	h.establish("mss 1000,sackOK")
	h.write(3000)
	h.want("flight", ". 1:1001(1000) ack 1")
	h.want("flight", ". 1001:2001(1000) ack 1")
	h.idle("the window is full")
	h.wake()
	h.want("new data all the same", ". 2001:3001(1000) ack 1")
}

// RFC 8985 section 7.4.2: a probe that repaired a loss is answered as a loss; one
// that was for nothing (D-SACK) is not.
func TestRFC8985_7_4_ProbeAnswer(t *testing.T) {
	for _, duplicate := range []bool{false, true} {
		h := sender(t, ",sackOK", 2)
		h.recv(20, ". 1:1(0) ack 1001 win 60000")
		h.idle("waits")
		h.wake()
		h.want("probe", ". 1001:2001(1000) ack 1")
		answer := ". 1:1(0) ack 2001 win 60000"
		before := h.c.cc.cwnd
		if duplicate {
			h.recv(400, answer+" <sack 1001:2001>")
		} else {
			h.recv(400, answer)
			h.recv(401, answer)
		}
		if reduced := h.c.cc.cwnd < before; reduced == duplicate {
			t.Errorf("duplicate %v: window went from %d to %d", duplicate, before, h.c.cc.cwnd)
		}
	}
}

// RFC 6582 and RFC 5681 section 3.2: without SACK, three duplicate ACKs, and a
// partial ACK in recovery.
func TestRFC6582_3_NewReno(t *testing.T) {
	h := sender(t, "", 8)
	for i := range 3 {
		h.idle("not yet")
		h.recv(60+float64(i), ". 1:1(0) ack 1 win 65535")
	}
	h.want("fast retransmit", ". 1:1001(1000) ack 1")
	h.recv(80, ". 1:1(0) ack 1 win 65535")
	h.recv(110, ". 1:1(0) ack 3001 win 65535")
	h.want("partial: the next hole", ". 3001:4001(1000) ack 1")
	h.recv(160, ". 1:1(0) ack 8001 win 65535")
	if h.c.recovery.phase != open {
		t.Error("recovery goes on")
	}
}

// RFC 6298 section 5: the timeout doubles, and one segment goes out.
func TestRFC6298_5_Timeout(t *testing.T) {
	h := sender(t, "", 4)
	first := h.deadline()
	h.wake()
	h.want("the earliest", ". 1:1001(1000) ack 1")
	h.idle("and no more")
	if h.c.cc.cwnd != 1000 {
		t.Errorf("window is %d", h.c.cc.cwnd)
	}
	rto := first - 10
	h.wantAt(first+2*rto, "doubled", ". 1:1001(1000) ack 1")
	// The third time smaller: RFC 4821 section 7.7.
	h.wantAt(first+6*rto, "and again", ". 1:537(536) ack 1")
}

// RFC 6298 section 3: Karn: what was sent twice is not measured, unless the echo
// tells which it was.
func TestRFC6298_3_Karn(t *testing.T) {
	h := sender(t, "", 1)
	before := h.c.rtt.srtt
	h.wake()
	h.want("again", ". 1:1001(1000) ack 1")
	h.recv(900, ". 1:1(0) ack 1001 win 65535")
	if h.c.rtt.srtt != before {
		t.Errorf("estimate went from %v to %v", before, h.c.rtt.srtt)
	}
}

// RFC 3522: a timestamp from before the retransmission shows that it was not
// needed, and everything is as it was.
func TestRFC3522_3_Eifel(t *testing.T) {
	h := newHarness(t)
	h.cfg.MaxMSS, h.cfg.NoTimestamps = 1000, false
	h.listen(0)
	h.recv(0, "S 0:0(0) win 65535 <mss 1000,sackOK,TS 100/0>")
	h.want("SYN-ACK", "S. 0:0(0) ack 1")
	h.recv(10, ". 1:1(0) ack 1 win 65535 <TS 101/1>")
	h.accept("open")
	h.write(5 * 988)
	for range 5 {
		h.send()
	}
	cwnd := h.c.cc.cwnd
	for h.c.recovery.phase != timedOut {
		h.wake()
		h.send()
	}
	if h.c.cc.cwnd != 988 {
		t.Fatalf("window is %d", h.c.cc.cwnd)
	}
	// The echo is of the first transmission, at 10 ms.
	h.recv(float64(h.now.Sub(h.start))/1e6+1, ". 1:1(0) ack 989 win 65535 <TS 102/10>")
	if h.c.cc.cwnd < cwnd || h.c.recovery.phase != open || h.c.board.lostBytes != 0 {
		t.Errorf("window %d of %d, phase %d, %d bytes lost", h.c.cc.cwnd, cwnd, h.c.recovery.phase, h.c.board.lostBytes)
	}
	h.idle("nothing needs to go out again")
}

// RFC 5682: without timestamps, an ACK of what was never sent again after a
// timeout shows the same.
func TestRFC5682_3_FRTO(t *testing.T) {
	h := sender(t, ",sackOK", 5)
	cwnd := h.c.cc.cwnd
	for h.c.recovery.phase != timedOut {
		h.wake()
		h.send()
	}
	h.write(2000)
	h.recv(900, ". 1:1(0) ack 1001 win 60000")
	h.want("new data instead of old", ". 5001:6001(1000) ack 1")
	h.recv(901, ". 1:1(0) ack 2001 win 60000")
	if h.c.cc.cwnd < cwnd || h.c.recovery.phase != open {
		t.Errorf("window %d of %d, phase %d", h.c.cc.cwnd, cwnd, h.c.recovery.phase)
	}
}

// RFC 3708 and RFC 2883: when everything that was sent again is reported as
// duplicate, the response is taken back.
func TestRFC3708_3_DSACKUndo(t *testing.T) {
	h := sender(t, ",sackOK", 6)
	cwnd := h.c.cc.cwnd
	h.recv(60, ". 1:1(0) ack 1 win 60000 <sack 1001:4001>")
	h.want("thought lost", ". 1:1001(1000) ack 1")
	h.recv(70, ". 1:1(0) ack 6001 win 60000")
	if h.c.cc.cwnd >= cwnd {
		t.Fatalf("window %d was not reduced from %d", h.c.cc.cwnd, cwnd)
	}
	h.write(1000)
	h.want("more", ". 6001:7001(1000) ack 1")
	h.recv(80, ". 1:1(0) ack 6001 win 60000 <sack 1:1001>")
	if h.c.cc.cwnd < cwnd {
		t.Errorf("window %d of %d", h.c.cc.cwnd, cwnd)
	}
	if h.c.rack.mult == 0 {
		t.Error("RFC 8985 section 6.2 step 4: the reordering window must grow")
	}
}

// RFC 2018 section 4 and RFC 2883: what a receiver reports, newest first.
func TestRFC2018_4_Blocks(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460,sackOK")
	h.recv(20, "P. 11:21(10) ack 1 win 1000")
	h.want("one", ". 1:1(0) ack 1 <sack 11:21>")
	h.recv(21, "P. 31:41(10) ack 1 win 1000")
	h.want("the latest first", ". 1:1(0) ack 1 <sack 31:41,sack 11:21>")
	h.recv(22, "P. 51:61(10) ack 1 win 1000")
	h.want("three", ". 1:1(0) ack 1 <sack 51:61,sack 31:41,sack 11:21>")
	h.recv(23, "P. 11:21(10) ack 1 win 1000")
	h.want("a duplicate first, then what it lies in", ". 1:1(0) ack 1 <sack 11:21,sack 11:21,sack 51:61,sack 31:41>")
	h.recv(24, "P. 1:31(30) ack 1 win 1000")
	h.want("the hole filled", ". 1:1(0) ack 41 <sack 11:21,sack 51:61>")
	h.wantRead("in order", 40, nil)
}

// What a peer can make this end remember is bounded.
func TestBoundedReassembly(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460,sackOK")
	for i := range 1000 {
		h.recv(20, sprint("P. %d:%d(1) ack 1 win 1000", 2*i+10, 2*i+11))
		h.send()
	}
	if n := len(h.c.asm.runs); n != maxRuns {
		t.Errorf("%d runs are kept", n)
	}
	h.recv(30, "P. 1:1401(1400) ack 1 win 1000")
	h.wantRead("all the same", 1400, nil)
}

func TestBoundedScoreboard(t *testing.T) {
	h := sender(t, ",sackOK", 10)
	for i := range 3000 {
		h.recv(20, sprint(". 1:1(0) ack 1 win 60000 <sack %d:%d>", 3*i+1002, 3*i+1003))
	}
	if n := len(h.c.board.q); n > maxSplits+300 {
		t.Errorf("the scoreboard has %d entries", n)
	}
}
