package tcp

import (
	"testing"
	"time"
)

// TestThroughput is how long a transfer takes over paths of several kinds, next
// to what the path would allow. Without loss, slow start is over after a second:
// from then on what is not headers (96.5 %) must be within 5 % of the rate.
func TestThroughput(t *testing.T) {
	if testing.Short() {
		t.Skip("a longer simulation")
	}
	const mbit = 125_000
	for _, x := range []struct {
		rtt       time.Duration
		rate      int
		loss, mix float64
		size      int
		least     float64  // share of the rate that must be reached, in the mean of the seeds
		seeds     []uint64 // more than one where few losses make runs differ
	}{
		{10 * time.Millisecond, 100 * mbit, 0, 0, 20e6, 0.93, []uint64{7}},
		{66 * time.Millisecond, 100 * mbit, 0, 0, 50e6, 0.86, []uint64{7}},
		{100 * time.Millisecond, 100 * mbit, 0, 0, 50e6, 0.81, []uint64{7}},
		{66 * time.Millisecond, 100 * mbit, 0.0001, 0, 50e6, 0.7, []uint64{1, 2, 3, 4, 5, 6, 7, 8}},
		{66 * time.Millisecond, 100 * mbit, 0.001, 0, 20e6, 0.08, []uint64{7}},
		{66 * time.Millisecond, 100 * mbit, 0.01, 0, 5e6, 0.02, []uint64{7}},
		{66 * time.Millisecond, 100 * mbit, 0, 0.01, 50e6, 0.45, []uint64{7}},
		{300 * time.Millisecond, 10 * mbit, 0.03, 0, 1e6, 0.02, []uint64{7}},
	} {
		total := 0.0
		for _, seed := range x.seeds {
			p := newPair(t, seed)
			p.delay, p.rate, p.loss, p.mix = x.rtt/2, x.rate, x.loss, x.mix
			p.queue = int(float64(x.rate) * x.rtt.Seconds())
			p.end[1].send = pattern(x.size, 3)
			p.start(ListenConfig{}, nil)
			var done time.Time
			warm, before := time.Time{}, 0
			for !p.end[0].eof && p.step(testStart.Add(time.Hour)) {
				if warm.IsZero() && p.now.Sub(testStart) >= time.Second {
					warm, before = p.now, len(p.end[0].got)
				}
			}
			done = p.now
			p.whole()
			took := done.Sub(testStart)
			share := float64(x.size) / took.Seconds() / float64(x.rate)
			t.Logf("rtt %v rate %d Mbit/s loss %.2f%% reorder %.2f%%: %.2f s, %.1f%% of the rate, dropped %d of %d, seed %d", x.rtt, x.rate/mbit, x.loss*100, x.mix*100,
				took.Seconds(), share*100, p.drops, p.packets[1], seed)
			total += share
			steady := float64(x.size-before) / done.Sub(warm).Seconds() / float64(x.rate)
			if x.loss+x.mix == 0 && steady < 0.95 {
				t.Errorf("only %.1f%% of the rate after slow start, %d dropped", steady*100, p.drops)
			}
		}
		if share := total / float64(len(x.seeds)); share < x.least {
			t.Errorf("rtt %v loss %.2f%%: only %.1f%% of the rate", x.rtt, x.loss*100, share*100)
		}
	}
}
