package tcp

import "time"

// hystart ends the first slow start when round trips grow longer, before the
// queue on the path overflows: HyStart++.
//
// https://www.rfc-editor.org/rfc/rfc9406
//
// Two things are added, because this sender does not pace. Its bursts leave the
// queue empty at the start of a round until the window is as large as the path
// holds, and one doubling more overflows a queue that holds as much again. So
// trains of ACKs that fill half a round trip begin Conservative Slow Start as
// well: the "ACK train" of the HyStart that Linux has, which leaves slow start
// for it altogether. And a queue that still grows in a later round ends
// Conservative Slow Start at once, rather than after five rounds, in which the
// window trebles.
type hystart struct {
	end      uint32 // windowEnd
	started  bool
	css      bool  // Conservative Slow Start
	train    bool  // ... because of trains of ACKs
	grows    bool  // ... in which the queue was seen to grow
	rounds   uint8 // rounds spent in it
	samples  uint8
	last     uint32 // lastRoundMinRTT in microseconds; 0 is infinity
	current  uint32 // currentRoundMinRTT
	baseline uint32 // cssBaselineMinRtt
	trains   uint32 // for how many microseconds ACKs kept coming in this round
	ack      uint32 // when the latest came, in microseconds
}

const (
	hystartSamples   = 8      // N_RTT_SAMPLE
	hystartMinThresh = 4_000  // MIN_RTT_THRESH
	hystartMaxThresh = 16_000 // MAX_RTT_THRESH
	hystartDivisor   = 8      // MIN_RTT_DIVISOR
	hystartCSSGrowth = 4      // CSS_GROWTH_DIVISOR
	hystartCSSRounds = 5      // CSS_ROUNDS
	hystartTrainGap  = 8      // a break in a train is this part of a round trip
)

// sample takes an ACK's measurement of the round trip: section 4.2.
func (h *hystart) sample(now instant, rtt time.Duration, una, nxt uint32) {
	if !h.started || !before(una, h.end) {
		if h.css {
			h.rounds++
		}
		h.started, h.end, h.trains, h.ack = true, nxt, 0, micros(now)
		h.last, h.current, h.samples = h.current, 0, 0
	}
	if rtt == 0 {
		return
	}
	if m := uint32(min(rtt/time.Microsecond, 1<<31)); h.current == 0 || m < h.current {
		h.current = m
	}
	h.samples = min(h.samples+1, hystartSamples)
	if h.samples < hystartSamples || h.last == 0 {
		return
	}
	thresh := max(uint32(hystartMinThresh), min(h.last/hystartDivisor, hystartMaxThresh))
	switch {
	case !h.css:
		if h.current >= h.last+thresh {
			h.css, h.rounds, h.baseline = true, 0, h.current
		}
	case h.current < h.baseline && !h.train:
		// The exit from slow start was spurious: resume.
		h.css, h.baseline = false, 0
	default:
		h.grows = h.grows || h.rounds > 0 && h.current >= h.baseline+thresh
	}
}

// busy takes an ACK while the window is in use, and begins Conservative Slow
// Start when ACKs have kept coming for half a round trip of this round.
func (h *hystart) busy(now instant, minRTT time.Duration) {
	at, rtt := micros(now), uint32(min(minRTT/time.Microsecond, 1<<31))
	if gap := at - h.ack; gap <= rtt/hystartTrainGap {
		h.trains += gap
	}
	h.ack = at
	if !h.css && rtt > 0 && h.trains > rtt/2 {
		h.css, h.train, h.rounds, h.baseline = true, true, 0, rtt
	}
}

func micros(t instant) uint32 { return uint32(t / instant(time.Microsecond)) }

// grow is how much of n bytes the window grows by, and whether slow start is
// over: section 4.2.
func (h *hystart) grow(n uint32) (grow uint32, done bool) {
	if !h.css {
		return n, false
	}
	return n / hystartCSSGrowth, h.grows || h.rounds >= hystartCSSRounds
}
