package tcp

import (
	"testing"

	"github.com/fastopen-go/fastopen/tfo"
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
