package tcp

import "testing"

// A flight that comes and goes, thousands of times a second on a busy
// connection, asks for no memory.
func TestScoreboardAllocates(t *testing.T) {
	var b scoreboard
	seq, now := uint32(1), instant(1)
	flight := func() {
		for range keptStretches {
			b.add(now, seq, seq+10)
			seq, now = seq+10, now+1
		}
		for una := seq - 10*keptStretches + 5; una != seq+5; una += 10 { // in the middle of one each time
			var d delivered
			b.ack(una, &d, func(*sent) {})
		}
		var d delivered
		b.ack(seq, &d, func(*sent) {})
		if len(b.q) != 0 {
			t.Fatalf("%d stretches are left", len(b.q))
		}
	}
	if n := testing.AllocsPerRun(100, flight); n != 0 {
		t.Errorf("a flight allocates %v times", n)
	}
}
