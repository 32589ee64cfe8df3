package tcp

import (
	"github.com/fastopen-go/fastopen/wire"
)

// quickSegments is how many segments are acknowledged at once at the start of a
// connection, while the peer's window grows by every ACK.
const quickSegments = 16

// receiveText is the seventh check and the eighth: data and FIN. seq is the
// sequence number of the first byte, which in a SYN is not the segment's.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4-2.7.1
func (c *Conn) receiveText(t instant, s *wire.Segment, seq uint32) {
	if !c.state.receives() {
		// After the peer's FIN nothing should come; what does has come
		// before, and its ACK was lost.
		c.due |= dueAck
		if c.state == TimeWait && s.Flags.Has(wire.FIN) {
			c.timers.set(timerLinger, t.add(c.cfg.timeWait()))
		}
		return
	}
	end := seq + uint32(s.Len())
	if after(end, c.rcv.nxt) && (c.is(closedByUser) || c.is(readClosed) && c.state != Established) {
		// Nobody will read it.
		err := ErrReset
		if c.is(closedByUser) {
			err = ErrAborted
		}
		c.fail(t, err)
		c.due |= dueReset
		return
	}
	had, inOrder := c.rcv.nxt, c.asm.empty() && seq == c.rcv.nxt
	c.take(seq, s.Payload, s.Buffer)
	if len(s.Rest) > 0 {
		c.take(seq+uint32(len(s.Payload)), s.Rest, nil)
	}
	if s.Flags.Has(wire.FIN) && !c.is(hasFin) && !after(end, c.rcv.edge) {
		c.rcv.fin = end
		c.set(hasFin)
	}
	if c.rcv.nxt != had {
		c.set(everReceived)
		c.events |= EventReadable
		c.rcv.tune.received(t, c, s)
	}
	c.acknowledgeText(t, s, inOrder && c.asm.empty())
	if c.is(hasFin) && !c.is(finTaken) && c.rcv.nxt == c.rcv.fin {
		c.takeFIN(t)
	}
}

// take puts data into its place in the receive buffer: by exchange if it lies in a
// buffer that may be had for another, which is at from, and else by copying.
func (c *Conn) take(seq uint32, p []byte, from **wire.Buffer) {
	if skip := c.rcv.nxt - seq; int32(skip) > 0 {
		if c.is(useSACK) && len(p) > 0 {
			c.reassembly().dup = wire.Range{Start: seq, End: seqMin(seq+uint32(len(p)), c.rcv.nxt)}
		}
		p = p[min(int(skip), len(p)):]
		seq += skip
	}
	edge := c.rcv.edge
	if c.is(hasFin) {
		edge = seqMin(edge, c.rcv.fin)
	}
	if room := int32(edge - seq); room < int32(len(p)) {
		p = p[:max(room, 0)]
	}
	if len(p) == 0 {
		return
	}
	m := c.cfg.memory()
	if seq == c.rcv.nxt && c.asm.empty() {
		c.in.add(m, p, from)
		c.rcv.nxt += uint32(len(p))
		return
	}
	off, next := c.in.n+int(seq-c.rcv.nxt), c.rcv.nxt
	kept := c.reassembly().insert(seq, seq+uint32(len(p)))
	if seq == next {
		// It needs no place among the runs, and is not refused for want of
		// one: the peer could never go on.
		next = seq + uint32(len(p))
	} else if !kept {
		return
	}
	c.in.reserve(m, off+len(p))
	c.in.put(off, p)
	next = c.asm.advance(next)
	c.in.extend(int(next - c.rcv.nxt))
	c.rcv.nxt = next
}

// acknowledgeText decides when to acknowledge.
//
// At least every second full-sized segment is acknowledged at once (SHLD-19), any
// other within half a second (MUST-40).
// https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.3
// What is out of order, or fills all or part of a gap, is acknowledged at once.
// https://www.rfc-editor.org/rfc/rfc5681#section-4.2
func (c *Conn) acknowledgeText(t instant, s *wire.Segment, inOrder bool) {
	n := uint32(s.Len())
	if n > uint32(c.rcv.mss) {
		c.rcv.mss = uint16(min(n, uint32(c.cfg.mtuMSS(c.local.Addr().Is4()))))
	}
	fin := s.Flags.Has(wire.FIN)
	if fin && c.cfg.DelayFINACK && c.state == Established && c.is(everReceived) {
		c.set(pingPong)
		fin = false
	}
	switch delay := c.cfg.delayedACK(); {
	case !inOrder, fin, c.asm.repeats(), delay == 0, c.cfg.DelayedACK < 0:
		c.due |= dueAck
	case c.rcv.quick > 0 && !c.is(pingPong):
		c.rcv.quick--
		c.due |= dueAck
	case c.rcv.nxt-c.rcv.acked >= 2*uint32(c.rcv.mss):
		c.due |= dueAck
	case c.timers[timerAck] == 0:
		c.timers.set(timerAck, t.add(delay))
	}
}

// takeFIN: everything up to the peer's FIN has come.
func (c *Conn) takeFIN(t instant) {
	c.rcv.nxt++
	c.rcv.edge = seqMax(c.rcv.edge, c.rcv.nxt) // the FIN may lie behind a full window
	c.set(finTaken)
	c.asm = nil
	if c.in.len() == 0 {
		c.in.release(c.cfg.memory())
	}
	if c.timers[timerAck] == 0 {
		c.due |= dueAck
	}
	c.events |= EventReadable
	switch c.state {
	case Established:
		c.become(t, CloseWait)
	case FinWait1:
		c.become(t, Closing)
	case FinWait2:
		c.become(t, TimeWait)
	}
}
