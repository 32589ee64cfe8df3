package tcp

import (
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// Send returns the next segment to send, and false when there is none. Its
// payload is a view into the send buffer, valid until the next call of any
// method. What is due by the timers happens here.
func (c *Conn) Send(now time.Time) (wire.Segment, bool) {
	t := c.clock(now)
	if first := c.timers.first(); first != 0 && first <= t {
		c.expire(t)
	}
	switch {
	case c.due&dueBareReset != 0:
		c.due &^= dueBareReset
		s := c.segment()
		s.Seq, s.Flags = c.pmtu.resetSeq, wire.RST
		return s, true
	case c.due&dueReset != 0:
		c.due &^= dueReset
		s := c.segment()
		s.Seq, s.Ack, s.Flags = c.snd.nxt, c.rcv.nxt, wire.RST|wire.ACK
		// "Once TSopt has been successfully negotiated [...], the TSopt MUST
		// be sent in every non-<RST> segment for the duration of the
		// connection, and SHOULD be sent in an <RST> segment"
		// https://www.rfc-editor.org/rfc/rfc7323#section-3.2
		c.stampOptions(t, &s)
		s.Window = uint16(min((c.rcv.edge-c.rcv.nxt)>>c.rcv.scale, 65535))
		return s, true
	case c.state == Closed || c.state == SynSent && c.due&dueHandshake == 0:
		return wire.Segment{}, false
	case c.due&dueHandshake != 0:
		return c.sendHandshake(t), true
	}
	if c.maySend() {
		if s, ok := c.sendData(t); ok {
			return s, true
		}
	}
	if c.due&dueAck != 0 {
		s := c.segment()
		s.Seq = c.bareSeq()
		c.stamp(t, &s)
		return s, true
	}
	return wire.Segment{}, false
}

// sendData is the next segment with data, or one that asks for an answer.
func (c *Conn) sendData(t instant) (wire.Segment, bool) {
	if c.flags&(probeZero|probeKeep) != 0 {
		// An acknowledged sequence number makes the peer answer.
		s := c.segment()
		s.Seq = c.snd.nxt - 1
		if c.is(probeZero) {
			s.Seq = c.snd.una - 1
		}
		c.clear(probeZero | probeKeep)
		c.stamp(t, &s)
		return s, true
	}
	if c.recovery.frto == frtoNew {
		if s, ok := c.sendNew(t, false); ok {
			return s, true
		}
	}
	if c.board.lostBytes != c.board.pendingBytes {
		if c.state == SynReceived {
			// Only the SYN-ACK is sent again before the handshake is done,
			// and what is new must not go before what was lost.
			return wire.Segment{}, false
		}
		if s, ok := c.resendLost(t); ok {
			return s, true
		}
		// Retransmissions go before new data.
		if _, more := c.board.firstLost(); more && !c.is(probeTail) {
			return wire.Segment{}, false
		}
	}
	if c.is(probeTail) {
		c.clear(probeTail)
		return c.sendProbe(t)
	}
	return c.sendNew(t, false)
}

// resendLost sends the first stretch that is lost and was not sent again.
func (c *Conn) resendLost(t instant) (wire.Segment, bool) {
	e, ok := c.board.firstLost()
	if !ok {
		return wire.Segment{}, false
	}
	s := c.segment()
	c.stampOptions(t, &s)
	n := min(e.len(), c.room(&s))
	if flight := c.flight(); flight != 0 && flight+n > c.cc.cwnd && !c.recovery.force {
		return wire.Segment{}, false
	}
	// Beyond the window there is no point, but the first byte outstanding is
	// sent all the same: it is the probe of a window that was taken back.
	if e.start != c.snd.una {
		edge := c.windowEdge()
		if !before(e.start, edge) {
			return wire.Segment{}, false
		}
		n = min(n, edge-e.start)
	}
	c.resend(t, &s, e.start, n)
	return s, true
}

// resend fills s with n bytes of sequence space from start that were sent before.
func (c *Conn) resend(t instant, s *wire.Segment, start, n uint32) {
	c.fill(s, start, n)
	c.stamp(t, s)
	c.board.resend(t, start, start+n)
	c.resent += c.segments(n)
	c.recovery.sent(n)
	c.recovery.retransmitted(n, c.tsval(t))
	c.snd.lastData = t
	if c.timers[timerRetransmit] == 0 {
		c.armRetransmit(t)
	}
}

// segments is how many segments n bytes are.
func (c *Conn) segments(n uint32) uint32 {
	mss := max(c.segmentSize(), 1)
	return (n + mss - 1) / mss
}

// sendNew sends data for the first time, and the FIN.
func (c *Conn) sendNew(t instant, probing bool) (wire.Segment, bool) {
	avail := uint32(c.unsent())
	fin := c.maySendFIN() && !c.is(finSent)
	if avail == 0 && !fin {
		return wire.Segment{}, false
	}
	if c.snd.una == c.snd.nxt && c.snd.lastData != 0 {
		c.cc.idle(t, t.sub(c.snd.lastData))
		c.cc.validation.sending(t, &c.cc, uint32(c.cfg.initialWindow())*c.cc.mss)
	}
	c.raiseMSS(t)
	s := c.segment()
	c.stampOptions(t, &s)
	mss := c.room(&s)
	n, ok := c.allowed(t, avail, mss, probing)
	if !ok && !(avail == 0 && fin) {
		return wire.Segment{}, false
	}
	c.fill(&s, c.snd.nxt, n)
	end := c.snd.nxt + n
	if n == avail {
		if n > 0 {
			s.Flags |= wire.PSH
		}
		if fin {
			s.Flags |= wire.FIN
			end++
			c.sendFIN(t)
		}
	}
	if n > mss {
		s.Split = uint16(mss)
	}
	c.sent(t, &s, end, n < mss)
	c.stamp(t, &s)
	return s, true
}

// sent books what goes out for the first time.
func (c *Conn) sent(t instant, s *wire.Segment, end uint32, small bool) {
	idle := c.snd.una == c.snd.nxt
	c.board.add(t, c.snd.nxt, end)
	c.recovery.sent(end - c.snd.nxt)
	c.snd.nxt = end
	c.snd.lastData = t
	c.clear(overrideSilly)
	if small {
		c.snd.small = end
	}
	if c.is(useECN) && s.Len() > 0 {
		// ECT is not for pure ACKs, retransmissions and window probes:
		// only new data comes here.
		// https://www.rfc-editor.org/rfc/rfc3168#section-6.1.4
		s.ECN = 2
		if c.is(owesCWR) {
			s.Flags |= wire.CWR
			c.clear(owesCWR)
		}
	}
	if c.due&dueAck != 0 || c.timers[timerAck] != 0 {
		// The answer carries the acknowledgement: a conversation, in which
		// waiting for one pays.
		c.set(pingPong)
	}
	if idle || c.timers[timerRetransmit] == 0 {
		c.armRetransmit(t)
	}
	c.armProbe(t)
}

// allowed is how much new data may go out now.
func (c *Conn) allowed(t instant, avail, mss uint32, probing bool) (uint32, bool) {
	if avail == 0 {
		return 0, false
	}
	want := min(avail, mss)
	flight := c.flight()
	if flight+want > c.cc.cwnd && flight > 0 && !probing {
		return 0, false
	}
	usable := int32(c.windowEdge() - c.snd.nxt)
	if usable < int32(want) {
		return c.silly(t, usable)
	}
	n := want
	if avail > mss && c.cfg.Offload > int(mss) && !probing {
		n = min(avail, uint32(c.cfg.Offload), uint32(usable), max(c.cc.cwnd-min(flight, c.cc.cwnd), mss))
		if n < avail {
			n -= n % mss
		}
	}
	// Nagle, as modified by Minshall: a segment that is not full waits as
	// long as another such is outstanding. RFC 9293 section 3.7.4.
	if n < mss && !c.is(noDelay) && !c.is(writeClosed) && !probing && after(c.snd.small, c.snd.una) {
		return 0, false
	}
	return n, true
}

// silly is the sender's side of silly window avoidance: less than a segment is
// sent only if it is half of the largest window seen, or after a while.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.2.1
func (c *Conn) silly(t instant, usable int32) (uint32, bool) {
	if usable > 0 && (uint32(usable) >= c.snd.maxWnd/2 || c.is(overrideSilly)) {
		return uint32(usable), true
	}
	if c.snd.una == c.snd.nxt && c.timers[timerPersist] == 0 && c.state != SynReceived {
		c.timers.set(timerPersist, t.add(c.rtt.timeout(c.cfg)))
	}
	return 0, false
}

// sendFIN gives our FIN its sequence number: the one after the data.
func (c *Conn) sendFIN(t instant) {
	c.set(finSent)
	switch c.state {
	case Established:
		c.become(t, FinWait1)
	case CloseWait:
		c.become(t, LastAck)
	}
}

// sendProbe is the tail loss probe: new data if there is some, or else the last
// segment again.
//
// https://www.rfc-editor.org/rfc/rfc8985#section-7.3
func (c *Conn) sendProbe(t instant) (wire.Segment, bool) {
	if c.snd.una == c.snd.nxt || c.probe.active || len(c.board.q) == 0 {
		return wire.Segment{}, false
	}
	s, ok := c.sendNew(t, true)
	c.probe = probe{active: true, resent: !ok}
	if !ok {
		last := c.board.q[len(c.board.q)-1]
		s = c.segment()
		c.stampOptions(t, &s)
		n := min(last.len(), c.room(&s))
		c.resend(t, &s, last.end-n, n)
	}
	c.probe.end = c.snd.nxt
	c.timers.stop(timerProbe)
	c.armRetransmit(t)
	return s, true
}

// fill puts n bytes of sequence space from start into s: data, and the FIN if it
// lies there.
func (c *Conn) fill(s *wire.Segment, start, n uint32) {
	s.Seq = start
	data := min(n, max(c.finSeq()-start, 0))
	if after(start, c.finSeq()) {
		data = 0
	}
	s.Payload, s.Rest = c.out.view(int(start-c.snd.base), int(data))
	if data < n {
		s.Flags |= wire.FIN
	}
	if data > 0 && start+data == c.finSeq() {
		s.Flags |= wire.PSH
	}
}

// room is how much data fits besides the options of s.
func (c *Conn) room(s *wire.Segment) uint32 {
	return uint32(max(int(c.snd.mss)-s.Options.Len(), 8))
}

// windowEdge is the first number that the peer's window has no room for. Our SYN,
// as long as it is not acknowledged, takes no room.
func (c *Conn) windowEdge() uint32 {
	edge := c.snd.una + c.snd.wnd
	if c.snd.una == c.snd.iss {
		edge++
	}
	return edge
}

// bareSeq is the sequence number of a segment without data: SND.NXT, unless the
// peer has taken back the window it lies in and would not accept it.
func (c *Conn) bareSeq() uint32 {
	if edge := c.windowEdge(); before(edge, c.snd.nxt) && c.snd.wnd != 0 {
		return edge
	}
	return c.snd.nxt
}

// stampOptions adds what every segment carries besides its data.
func (c *Conn) stampOptions(t instant, s *wire.Segment) {
	if c.is(useTimestamps) {
		s.Options.Timestamps = true
		s.Options.TSVal, s.Options.TSEcr = c.tsval(t), c.rcv.recent
	}
	if c.is(useSACK) && c.Gap() {
		room := (wire.MaxOptionsLen - 4 - s.Options.Len()) / 8
		c.asm.blocks(&s.Options, room)
	}
}

// stamp completes a segment: acknowledgement, window, options, echo.
func (c *Conn) stamp(t instant, s *wire.Segment) {
	if s.Options == (wire.Options{}) {
		c.stampOptions(t, s)
	}
	s.Flags |= wire.ACK
	s.Ack = c.rcv.nxt
	s.Window = c.announce()
	if c.is(sawECE) {
		s.Flags |= wire.ECE
	}
	c.rcv.acked = c.rcv.nxt
	c.due &^= dueAck
	c.timers.stop(timerAck)
}
