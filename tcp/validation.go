package tcp

import "time"

// validation keeps the window from growing on the word of an application that
// does not use it: a window is valid when more than half of it was needed
// lately.
//
// https://www.rfc-editor.org/rfc/rfc7661
type validation struct {
	pipe   [3]uint32 // pipeACK samples of the last rounds, newest first
	acked  uint32    // bytes acknowledged in this round
	since  instant   // when this round began
	needed instant   // when the window was last valid; 0 never yet
	rounds uint8
}

// nonValidatedPeriod is how long a window that is not used is kept: section 4.4.
const nonValidatedPeriod = 5 * time.Minute

// ack counts n bytes; a round is one smoothed round trip.
func (v *validation) ack(now instant, n uint32, srtt time.Duration) {
	if v.since == 0 {
		v.since = now
	}
	v.acked += n
	if now.sub(v.since) < srtt {
		return
	}
	v.pipe[2], v.pipe[1], v.pipe[0] = v.pipe[1], v.pipe[0], v.acked
	v.acked, v.since = 0, now
	v.rounds = min(v.rounds+1, 3)
}

// valid reports whether pipeACK > cwnd/2. As long as there is no full sample
// pipeACK is undefined, and the window valid: section 4.2.
func (v *validation) valid(cwnd uint32) bool {
	return v.rounds == 0 || v.used() >= cwnd/2
}

func (v *validation) used() uint32 {
	return max(v.pipe[0], v.pipe[1], v.pipe[2], v.acked)
}

// onLoss is the window from which a loss is to be answered: what was really
// used, when the window had not been validated: section 4.4.1.
func (v *validation) onLoss(cwnd, flight uint32) uint32 {
	if v.valid(cwnd) {
		return cwnd
	}
	return max(v.used(), flight)
}

// sending is called before data is sent, and returns the window to go on with:
// one that was not needed for five minutes is halved, down to the initial
// window: section 4.4.3.
func (v *validation) sending(now instant, c *congestion, initial uint32) {
	if v.needed == 0 || v.valid(c.cwnd) {
		v.needed = now
		return
	}
	if now.sub(v.needed) > nonValidatedPeriod {
		v.needed = now
		c.ssthresh = max(c.ssthresh, c.cwnd/4*3)
		c.cwnd = max(c.cwnd/2, min(initial, c.cwnd))
	}
}
