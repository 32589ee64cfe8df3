package tcp

// respond draws the conclusions from an ACK: what is lost, whether an episode of
// recovery begins or ends, and what the congestion window is now.
func (c *Conn) respond(a *ackEvent, advanced bool) {
	c.undo(a)
	c.detectLoss(a)
	r := &c.recovery
	again := false
	if !before(c.snd.una, r.point) {
		if r.phase != open {
			// What was lost of the data sent since is another episode.
			again = c.board.lostBytes > c.board.pendingBytes
			c.endRecovery()
		} else {
			r.undoable = false
		}
	}
	if (a.lost > 0 || again) && (r.phase == open || r.phase == reduced) {
		c.enterRecovery(a.wasFlight)
	}
	switch r.phase {
	case recovering:
		if advanced && !c.is(useSACK) {
			c.partialAck(a)
		}
		safe := advanced && a.lost == 0
		r.prr(&c.cc, a.d.bytes+c.assumed(a), c.flight(), safe)
	case reduced:
	default:
		// In slow start after a timeout, too. What is only sacked leaves a
		// hole, and does not count yet.
		if a.d.acked > 0 && !a.marked {
			c.cc.ack(a.t, a.d.bytes, a.wasFlight, &c.rtt, c.snd.una, c.snd.nxt)
		}
	}
}

// flight is the pipe of RFC 6675; without SACK, each duplicate ACK stands for a
// segment that has left the network.
func (c *Conn) flight() uint32 {
	f := c.board.flight(c.snd.una, c.snd.nxt)
	if c.state == SynReceived {
		f-- // the SYN is not data
	}
	if c.snd.dups > 0 {
		f -= min(uint32(c.snd.dups)*c.segmentSize(), f)
	}
	return f
}

// assumed is what a duplicate ACK without SACK says was delivered.
func (c *Conn) assumed(a *ackEvent) uint32 {
	if a.duplicates > 0 {
		return c.segmentSize()
	}
	return 0
}

// detectLoss is RACK with SACK, and counts duplicate ACKs without.
func (c *Conn) detectLoss(a *ackEvent) {
	if !c.is(useSACK) {
		// Three duplicate ACKs are the sign of a loss.
		// https://www.rfc-editor.org/rfc/rfc5681#section-3.2
		if a.duplicates == 3 && c.recovery.phase == open && len(c.board.q) > 0 && after(c.snd.una, c.snd.recover) {
			c.loseHead(a)
		}
		return
	}
	if c.board.sackedBytes == 0 && c.board.pendingBytes == 0 && c.board.lostBytes == 0 && !c.probe.resent {
		c.timers.stop(timerReorder)
		return
	}
	c.runRack(a)
}

// runRack marks losses and arms the reordering timer.
func (c *Conn) runRack(a *ackEvent) {
	recovering := c.recovery.phase == recovering || c.recovery.phase == timedOut
	window := c.rack.window(c.rtt.srtt, c.rtt.minimum(), recovering, c.board.sackedBytes/max(c.segmentSize(), 1))
	n, wait := c.rack.detect(a.t, &c.board, window)
	a.lost += n
	if wait > 0 {
		c.timers.set(timerReorder, a.t.add(wait))
	} else {
		c.timers.stop(timerReorder)
	}
}

// loseHead marks the first segment outstanding as lost.
func (c *Conn) loseHead(a *ackEvent) {
	if e := &c.board.q[0]; e.flags&(lost|again) != lost && e.flags&sacked == 0 {
		if e.len() > c.segmentSize() {
			c.board.splitAlways(0, e.start+c.segmentSize())
		}
		c.board.lose(0)
		a.lost += c.board.q[0].len()
	}
}

// partialAck: in NewReno recovery, an ACK that does not end it says that the next
// segment is lost, too.
//
// https://www.rfc-editor.org/rfc/rfc6582#section-3.2
func (c *Conn) partialAck(a *ackEvent) {
	if before(c.snd.una, c.recovery.point) && len(c.board.q) > 0 {
		c.loseHead(a)
	}
}

// enterRecovery begins fast recovery.
func (c *Conn) enterRecovery(flight uint32) {
	saved := c.cc.save()
	c.recovery.enter(recovering, c.snd.nxt, flight, saved)
	c.cc.loss(flight)
	c.snd.recover = c.snd.nxt
	c.probe.active = false
	c.timers.stop(timerProbe)
	c.set(owesCWR)
}

// endRecovery goes on with the window that the loss has left.
func (c *Conn) endRecovery() {
	if c.recovery.phase == recovering {
		c.cc.recovered(c.flight(), uint32(c.cfg.initialWindow())*c.cc.mss)
		c.rack.recovered()
	}
	// For one round trip more, a duplicate can tell that it was for nothing.
	c.recovery.phase, c.recovery.frto, c.recovery.point = open, frtoOff, c.snd.nxt
}

// undo takes back a response when the ACK shows that it was wrong: what was
// thought lost had only been late.
//
// https://www.rfc-editor.org/rfc/rfc4015
func (c *Conn) undo(a *ackEvent) {
	r := &c.recovery
	if !r.undoable {
		return
	}
	wrong := false
	switch {
	case a.dsack > 0 && r.duplicate(a.dsack):
		wrong = true
	case a.d.acked > 0 && a.d.repeated && a.hasTS && r.early(a.tsecr):
		wrong = true
	case r.frto != frtoOff && a.d.original && r.phase == timedOut:
		// F-RTO: data that was never sent again is acknowledged after a
		// timeout, so its round trip has merely grown long.
		// https://www.rfc-editor.org/rfc/rfc5682#section-3.1
		wrong = true
	}
	if a.d.acked > 0 && !wrong {
		// After the first ACK, new data is sent instead of old: (2b).
		if r.frto == frtoHead && before(c.snd.una, r.point) && c.unsent() > 0 {
			r.frto = frtoNew
		} else {
			r.frto = frtoOff
		}
	}
	if !wrong {
		return
	}
	c.cc.undo(*r.before)
	c.board.unlose()
	r.undoable, r.frto = false, frtoOff
	r.phase = open
	c.rtt.backoff = 0
	c.clear(owesCWR)
}

// answerProbe takes what an ACK tells of the tail loss probe.
func (c *Conn) answerProbe(a *ackEvent, ack uint32, windowChanged bool) {
	if !c.probe.active {
		return
	}
	pureDup := a.d.bytes == 0 && !windowChanged && ack == c.snd.una && a.dsack == 0
	if c.probe.answer(ack, a.dsack > 0, pureDup) && c.recovery.phase == open {
		// The probe repaired a loss: respond as fast recovery does.
		// https://www.rfc-editor.org/rfc/rfc8985#section-7.4.2
		c.cc.loss(a.wasFlight)
		c.cc.cwnd = c.cc.ssthresh
		c.set(owesCWR)
	}
	if !c.probe.active {
		c.probe.resent = false
	}
}
