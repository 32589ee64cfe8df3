package tcp

import "time"

// rtt estimates the round-trip time and from it the retransmission timeout.
//
// https://www.rfc-editor.org/rfc/rfc6298
type rtt struct {
	srtt, rttvar time.Duration // zero: nothing known yet
	latest       time.Duration
	min          [2]time.Duration // of this window and of the one before
	minSince     instant
	backoff      uint8 // times the timeout was doubled: (5.5)
	guessed      bool  // srtt is not measured: see seed
}

// minWindow is how long a minimum counts, so that a path that became longer is
// noticed: Linux's tcp_min_rtt_wlen.
const minWindow = 300 * time.Second

// sample takes a measurement of a segment that was sent once (Karn).
func (r *rtt) sample(now instant, m time.Duration) {
	m = max(m, time.Microsecond)
	r.latest = m
	if r.srtt == 0 || r.guessed {
		// (2.2) When the first RTT measurement R is made:
		// SRTT <- R, RTTVAR <- R/2
		r.srtt, r.rttvar, r.guessed = m, m/2, false
	} else {
		// (2.3) RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|
		//       SRTT <- (1 - alpha) * SRTT + alpha * R'
		d := r.srtt - m
		if d < 0 {
			d = -d
		}
		r.rttvar += (d - r.rttvar) / 4
		r.srtt += (m - r.srtt) / 8
	}
	r.backoff = 0
	if r.minSince == 0 || now.sub(r.minSince) > minWindow/2 {
		r.min[1], r.min[0], r.minSince = r.min[0], m, now
	}
	r.min[0] = min(r.min[0], m)
}

// seed starts the estimate from what an earlier connection measured, or from a
// guess. The first measurement takes its place.
//
// https://www.rfc-editor.org/rfc/rfc9040#section-5
func (r *rtt) seed(m time.Duration) { r.srtt, r.rttvar, r.guessed = m, m/2, true }

// measured is the smoothed round-trip time of this connection, 0 when unknown.
func (r *rtt) measured() time.Duration {
	if r.guessed {
		return 0
	}
	return r.srtt
}

// minimum is the smallest round trip of the last minutes, 0 when unknown.
func (r *rtt) minimum() time.Duration {
	if r.min[1] != 0 {
		return min(r.min[0], r.min[1])
	}
	return r.min[0]
}

// timeout is the RTO with its backoff.
//
// (2.1) before a measurement, the initial value; (2.3) SRTT + max(G, 4*RTTVAR).
// The variance's share is kept at least at the minimum timeout, as in Linux:
// a peer may delay its ACK by that much on a path that never varies. (2.4)
// wants one second at least, which is far beyond what every stack in use does.
func (r *rtt) timeout(c *Config) time.Duration {
	d := c.initialRTO()
	if r.srtt != 0 {
		d = r.srtt + max(c.minRTO(), 4*r.rttvar)
	}
	return min(d<<min(r.backoff, 20), c.maxRTO())
}
