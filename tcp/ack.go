package tcp

import (
	"github.com/fastopen-go/fastopen/wire"
)

// receiveAck is the fifth check. It reports whether the segment's text is to be
// looked at.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4-2.5.1
func (c *Conn) receiveAck(t instant, s *wire.Segment) bool {
	if c.state == SynReceived && !c.confirmHandshake(t, s) {
		return false
	}
	// "The ACK value is considered acceptable only if it is in the range of
	// ((SND.UNA - MAX.SND.WND) <= SEG.ACK <= SND.NXT). All incoming segments
	// whose ACK value doesn't satisfy the above condition MUST be discarded
	// and an ACK sent back."
	// https://www.rfc-editor.org/rfc/rfc5961#section-5.2
	if after(s.Ack, c.snd.nxt) || before(s.Ack, c.snd.una-c.snd.maxWnd) {
		c.challenge(t)
		return false
	}
	c.keepaliveHeard(t)
	if before(s.Ack, c.snd.una) {
		// An old ACK. Its text may be new, and its SACK blocks are.
		if c.is(useSACK) && s.Options.SACKs > 0 {
			c.acknowledge(t, s, c.snd.una, false)
		}
		return true
	}
	update := c.updateWindow(s)
	c.acknowledge(t, s, s.Ack, update)
	c.advanceClose(t)
	return c.state != Closed
}

// confirmHandshake takes the ACK that completes the handshake in SYN-RECEIVED.
//
// "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state [...]. If the
// segment acknowledgment is not acceptable, form a reset segment
// <SEQ=SEG.ACK><CTL=RST> [...] and send it."
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
func (c *Conn) confirmHandshake(t instant, s *wire.Segment) bool {
	if !between(s.Ack, c.snd.iss+1, c.snd.nxt) {
		c.bareReset(s.Ack)
		return false
	}
	if c.staleEcho(t, s) {
		c.challenge(t)
		return false
	}
	if c.listener != nil && !c.listener.confirm(c) {
		return false
	}
	// A client that had no SYN-ACK yet has dropped what was sent early.
	unheard := !c.is(passive) || c.tries > 1 && s.Ack == c.snd.iss+1
	c.sampleHandshake(t, s)
	c.snd.una = c.snd.iss + 1
	c.snd.wl1, c.snd.wl2 = s.Seq-1, s.Ack // so that the window is taken
	c.handshakeDone(t)
	c.endDial()
	if c.is(finSent) {
		c.become(t, FinWait1)
	} else {
		c.become(t, Established)
	}
	if c.snd.nxt != c.snd.una {
		// What was sent before the handshake was complete was not timed.
		if unheard {
			c.board.loseAll(false)
		}
		c.armRetransmit(t)
	}
	return true
}

// staleEcho reports whether an ACK in the handshake echoes a timestamp that this
// connection has not sent: it is an answer to another with the same addresses.
//
// When a duplicate of a SYN has made the connection, and the client is in
// TIME-WAIT, it answers whatever we send by an ACK of the old connection, whose
// number may lie in our window if that sent faster than the clock of initial
// sequence numbers goes. Confirmation says that the SYN was no duplicate, so such
// an ACK must not give it. Linux does the same since 6.15 (TcpExtTSEcrRejected),
// and passes over zero and SYN cookies, too.
func (c *Conn) staleEcho(t instant, s *wire.Segment) bool {
	echo := s.Options.TSEcr
	return c.tries > 0 && c.is(useTimestamps) && s.Options.Timestamps && echo != 0 && !between(echo, c.snd.tsBase, c.tsval(t))
}

