package tcp

import (
	"testing"

	"github.com/fastopen-go/fastopen/wire"
)

// Requirements SEC-7 and SRV-25: a child that a duplicate of a SYN made is not
// confirmed by an ACK of the connection that the SYN was for, even if its number
// lies in the child's window: what it echoes is not the child's.
func TestSEC7StaleEcho(t *testing.T) {
	child := func() *harness {
		h := newHarness(t)
		h.cfg.NoTimestamps = false
		h.listen(10)
		h.recv(0, "S 0:10(10) win 65535 <mss 1460,TS 1000/0,fo good>")
		h.want("SYN-ACK", "S. 0:0(0) ack 11 <...,TS 0/1000>")
		h.accept("child")
		h.write(100)
		h.want("early", "P. 1:101(100) ack 11")
		return h
	}
	h := child()
	stale := h.parse(". 11:11(0) ack 51 win 500 <TS 1002/0>")
	stale.Options.TSEcr = h.c.snd.tsBase - 1
	h.at(1)
	h.c.Receive(h.now, &stale)
	if h.c.Confirmed() || h.c.State() != SynReceived {
		t.Fatal("confirmed by an ACK of another connection")
	}
	h.want("challenge", ". 101:101(0) ack 11")
	h.at(600)
	stale.Options.TSEcr = h.c.tsval(h.c.clock(h.now)) + 1
	h.c.Receive(h.now, &stale)
	if h.c.Confirmed() {
		t.Fatal("confirmed by an echo of what was not sent yet")
	}
	h.want("challenge", ". 101:101(0) ack 11")
	h.recv(601, ". 11:11(0) ack 51 win 500 <TS 1003/1>")
	if !h.c.Confirmed() {
		t.Fatal("not confirmed by its own echo")
	}

	h = child()
	zero := h.parse(". 11:11(0) ack 51 win 500 <TS 1003/0>")
	zero.Options.TSEcr = 0
	h.at(1)
	h.c.Receive(h.now, &zero)
	if !h.c.Confirmed() {
		t.Error("zero tells nothing")
	}
}

// RFC 6528 section 3 and RFC 9293 section 3.4.1: an ACK of a connection that is
// over does not confirm the next with the same addresses without timestamps
// either, unless it was faster than the clock of initial sequence numbers.
func TestRFC9293_3_4_1_NextISNIsBeyond(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	h.accept("first")
	sent := h.c.snd.nxt + 10_000 // a response in a few milliseconds
	h.c.Abort(h.now)
	h.want("gone", "R. 1:1(0) ack 11")
	h.c, h.read = nil, 0
	h.recv(3, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	h.accept("the duplicate's")
	late := h.parse(". 11:11(0) ack 0 win 500")
	late.Ack = sent
	h.c.Receive(h.now, &late)
	if h.c.Confirmed() {
		t.Fatal("confirmed by an ACK of the first")
	}
	if s, ok := h.send(); !ok || s.Flags != wire.RST || s.Seq != sent {
		t.Errorf("want a reset of it, got %s", h.format(s))
	}
}
