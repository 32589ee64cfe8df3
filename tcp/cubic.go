package tcp

import (
	"math"
	"time"
)

// cubic is the state of CUBIC, in segments and seconds as the RFC has it.
//
// https://www.rfc-editor.org/rfc/rfc9438
type cubic struct {
	epoch instant // start of the current congestion avoidance stage; 0 none
	wMax  float32 // W_max
	prior float32 // cwnd_prior; 0 until something was lost
	wEst  float32 // W_est
	start float32 // cwnd_epoch
	k     float32 // K
	part  float32 // fraction of a byte that cwnd has yet to grow
}

const (
	cubicBeta = 0.7
	cubicC    = 0.4
	// Slow start that ended before anything was lost has found no W_max, and
	// the cubic curve from there takes seconds to find one. So the window
	// grows by a twentieth a round trip at least until the first loss, which
	// the RFC does not say: as in Linux (bictcp_update, tcp_cubic.c).
	cubicBlind = 1.0 / 20
	// α_cubic = 3 * (1 - β) / (1 + β): section 4.3.
	cubicAlpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
)

// loss returns the new ssthresh: sections 4.6 and 4.7.
func (u *cubic) loss(cwnd, mss uint32) uint32 {
	w := float32(cwnd) / float32(mss)
	if w < u.wMax {
		// Fast convergence: give way to new flows.
		u.wMax = w * (1 + cubicBeta) / 2
	} else {
		u.wMax = w
	}
	u.prior = w
	u.epoch = 0
	return uint32(float64(cwnd) * cubicBeta)
}

// reset is for a timeout: the stage that follows starts with K = 0 and W_max
// the window it starts with: section 4.8.
func (u *cubic) reset() { u.epoch, u.wMax = 0, 0 }

// idle moves the epoch on, so that time in which nothing was sent does not
// count: section 5.8.
func (u *cubic) idle(d time.Duration) {
	if u.epoch != 0 && d > 0 {
		u.epoch = u.epoch.add(d)
	}
}

// ack grows c's window for n bytes in congestion avoidance: sections 4.2 to 4.5.
func (u *cubic) ack(now instant, c *congestion, n uint32, r *rtt) {
	w := float32(c.cwnd) / float32(c.mss)
	if u.epoch == 0 {
		u.epoch = now
		u.start, u.wEst = w, w
		if w < u.wMax {
			u.k = float32(math.Cbrt(float64((u.wMax - w) / cubicC)))
		} else {
			u.k, u.wMax = 0, w
		}
	}
	segments := float32(n) / float32(c.mss)
	alpha := float32(cubicAlpha)
	if u.wEst >= u.prior {
		alpha = 1
	}
	u.wEst += float32(alpha * float32(segments/w))
	t := float32(now.sub(u.epoch).Seconds())
	if u.at(t) < u.wEst && u.prior != 0 {
		u.grow(c, u.wEst-w)
		return
	}
	target := u.at(t + float32(r.srtt.Seconds()))
	target = max(w, min(target, 1.5*w))
	growth := float32((target - w) / w)
	if u.prior == 0 {
		growth = max(growth, cubicBlind)
	}
	u.grow(c, growth*segments)
}

// at is W_cubic(t).
func (u *cubic) at(t float32) float32 {
	d := t - u.k
	return float32(cubicC*float32(d*float32(d*d))) + u.wMax
}

// grow adds segments, keeping the fraction of a byte for later.
func (u *cubic) grow(c *congestion, segments float32) {
	bytes := float32(segments*float32(c.mss)) + u.part
	if bytes < 0 {
		return
	}
	whole := min(uint32(bytes), c.cwnd/2)
	u.part = min(bytes-float32(uint32(bytes)), 1)
	c.cwnd = min(c.cwnd+whole, 1<<30)
}