// updateWindow takes the peer's window.
//
// "If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)), set
// SND.WND <- SEG.WND, set SND.WL1 <- SEG.SEQ, and set SND.WL2 <- SEG.ACK."
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
func (c *Conn) updateWindow(s *wire.Segment) (changed bool) {
	if !before(c.snd.wl1, s.Seq) && !(c.snd.wl1 == s.Seq && !after(c.snd.wl2, s.Ack)) {
		return false
	}
	wnd := uint32(s.Window) << c.snd.scale
	changed = wnd != c.snd.wnd
	c.snd.wnd, c.snd.wl1, c.snd.wl2 = wnd, s.Seq, s.Ack
	c.snd.maxWnd = max(c.snd.maxWnd, wnd)
	if wnd > 0 {
		c.probes = 0
		if c.timers[timerPersist] != 0 {
			c.timers.stop(timerPersist)
			c.rtt.backoff, c.stalled = 0, 0
		}
	}
	return changed
}

// acknowledge takes what the segment tells of data that was sent, and lets loss
// detection and congestion control draw their conclusions.
func (c *Conn) acknowledge(t instant, s *wire.Segment, ack uint32, windowChanged bool) {
	if c.snd.una == c.snd.nxt {
		return
	}
	a := ackEvent{t: t, tsecr: s.Options.TSEcr, hasTS: c.is(useTimestamps) && s.Options.Timestamps}
	a.marked = c.is(useECN) && s.Flags.Has(wire.ECE)
	a.wasFlight = c.board.flight(c.snd.una, c.snd.nxt)
	oldHigh := c.board.high
	seen := func(e *sent) {
		spurious := a.hasTS && e.flags&resent != 0 && before(a.tsecr, c.tsval(e.at))
		c.rack.update(t, e, c.rtt.minimum(), spurious)
		if e.len() > uint32(blackHoleMSS[0]) && c.snd.mss > blackHoleMSS[0] {
			c.set(largeThrough)
		}
	}
	if c.is(useSACK) {
		c.takeSACK(&a, s, ack, seen)
	}
	advanced := after(ack, c.snd.una)
	if advanced {
		c.board.ack(ack, &a.d, seen)
		c.release(ack)
	}
	if a.d.hasOld && before(a.d.oldest, oldHigh) {
		c.rack.reordering()
	}
	c.delivered += c.segments(a.d.bytes)
	c.sampleRTT(&a)
	if !c.is(useSACK) {
		a.duplicates = c.countDuplicates(s, advanced, windowChanged)
	}
	if advanced {
		c.snd.una = ack
		c.retries = 0
		c.rtt.backoff = 0
		c.events |= EventWritable
		c.stalled = 0
	}
	c.answerProbe(&a, ack, windowChanged)
	c.respond(&a, advanced)
	if c.snd.una == c.snd.nxt {
		c.timers.stop(timerRetransmit, timerProbe, timerReorder)
	} else if advanced || a.d.bytes > 0 {
		// "(5.3) When an ACK is received that acknowledges new data,
		// restart the retransmission timer"
		// https://www.rfc-editor.org/rfc/rfc6298#section-5
		c.armRetransmit(t)
		c.armProbe(t)
	}
}

// ackEvent is what one ACK told.
type ackEvent struct {
	t          instant
	d          delivered
	wasFlight  uint32
	tsecr      uint32
	hasTS      bool
	dsack      uint32 // bytes reported as duplicate
	lost       uint32 // bytes found lost
	marked     bool   // the peer echoes a congestion mark
	duplicates uint32 // duplicate ACKs in a row, without SACK
}

// takeSACK takes the blocks: those above the cumulative acknowledgment mark
// data, and a first block below it, or within the second, reports a duplicate.
//
// https://www.rfc-editor.org/rfc/rfc2883#section-4
func (c *Conn) takeSACK(a *ackEvent, s *wire.Segment, ack uint32, seen func(*sent)) {
	blocks := s.Options.Ranges()
	if len(blocks) == 0 {
		return
	}
	b := blocks[0]
	if !after(b.End, ack) && before(b.Start, b.End) ||
		len(blocks) > 1 && !before(b.Start, blocks[1].Start) && !after(b.End, blocks[1].End) {
		// Believe it only of what can have been sent.
		if n := b.End - b.Start; between(b.End, c.snd.una-c.snd.maxWnd, c.snd.nxt) && n <= c.snd.maxWnd {
			a.dsack = n
			c.rack.duplicate(ack, c.snd.nxt)
		}
		blocks = blocks[1:]
	}
	for _, b := range blocks {
		if before(b.Start, b.End) && !after(b.End, c.snd.nxt) && after(b.End, ack) && !before(b.Start, c.snd.una) {
			c.board.sack(b, &a.d, seen)
		}
	}
}

