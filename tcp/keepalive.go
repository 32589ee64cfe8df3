package tcp

import "time"

// SetKeepalive switches keepalive probes. They are off at first.
//
// Off by default (MUST-25), after two hours by default at the least (MUST-28).
// https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
func (c *Conn) SetKeepalive(now time.Time, on bool) {
	c.clear(keepaliveOn)
	c.timers.stop(timerKeepalive)
	if on {
		c.set(keepaliveOn)
	}
	if on && c.is(confirmed) && c.state != Closed && c.state != TimeWait {
		c.keepaliveHeard(c.clock(now))
	}
}

// SetKeepaliveConfig changes when probes are sent.
func (c *Conn) SetKeepaliveConfig(now time.Time, k Keepalive) {
	c.needs().keepalive = &k
	c.SetKeepalive(now, c.is(keepaliveOn))
}

// KeepaliveConfig is when probes are sent.
func (c *Conn) KeepaliveConfig() Keepalive { return *c.asking() }

// keepaliveHeard notes a sign of life.
func (c *Conn) keepaliveHeard(t instant) {
	c.probes = 0
	if c.is(keepaliveOn) {
		c.timers.set(timerKeepalive, t.add(or(c.asking().Idle, 2*time.Hour)))
	}
}

// keepaliveExpired sends a probe, or gives up. As long as something is out, its
// retransmissions do the asking.
func (c *Conn) keepaliveExpired(t instant) {
	interval := or(c.asking().Interval, 75*time.Second)
	if !c.is(keepaliveOn) || c.state < Established || c.state == TimeWait {
		return
	}
	if c.snd.una == c.snd.nxt && c.timers[timerPersist] == 0 {
		if c.unanswered(interval) {
			c.fail(t, ErrTimeout)
			c.due |= dueReset
			return
		}
		c.probes = min(c.probes+1, maxTries)
		c.set(probeKeep)
	}
	c.timers.set(timerKeepalive, t.add(interval))
}

// unanswered reports whether enough probes were sent in vain: so many or, where there
// is a user timeout, one at least in all of that time, as in Linux.
func (c *Conn) unanswered(interval time.Duration) bool {
	if c.userLimit <= 0 {
		return int(c.probes) >= min(or(c.asking().Count, 9), maxTries)
	}
	silence := or(c.asking().Idle, 2*time.Hour) + time.Duration(c.probes)*interval
	return c.probes > 0 && silence >= c.userLimit
}

// asking is when to ask: as configured for all, or for this connection.
func (c *Conn) asking() *Keepalive {
	if c.seldom != nil && c.seldom.keepalive != nil {
		return c.seldom.keepalive
	}
	return &c.cfg.Keepalive
}
