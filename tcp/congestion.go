package tcp

import "time"

// congestion decides how much may be in flight. It has no knowledge of
// segments, only of bytes delivered and of losses that others detected.
type congestion struct {
	cwnd, ssthresh uint32 // bytes
	mss            uint32
	algorithm      Algorithm
	acked          uint32 // bytes acknowledged since cwnd last grew: RFC 5681, RFC 3465
	cubic          cubic
	hystart        hystart
	validation     validation
}

const infinite = 1<<31 - 1

// start sets the initial window.
//
// "min (10*MSS, max (2*MSS, 14600))", with the configured number in place of 10.
// https://www.rfc-editor.org/rfc/rfc6928#section-2
func (c *congestion) start(a Algorithm, mss uint32, segments int) {
	n := uint32(max(segments, 1))
	*c = congestion{
		algorithm: a, mss: mss, ssthresh: infinite,
		cwnd: min(n*mss, max(2*mss, n*1460)),
	}
}

// setMSS keeps the window's size in segments where the path's became smaller.
func (c *congestion) setMSS(mss uint32) {
	if c.mss != 0 && mss < c.mss {
		c.cwnd = max(uint32(uint64(c.cwnd)*uint64(mss)/uint64(c.mss)), mss)
	}
	c.mss = mss
}

// ack grows the window for n bytes delivered outside recovery. flight is how much
// was in the network before.
func (c *congestion) ack(now instant, n, flight uint32, r *rtt, una, nxt uint32) {
	c.validation.ack(now, n, r.srtt)
	slow := c.cwnd < c.ssthresh
	if slow && c.ssthresh == infinite {
		c.hystart.sample(now, r.latest, una, nxt)
		if flight >= c.cwnd/2 {
			c.hystart.busy(now, r.minimum())
		}
	}
	if flight < c.cwnd/2 && !c.validation.valid(c.cwnd) {
		// In the non-validated phase the window does not grow: section 4.4.
		// https://www.rfc-editor.org/rfc/rfc7661#section-4.4
		return
	}
	if slow {
		// Appropriate byte counting, with L = 8 as RFC 9406 section 4.3
		// recommends for senders that do not pace.
		grow := min(n, 8*c.mss)
		grow, done := c.hystart.grow(grow)
		c.cwnd += grow
		if done {
			c.ssthresh = c.cwnd
		}
		return
	}
	if c.algorithm == Cubic {
		c.cubic.ack(now, c, n, r)
		return
	}
	// One segment for each window of data acknowledged, by counting bytes.
	// https://www.rfc-editor.org/rfc/rfc5681#section-3.1
	c.acked += n
	if c.acked >= c.cwnd {
		c.acked -= c.cwnd
		c.cwnd += c.mss
	}
}

// loss responds to the first sign of congestion in a window of data by setting
// ssthresh. What cwnd becomes is for the recovery in progress to say.
func (c *congestion) loss(flight uint32) {
	at := c.validation.onLoss(c.cwnd, flight)
	if c.algorithm == Cubic {
		c.ssthresh = max(c.cubic.loss(at, c.mss), 2*c.mss)
	} else {
		// ssthresh = max (FlightSize / 2, 2*SMSS)
		c.ssthresh = max(min(flight, at)/2, 2*c.mss)
	}
	c.acked = 0
}

// timeout responds to a retransmission timeout. Only the first of a row
// reduces ssthresh.
//
// https://www.rfc-editor.org/rfc/rfc5681#section-3.1
func (c *congestion) timeout(flight uint32, first bool) {
	if first {
		c.loss(flight)
	}
	c.cwnd = c.mss
	c.cubic.reset()
}

// recovered sets the window at the end of fast recovery. When less is in flight
// than it would allow (the peer's window was the limit, say), it does not allow
// a burst of the difference: slow start makes up for it.
//
// The first of the choices for a full acknowledgment, with a larger burst:
// min (ssthresh, max(FlightSize, SMSS) + SMSS).
// https://www.rfc-editor.org/rfc/rfc6582#section-3.2
func (c *congestion) recovered(flight, burst uint32) {
	c.cwnd = max(min(c.ssthresh, flight+burst), c.mss)
}

// idle is called when data is sent after nothing was for d.
func (c *congestion) idle(now instant, d time.Duration) { c.cubic.idle(d) }

// undo restores what was before a response that turned out to be wrong.
func (c *congestion) undo(s saved) {
	c.cwnd = max(c.cwnd, s.cwnd)
	c.ssthresh = s.ssthresh
	c.cubic = s.cubic
}

// saved is what undo needs.
type saved struct {
	cwnd, ssthresh uint32
	cubic          cubic
}

func (c *congestion) save() saved { return saved{c.cwnd, c.ssthresh, c.cubic} }