// release drops acknowledged bytes from the send buffer.
func (c *Conn) release(ack uint32) {
	n := min(int(ack-c.snd.base), c.out.n)
	if int32(ack-c.snd.base) <= 0 {
		return
	}
	c.out.discard(c.cfg.memory(), n, c.is(outLent))
	c.snd.base += uint32(n)
}

// sampleRTT measures from what was sent once, or from the echoed timestamp.
func (c *Conn) sampleRTT(a *ackEvent) {
	switch {
	case a.d.rttAt != 0 && !a.d.repeated:
		c.rtt.sample(a.t, a.t.sub(a.d.rttAt))
	case a.d.acked > 0 && a.hasTS && a.tsecr != 0:
		if age := c.echoed(a.t, a.tsecr); age < c.cfg.maxRTO() && age <= a.t.sub(0) {
			c.rtt.sample(a.t, age)
		}
	default:
		c.rtt.latest = 0
	}
}

// countDuplicates counts duplicate ACKs for a peer without SACK.
//
// "(a) the receiver of the ACK has outstanding data, (b) the incoming
// acknowledgment carries no data, (c) the SYN and FIN bits are both off, (d) the
// acknowledgment number is equal to the greatest acknowledgment received on the
// given connection [...] and (e) the advertised window in the incoming
// acknowledgment equals the advertised window in the last incoming
// acknowledgment."
// https://www.rfc-editor.org/rfc/rfc5681#section-2
func (c *Conn) countDuplicates(s *wire.Segment, advanced, windowChanged bool) uint32 {
	switch {
	case advanced:
		c.snd.dups = 0
	case s.Len() == 0 && !s.Flags.Has(wire.FIN) && !windowChanged && s.Ack == c.snd.una:
		c.snd.dups = min(c.snd.dups+1, 1000)
	}
	return uint32(c.snd.dups)
}

// advanceClose moves on when our FIN has been acknowledged.
func (c *Conn) advanceClose(t instant) {
	if !c.is(finSent) || c.snd.una != c.snd.nxt || !after(c.snd.una, c.finSeq()) {
		return
	}
	switch c.state {
	case FinWait1:
		c.become(t, FinWait2)
	case Closing:
		c.become(t, TimeWait)
	case LastAck:
		c.become(t, Closed)
	}
}

// receiveCongestionMarks takes the peer's CWR and ECE, and the network's CE.
//
// The receiver sets ECN-Echo in every ACK from the mark until CWR comes.
// https://www.rfc-editor.org/rfc/rfc3168#section-6.1.3
func (c *Conn) receiveCongestionMarks(s *wire.Segment) {
	if !c.is(useECN) {
		return
	}
	if s.Flags.Has(wire.CWR) {
		c.clear(sawECE)
	}
	if s.ECN == 3 && s.Len() > 0 {
		c.set(sawECE)
		c.due |= dueAck
	}
	if s.Flags.Has(wire.ECE) && c.recovery.phase == open && c.snd.una != c.snd.nxt {
		// Once for each window of data: not again until what is out now
		// is acknowledged.
		flight := c.board.flight(c.snd.una, c.snd.nxt)
		c.recovery.enter(reduced, c.snd.nxt, flight, c.cc.save())
		c.cc.loss(flight)
		c.cc.cwnd = max(c.cc.ssthresh, c.cc.mss)
		c.set(owesCWR)
	}
}
