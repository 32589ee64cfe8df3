package tfo

import "time"

// How long Fast Open is avoided on a path that failed: at first, and at most.
const (
	firstPause = 15 * time.Minute
	maxPause   = 24 * time.Hour
)

type failingPath struct {
	destination
	port uint16
}

type failure struct {
	Avoid
	pause time.Duration // the last one, 0 if none
}

// Failed remembers that Fast Open failed on p, and may begin a pause, in which
// [Avoid.Active] is true.
//
// "The client MUST cache negative responses from the server [...] For any
// negative responses, the client SHOULD disable Fast Open on the specific path
// [...] at least temporarily."
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3.1 (erratum 5373 says what
// makes a path)
//
// What counts:
//
//   - Lost, Reset, Unreachable, BlackHole and Overtaken begin a pause at once.
//   - Unacknowledged and Partial begin one when the failure before, with no
//     success between, was any of these seven. A single one is what happens
//     whenever a server changes its keys, and brings the new cookie.
//   - All other causes say nothing about the path and change nothing.
//
// The first pause takes 15 minutes, and each after it twice as long as the one
// before, up to 24 hours, until [Cache.Succeeded] or [Cache.Forget]. After a
// pause the path is on probation: the next failure, of whatever kind, begins the
// next pause.
//
// Connections that were under way together fail together, and that counts once:
// failures during a pause change nothing, nor does an Unacknowledged or Partial
// that comes less than half a known round-trip time after another, since no
// connection begun in the knowledge of the first could have failed by then.
func (c *Cache) Failed(now time.Time, p Path, why Cause) {
	atOnce := false
	switch why {
	case Lost, Reset, Unreachable, BlackHole, Overtaken:
		atOnce = true
	case Unacknowledged, Partial:
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.failureOf(now, p)
	if f.Active(now) {
		return
	}
	if !atOnce && f.Times > 0 && now.Sub(f.Since) < c.roundTrip(p)/2 {
		return
	}
	f.Cause, f.Since, f.Until = why, now, time.Time{}
	f.Times++
	if atOnce || f.Times > 1 {
		f.pause = min(max(2*f.pause, firstPause), maxPause)
		f.Until = now.Add(f.pause)
	}
}

// Succeeded remembers that the server accepted data in a SYN on p: what failed
// before is forgotten, and so are requests that brought no cookie.
func (c *Cache) Succeeded(now time.Time, p Path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.known.get(p.destination()); n != nil {
		n.value.requests = 0
	}
	if n := c.failures.get(p.failing()); n != nil {
		c.failures.remove(n)
	}
}

func (p Path) failing() failingPath {
	return failingPath{p.destination(), p.Remote.Port()}
}

// failureOf returns the memory of failures on p, to be added to.
func (c *Cache) failureOf(now time.Time, p Path) *failure {
	k := p.failing()
	if n := c.failures.get(k); n != nil {
		return &n.value
	}
	if len(c.failures.m) >= c.capacity() {
		c.failures.remove(c.leastMissed(now))
	}
	return &c.failures.add(k).value
}

// leastMissed returns a failure to forget. A pause that is still on is worth
// more than one that is over, so of the few that were not used for longest it
// takes the first whose pause is over, if there is one.
func (c *Cache) leastMissed(now time.Time) *node[failingPath, failure] {
	const few = 8
	oldest := c.failures.oldest()
	for n, i := oldest, 0; n != nil && i < few; n, i = c.failures.newer(n), i+1 {
		if !n.value.Active(now) {
			return n
		}
	}
	return oldest
}

// roundTrip returns the round-trip time known for p, 0 if none is. To ask does
// not count as a use.
func (c *Cache) roundTrip(p Path) time.Duration {
	if n := c.known.m[p.destination()]; n != nil {
		return n.value.rtt
	}
	return 0
}
