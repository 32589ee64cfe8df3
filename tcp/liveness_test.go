package tcp

import "testing"

// RFC 9293 section 3.10.7.4, the seventh check: the next expected bytes are taken
// however many separate runs wait behind them, since they need no place among these.
// Refused, they would come again and again, and the connection would not go on.
func TestInOrderPastFullReassembly(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460,sackOK")
	const hole = 200
	for i := range maxRuns {
		start := 1 + hole + 2*i
		h.recv(20, sprint(". %d:%d(1) ack 1", start, start+1))
		if _, ok := h.send(); !ok {
			t.Fatal("no duplicate ACK")
		}
	}
	if n := len(h.c.asm.runs); n != maxRuns {
		t.Fatalf("%d runs are kept, want %d", n, maxRuns)
	}
	h.recv(30, sprint(". %d:%d(1) ack 1", 1+hole+2*maxRuns, 2+hole+2*maxRuns))
	if s, ok := h.send(); !ok || len(h.c.asm.runs) != maxRuns {
		t.Fatalf("one run too many: %v, %d are kept", h.format(s), len(h.c.asm.runs))
	}
	for _, c := range []struct{ start, end, ack int }{
		{1, 101, 101},
		{101, 151, 151},
		{151, 201, hole + 2},
		{202, 203, hole + 4},
	} {
		h.recv(40, sprint(". %d:%d(%d) ack 1", c.start, c.end, c.end-c.start))
		s, ok := h.send()
		if got := int(s.Ack - h.irs); !ok || got != c.ack {
			t.Fatalf("%d:%d is answered by ack %d, want %d", c.start, c.end, got, c.ack)
		}
	}
	h.wantRead("all that is in order", hole+3, nil)
}
