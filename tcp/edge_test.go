package tcp

import (
	"io"
	"testing"
)

// A FIN just right of a full window is taken. The window is shut then, and not the
// whole of sequence space, for which every number would be acceptable:
// RFC 9293 section 3.10.7.4, the first check.
func TestFINAtWindowEdge(t *testing.T) {
	h := newHarness(t)
	h.cfg.ReceiveBuffer, h.cfg.MaxReceiveBuffer, h.cfg.DelayFINACK = 2048, 1, true
	h.listen(0)
	h.establish("mss 1460")
	h.recv(20, ". 1:1025(1024) ack 1")
	h.want("half", ". 1:1(0) ack 1025")
	h.c.rcv.quick = 0 // no longer at the start
	h.recv(30, "F. 1025:2049(1024) ack 1")
	h.wantState("FIN", CloseWait)
	if w := h.c.Info().ReceiveWindow; w != 0 {
		t.Errorf("the window is %d behind the FIN, want 0", w)
	}
	h.recv(31, "R. 4000:4000(0) ack 1")
	h.idle("a reset out of the window is not answered")
	h.recv(32, ". 90000:90000(0) ack 1")
	h.wantRead("all", 2048, io.EOF)
}
