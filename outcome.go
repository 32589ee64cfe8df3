package fastopen

import (
	"errors"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen/internal/sockopt"
	"github.com/fastopen-go/fastopen/tfo"
)

// dialed is what a dialed connection knows of how it began, and what it has
// told the cache of that.
type dialed struct {
	cache *tfo.Cache
	path  tfo.Path

	mu      sync.Mutex
	out     tfo.Outcome
	entry   tfo.Entry // what the cache said when the dial began
	asked   bool      // the first SYN spoke of Fast Open
	cookie  bool      // and a cookie was at hand
	begun   bool      // its SYN has left
	settled bool      // out will not get better, and the cache knows it
}

// sent notes what the first Write offered, what of that the policy allowed,
// and how much the SYN took.
func (d *dialed) sent(sent, wanted, allowed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun = true
	d.out.Sent, d.out.Wanted = sent, wanted
	switch {
	case sent > 0:
		d.out.Status = tfo.DataSent
	case wanted == 0:
		d.out.Cause = tfo.NoData
	case allowed == 0:
		d.out.Cause = tfo.Refused
	}
}

// overtaken notes that a plain attempt carries on; failure is what the one
// that spoke of Fast Open ended with, nil if it was only slow.
func (d *dialed) overtaken(failure error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle(tfo.FellBack, overtakenBy(failure))
}

// died notes that the connection never opened, so that its SYN is not said
// to be under way any more. The cache is not told: the plain attempts have
// failed as well, so it was not for Fast Open.
func (d *dialed) died(failure error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.out.Status == tfo.DataSent {
		d.settled = true
		d.out.Status, d.out.Cause = tfo.FellBack, overtakenBy(failure)
	}
}

// overtakenBy says why a connection fell back to another attempt.
func overtakenBy(failure error) tfo.Cause {
	switch {
	case failure == nil:
		return tfo.Overtaken
	case failure == errTimeout:
		return tfo.Lost
	case errors.Is(failure, sockopt.ConnRefused), errors.Is(failure, sockopt.ConnReset):
		return tfo.Reset
	case errors.Is(failure, sockopt.TimedOut):
		return tfo.Lost
	}
	return tfo.Unreachable
}

// note brings the outcome up to date with what is known of tc, and tells the
// cache when the SYN was answered.
func (d *dialed) note(tc *socket) tfo.Outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := tc.Handshake()
	if h.Stage == tfo.Closed {
		return d.out
	}
	d.out.RTT = h.Outcome.RTT
	switch {
	case !d.settled:
		d.judge(h)
	case d.asked && d.out.Status != tfo.FellBack && h.Outcome.Cause == tfo.BlackHole:
		// Some paths pass a SYN with Fast Open in it and swallow what follows.
		d.settle(tfo.FellBack, tfo.BlackHole)
	}
	return d.out
}

// judge settles the outcome if the handshake is done.
func (d *dialed) judge(h tfo.Handshake) {
	if h.Stage == tfo.Unanswered || !d.begun {
		return
	}
	switch out := h.Outcome; {
	case !d.asked, d.out.Sent == 0 && d.cookie:
		d.settle(d.out.Status, d.out.Cause) // what has kept the data out of the SYN
	case out == tfo.Outcome{Status: tfo.CookieRequested, RTT: out.RTT} && d.entry.Requests > 0:
		d.settle(tfo.CookieRequested, tfo.NotGranted)
	default:
		d.settle(out.Status, out.Cause)
	}
	if d.asked && h.Resent && (d.out.Sent == 0 || d.out.Cause == tfo.Untold) {
		// The SYN's option alone may be what the path swallows.
		d.cache.Failed(time.Now(), d.path, tfo.Lost)
	}
	if h.Outcome.RTT > 0 {
		d.cache.Learn(time.Now(), d.path, tfo.Lesson{RTT: h.Outcome.RTT})
	}
}

// settle fixes the outcome and tells the cache of it. d.mu is held.
func (d *dialed) settle(status tfo.Status, cause tfo.Cause) {
	d.settled = true
	d.out.Status, d.out.Cause = status, cause
	switch now := time.Now(); status {
	case tfo.DataAccepted:
		d.cache.Succeeded(now, d.path)
	case tfo.FellBack:
		d.cache.Failed(now, d.path, cause)
	case tfo.CookieRequested:
		d.cache.Requested(now, d.path)
	}
}
