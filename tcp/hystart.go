package tcp

import "time"

// hystart ends the first slow start when round trips grow longer, before the
// queue on the path overflows: HyStart++.
//
// https://www.rfc-editor.org/rfc/rfc9406
type hystart struct {
	end      uint32 // windowEnd
	started  bool
	css      bool  // Conservative Slow Start
	rounds   uint8 // rounds spent in it
	samples  uint8
	last     uint32 // lastRoundMinRTT in microseconds; 0 is infinity
	current  uint32 // currentRoundMinRTT
	baseline uint32 // cssBaselineMinRtt
}

const (
	hystartSamples   = 8      // N_RTT_SAMPLE
	hystartMinThresh = 4_000  // MIN_RTT_THRESH
	hystartMaxThresh = 16_000 // MAX_RTT_THRESH
	hystartDivisor   = 8      // MIN_RTT_DIVISOR
	hystartCSSGrowth = 4      // CSS_GROWTH_DIVISOR
	hystartCSSRounds = 5      // CSS_ROUNDS
)

// sample takes an ACK's measurement of the round trip: section 4.2.
func (h *hystart) sample(rtt time.Duration, una, nxt uint32) {
	if !h.started || !before(una, h.end) {
		if h.css {
			h.rounds++
		}
		h.started, h.end = true, nxt
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
	if !h.css {
		thresh := max(uint32(hystartMinThresh), min(h.last/hystartDivisor, hystartMaxThresh))
		if h.current >= h.last+thresh {
			h.css, h.rounds, h.baseline = true, 0, h.current
		}
	} else if h.current < h.baseline {
		// The exit from slow start was spurious: resume.
		h.css, h.baseline = false, 0
	}
}

// grow is how much of n bytes the window grows by, and whether slow start is
// over: section 4.3.
func (h *hystart) grow(n uint32) (grow uint32, done bool) {
	if !h.css {
		return n, false
	}
	return n / hystartCSSGrowth, h.rounds >= hystartCSSRounds
}
