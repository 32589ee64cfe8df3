package tcp

import (
	"testing"

	"github.com/fastopen-go/fastopen/wire"
)

// With DelayFINACK the acknowledgement of a FIN waits once there was data, and our
// own FIN may carry it.
func TestDelayFINACK(t *testing.T) {
	for _, delay := range []bool{false, true} {
		h := newHarness(t).listen(0)
		h.cfg.DelayFINACK = delay
		h.establish("")
		h.recv(20, "P. 1:101(100) ack 1 win 500")
		h.want("data", ". 1:1(0) ack 101")
		h.recv(30, "F. 101:101(0) ack 1 win 500")
		if delay {
			h.idle("the FIN may wait")
			h.wantState("it was taken", CloseWait)
			h.wantAt(70, "but not for long", ". 1:1(0) ack 102")
		} else {
			h.want("FIN", ". 1:1(0) ack 102")
		}
	}
}

// What acknowledges data that was never sent does not count, and neither does its
// timestamp: PAWS must not refuse what the peer really sends.
func TestTimestampOfBadACK(t *testing.T) {
	h := newHarness(t)
	h.cfg.NoTimestamps = false
	h.listen(0)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,TS 100/0>")
	synack, _ := h.send()
	from := func(ack, stamp uint32) {
		h.c.Receive(h.now, &wire.Segment{
			Src: h.remote, Dst: h.local, Seq: synack.Ack, Ack: ack, Flags: wire.ACK, Window: 500,
			Options: wire.Options{Timestamps: true, TSVal: stamp, TSEcr: synack.Options.TSVal},
		})
	}
	from(synack.Seq+1, 101)
	h.wantState("handshake", Established)
	from(synack.Seq+9999, 90000)
	if got := h.c.rcv.recent; got != 101 {
		t.Errorf("TS.Recent is %d after a segment that does not count, want 101", got)
	}
}

// RFC 9937: the conservative bound is never less than what was just delivered.
func TestPRRBound(t *testing.T) {
	c := congestion{mss: 1000, ssthresh: 7000}
	r := recovery{phase: recovering, fs: 10000, out: 1000}
	if r.prr(&c, 1000, 3000, false); c.cwnd != 4000 {
		t.Errorf("window is %d, want 3000 in flight and the 1000 that arrived", c.cwnd)
	}
	if r.prr(&c, 1000, 3000, true); c.cwnd != 5000 {
		t.Errorf("window is %d when the ACK is good, want a segment more", c.cwnd)
	}
}
