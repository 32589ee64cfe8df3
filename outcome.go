package fastopen

import (
	"errors"
	"net"
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
	settled bool      // out will not get better, and the cache knows it
}

// sent notes what the first Write offered, what of that the policy allowed,
// and how much the SYN took.
func (d *dialed) sent(sent, wanted, allowed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
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

// note brings the outcome up to date with what the kernel knows of tc, and
// tells the cache when the SYN was answered.
func (d *dialed) note(tc *net.TCPConn) tfo.Outcome {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := inspect(tc)
	if err != nil {
		return d.out
	}
	d.out.RTT = info.RTT
	switch {
	case !d.settled:
		d.judge(info)
	case d.blackHole(info):
		d.settle(tfo.FellBack, tfo.BlackHole)
	}
	return d.out
}

// judge settles the outcome if the handshake is done.
func (d *dialed) judge(info sockopt.Info) {
	if info.State == sockopt.SynSent || info.State == sockopt.Dead && !info.Answered {
		return
	}
	switch status := d.out.Status; {
	case !d.asked:
		d.settle(status, d.out.Cause)
	case info.Failure == sockopt.Untold:
		d.settle(status, tfo.Untold)
	case d.out.Sent > 0 && info.SynData:
		d.settle(tfo.DataAccepted, tfo.NoCause)
	case d.out.Sent > 0 && info.Failure == sockopt.SynRetransmits:
		d.settle(tfo.FellBack, tfo.Lost)
	case d.out.Sent > 0:
		d.settle(tfo.FellBack, tfo.Unacknowledged)
	case d.cookie:
		d.settle(status, d.out.Cause)
	case info.Failure == sockopt.NoFailure:
		d.settle(tfo.Off, tfo.Paused)
	case info.Failure == sockopt.NoRoom:
		d.settle(tfo.Off, tfo.NoRoom)
	case d.entry.Requests > 0:
		d.settle(tfo.CookieRequested, tfo.NotGranted)
	default:
		d.settle(tfo.CookieRequested, tfo.NoCause)
	}
	if d.asked && info.Retrans > 0 && (d.out.Sent == 0 || info.Failure == sockopt.Untold) {
		// The SYN's option alone may be what the path swallows.
		d.cache.Failed(time.Now(), d.path, tfo.Lost)
	}
	if info.RTT > 0 {
		d.cache.Learn(time.Now(), d.path, tfo.Lesson{RTT: info.RTT})
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

// blackHole says that a connection that began with data in its SYN has had
// nothing but silence since: some paths pass such a SYN and swallow what
// follows it.
func (d *dialed) blackHole(info sockopt.Info) bool {
	return d.out.Status == tfo.DataAccepted && info.Received == 0 && info.Backoff >= 3
}
