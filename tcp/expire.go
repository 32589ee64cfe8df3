package tcp

import "time"

// expire does what is due at t.
func (c *Conn) expire(t instant) {
	if c.timers.due(t, timerHandshake) {
		c.handshakeExpired(t)
	}
	if c.timers.due(t, timerReorder) {
		c.reorderExpired(t)
	}
	if c.timers.due(t, timerProbe) && c.recovery.phase == open && c.snd.una != c.snd.nxt {
		// In place of a timeout that is due now: that comes after it.
		c.set(probeTail)
		c.armRetransmit(t)
	}
	if c.timers.due(t, timerRetransmit) {
		c.retransmitExpired(t)
	}
	if c.timers.due(t, timerPersist) {
		c.persistExpired(t)
	}
	if c.timers.due(t, timerAck) {
		c.due |= dueAck
	}
	if c.timers.due(t, timerKeepalive) {
		c.keepaliveExpired(t)
	}
	if c.timers.due(t, timerLinger) {
		c.become(t, Closed)
	}
}

// armRetransmit starts the retransmission timer anew. Before the handshake is
// complete only the SYN-ACK is sent again, so it does not run: requirement
// SRV-15.
func (c *Conn) armRetransmit(t instant) {
	if c.state == SynReceived || c.state == SynSent {
		return
	}
	d := c.rtt.timeout(c.cfg)
	if c.retries > 0 {
		d = c.withinUserTimeout(t, c.stalled, d)
	}
	c.timers.set(timerRetransmit, t.add(d))
	if c.stalled == 0 {
		c.stalled = t
	}
}

// armProbe schedules a tail loss probe where one may help.
//
// Not in recovery, and not when something is sacked: then loss detection has
// other means.
// https://www.rfc-editor.org/rfc/rfc8985#section-7.2
func (c *Conn) armProbe(t instant) {
	c.timers.stop(timerProbe)
	if !c.is(useSACK) || c.recovery.phase != open || c.board.sackedBytes != 0 || c.board.lostBytes != 0 ||
		c.probe.active || c.snd.una == c.snd.nxt || c.state == SynReceived || c.state == SynSent {
		return
	}
	at := t.add(c.probe.timeout(c.rtt.srtt, c.snd.nxt-c.snd.una, c.segmentSize()))
	c.timers.set(timerProbe, min(at, c.timers[timerRetransmit]))
}

// reorderExpired: enough time has passed for what was late to be lost.
func (c *Conn) reorderExpired(t instant) {
	if c.snd.una == c.snd.nxt {
		return
	}
	a := ackEvent{t: t, wasFlight: c.board.flight(c.snd.una, c.snd.nxt)}
	c.runRack(&a)
	if a.lost > 0 && (c.recovery.phase == open || c.recovery.phase == reduced) {
		c.enterRecovery(a.wasFlight)
	}
	if c.recovery.phase == recovering {
		c.recovery.prr(&c.cc, 0, c.flight(), false)
	}
}

// retransmitExpired is the retransmission timeout.
//
// "(5.4) Retransmit the earliest segment that has not been acknowledged [...].
// (5.5) The host MUST set RTO <- RTO * 2 [...]. (5.6) Start the retransmission
// timer"
// https://www.rfc-editor.org/rfc/rfc6298#section-5
func (c *Conn) retransmitExpired(t instant) {
	if c.snd.una == c.snd.nxt {
		return
	}
	c.retries++
	if c.gaveUp(t, int(c.retries)) {
		return
	}
	if c.retries == blackHoleTimeouts {
		c.suspectBlackHole(c.time(t))
	}
	c.suspectMTU(t)
	flight := c.board.flight(c.snd.una, c.snd.nxt)
	// A window whose retransmissions are lost is answered only once.
	first := c.recovery.phase != timedOut || !before(c.snd.una, c.recovery.point)
	saved := c.cc.save()
	// A sacked head means that the receiver has thrown away what it had.
	reneged := len(c.board.q) > 0 && c.board.q[0].flags&sacked != 0
	c.board.loseAll(reneged)
	c.cc.timeout(flight, first)
	if first {
		c.recovery.enter(timedOut, c.snd.nxt, flight, saved)
		c.recovery.frto = frtoHead
	} else {
		c.recovery.frto = frtoOff
	}
	c.recovery.force = true
	c.snd.recover, c.snd.dups = c.snd.nxt, 0
	c.probe.active, c.probe.resent = false, false
	c.timers.stop(timerProbe, timerReorder)
	c.rtt.backoff = min(c.rtt.backoff+1, 30)
	c.armRetransmit(t)
}

// maxTries is how many tries are counted: what counts them has eight bits.
const maxTries = 254

// gaveUp ends a connection that has sent the same thing tries times without an
// answer.
//
// R2 should be at least 100 seconds: 15 doublings take longer.
// https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
func (c *Conn) gaveUp(t instant, tries int) bool {
	limit := c.cfg.retries()
	if c.is(closedByUser) {
		limit = min(limit, c.cfg.orphanRetries())
	}
	over := tries > limit
	if c.userLimit > 0 {
		// The user timeout takes the place of R2.
		over = c.stalled != 0 && t.sub(c.stalled) >= c.userLimit
	}
	if !over {
		return false
	}
	c.suspectBlackHole(c.time(t))
	err := error(ErrTimeout)
	if c.pmtu.soft != 0 {
		err = Unreachable{c.pmtu.soft}
	}
	c.fail(t, err)
	return true
}

// withinUserTimeout is d or, if that is sooner, what is left of the user timeout that
// runs since then: so that it is found out in time that it is over.
func (c *Conn) withinUserTimeout(t, since instant, d time.Duration) time.Duration {
	if c.userLimit <= 0 || since == 0 {
		return d
	}
	return min(d, max(c.userLimit-t.sub(since), time.Millisecond))
}

// persistExpired probes a window that stays shut.
//
// "As long as the receiving TCP peer continues to send acknowledgments in response
// to the probe segments, the sending TCP peer MUST allow the connection to stay
// open (MUST-37). [...] The transmitting host SHOULD send the first zero-window
// probe when a zero window has existed for the retransmission timeout period
// (SHLD-29) (Section 3.8.1), and SHOULD increase exponentially the interval
// between successive probes (SHLD-30)."
// https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
//
// One that nobody owns any more is given up all the same, when the interval can grow no
// more and probes have met a shut window as often as data would be sent again: as in
// Linux. Or else peers could fill a host with what they never take (RFC 6429).
func (c *Conn) persistExpired(t instant) {
	if c.snd.una != c.snd.nxt || c.unsent() == 0 {
		return
	}
	if c.stalled == 0 {
		c.stalled = t
	}
	if c.snd.wnd > 0 {
		c.set(overrideSilly)
		return
	}
	c.probes++
	tries := int(c.probes)
	if c.is(closedByUser) && c.rtt.timeout(c.cfg) == c.cfg.maxRTO() {
		tries = max(tries, int(c.rtt.backoff)+1)
	}
	if c.gaveUp(t, tries) {
		return
	}
	c.set(probeZero)
	c.rtt.backoff = min(c.rtt.backoff+1, 30)
	c.timers.set(timerPersist, t.add(c.withinUserTimeout(t, c.stalled, c.rtt.timeout(c.cfg))))
}
