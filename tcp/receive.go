package tcp

import (
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// Receive takes a segment that came for the connection. The segment is not kept, and
// its data is copied, unless it comes in a Buffer that can be exchanged.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7
func (c *Conn) Receive(now time.Time, s *wire.Segment) {
	t := c.clock(now)
	switch c.state {
	case Closed:
	case SynSent:
		c.receiveSynSent(t, s)
	default:
		c.receiveSynchronized(t, s)
	}
}

// receiveSynchronized is the order of checks in every state from SYN-RECEIVED on.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
func (c *Conn) receiveSynchronized(t instant, s *wire.Segment) {
	// First, check the sequence number, and before it PAWS.
	if c.state == SynReceived && c.repeatedSYN(t, s) {
		return
	}
	if !c.checkTimestamp(t, s) {
		return
	}
	if !c.acceptable(s) {
		c.unacceptable(t, s)
		return
	}
	// Data beyond the peer's FIN is of another connection, which must not hear
	// its own timestamp.
	stamped := c.state != TimeWait || s.SeqLen() == 0
	// Second, check the RST bit.
	if s.Flags.Has(wire.RST) {
		c.receiveReset(t, s)
		return
	}
	// Third, security: there is none. Fourth, check the SYN bit.
	if s.Flags.Has(wire.SYN) {
		if c.state == SynReceived {
			// A SYN in the window that is not the one that made the
			// connection: the peer has begun anew.
			c.bareReset(c.snd.nxt)
			return
		}
		// A challenge ACK, irrespective of the sequence number.
		// https://www.rfc-editor.org/rfc/rfc5961#section-4.2
		c.challenge(t)
		return
	}
	// Fifth, check the ACK field.
	if !s.Flags.Has(wire.ACK) || !c.receiveAck(t, s) {
		return
	}
	if stamped {
		// Not before: who does not know what was sent, or lacks the ACK bit,
		// must not make PAWS refuse what the peer sends next. As in Linux.
		c.updateRecent(t, s)
	}
	c.receiveCongestionMarks(s)
	// Sixth, the URG bit: urgent data is delivered in its place in the stream,
	// as RFC 6093 recommends. Seventh, the text. Eighth, the FIN bit.
	if s.Len() > 0 || s.Flags.Has(wire.FIN) {
		c.receiveText(t, s, s.Seq)
	}
}

// acceptable is the four-case test of the window.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4-2.1.1
func (c *Conn) acceptable(s *wire.Segment) bool {
	n := s.SeqLen()
	wnd := c.rcv.edge - c.rcv.nxt
	switch {
	case n == 0 && wnd == 0:
		return s.Seq == c.rcv.nxt
	case n == 0:
		// Also just right of the window: an ACK from a peer that has filled
		// it, and whose data has a hole.
		return s.Seq-c.rcv.nxt <= wnd
	case wnd == 0:
		// "If the RCV.WND is zero, no segments will be acceptable, but
		// special allowance should be made to accept valid ACKs, URGs, and
		// RSTs." The data is cut off later.
		return s.Seq == c.rcv.nxt
	}
	return s.Seq-c.rcv.nxt < wnd || s.End()-1-c.rcv.nxt < wnd
}

// unacceptable answers a segment outside the window.
//
// "If an incoming segment is not acceptable, an acknowledgment should be sent
// in reply (unless the RST bit is set, if so drop the segment and return)"
func (c *Conn) unacceptable(t instant, s *wire.Segment) {
	switch {
	case s.Flags.Has(wire.RST):
	case s.Flags.Has(wire.SYN):
		c.challenge(t)
	case s.Len() > 0 || s.Flags.Has(wire.FIN):
		// Data that came before: our ACK was lost, or it was sent again
		// for nothing, which a D-SACK tells.
		if c.is(useSACK) && before(s.Seq, c.rcv.nxt) {
			c.reassembly().dup = wire.Range{Start: s.Seq, End: seqMin(s.Seq+uint32(s.Len()), c.rcv.nxt)}
		}
		c.due |= dueAck
		if c.state == TimeWait && s.Flags.Has(wire.FIN) {
			c.timers.set(timerLinger, t.add(c.cfg.timeWait()))
		}
		// What it acknowledges may still be news: a window update.
		if s.Flags.Has(wire.ACK) && c.state != SynReceived && c.rcv.edge == c.rcv.nxt {
			c.receiveAck(t, s)
		}
	default:
		c.challenge(t)
	}
}

// checkTimestamp is PAWS: test R1. It reports whether to go on.
//
// "If there is a Timestamps option in the arriving segment, SEG.TSval <
// TS.Recent, TS.Recent is valid [...], and if the RST bit is not set, then treat
// the arriving segment as not acceptable: Send an acknowledgment in reply"
// https://www.rfc-editor.org/rfc/rfc7323#section-5.3
func (c *Conn) checkTimestamp(t instant, s *wire.Segment) bool {
	if !c.is(useTimestamps) || s.Flags.Has(wire.RST) {
		return true
	}
	if !s.Options.Timestamps {
		// "If a non-<RST> segment is received without a TSopt, a TCP
		// SHOULD silently drop the segment."
		// https://www.rfc-editor.org/rfc/rfc7323#section-3.2
		return s.Flags.Has(wire.SYN) || c.cfg.AcceptNoTimestamp
	}
	if !before(s.Options.TSVal, c.rcv.recent) || c.outdated(t) {
		return true
	}
	c.unacceptable(t, s)
	return false
}

// pawsIdle is how long TS.Recent stays valid: less than half a turn of the
// fastest clock allowed.
const pawsIdle = 24 * 24 * time.Hour

// outdated reports whether TS.Recent is too old to compare with. Whatever comes next
// takes its place.
//
// https://www.rfc-editor.org/rfc/rfc7323#section-5.5
func (c *Conn) outdated(t instant) bool { return t.sub(c.rcv.recentAt) > pawsIdle }

// updateRecent is rule R3: "If an arriving segment satisfies SEG.TSval >=
// TS.Recent and SEG.SEQ <= Last.ACK.sent [...], then record its timestamp in
// TS.Recent."
// https://www.rfc-editor.org/rfc/rfc7323#section-5.3
func (c *Conn) updateRecent(t instant, s *wire.Segment) {
	if c.is(useTimestamps) && s.Options.Timestamps && !after(s.Seq, c.rcv.acked) &&
		(!before(s.Options.TSVal, c.rcv.recent) || c.outdated(t)) {
		c.rcv.recent, c.rcv.recentAt = s.Options.TSVal, t
	}
}

// receiveReset takes a RST inside the window.
//
// One with the number expected next resets the connection; any other in the
// window is answered by a challenge ACK, which a real peer answers by the former.
// https://www.rfc-editor.org/rfc/rfc5961#section-3.2
func (c *Conn) receiveReset(t instant, s *wire.Segment) {
	if s.Seq != c.rcv.nxt {
		if c.state == Established {
			// What was before it did not come.
			c.suspectBlackHole(c.time(t))
		}
		c.challenge(t)
		return
	}
	err := error(ErrReset)
	switch c.state {
	case SynReceived:
		if !c.is(passive) {
			err = ErrRefused
		}
	case TimeWait:
		// Ignored: an old duplicate could end TIME-WAIT early (F1).
		// https://www.rfc-editor.org/rfc/rfc1337#section-3
		return
	case Closing, LastAck:
		// What was sent has perhaps not arrived. RFC 9293 only has the
		// connection closed; Linux says why, too.
	default:
		if !c.is(everReceived) && c.retries > 0 {
			c.suspectBlackHole(c.time(t))
		}
	}
	c.fail(t, err)
}

// repeatedSYN handles, in SYN-RECEIVED, the SYN that made the connection when it
// comes again: the SYN-ACK was lost. Whatever data it carries now was judged the
// first time: requirements SRV-17 and SRV-26.
func (c *Conn) repeatedSYN(t instant, s *wire.Segment) bool {
	if !s.Flags.Has(wire.SYN) || s.Flags.Has(wire.RST) || s.Seq != c.rcv.irs {
		return false
	}
	if s.Flags.Has(wire.ACK) && !c.is(passive) {
		// Simultaneous open: the peer's SYN-ACK.
		c.updateRecent(t, s)
		c.receiveAck(t, s)
		return true
	}
	if s.Options.Timestamps && c.is(useTimestamps) && after(s.Options.TSVal, c.rcv.recent) {
		c.rcv.recent, c.rcv.recentAt = s.Options.TSVal, t
	}
	if c.limited(t) {
		c.due |= dueHandshake
	}
	return true
}

// challenge is an ACK to a segment that may be forged, limited in rate so that
// it cannot be used to make this end send.
//
// https://www.rfc-editor.org/rfc/rfc5961#section-7
func (c *Conn) challenge(t instant) {
	if c.limited(t) {
		c.due |= dueAck
	}
}

// challengeInterval is Linux's tcp_invalid_ratelimit.
const challengeInterval = 500 * time.Millisecond

// limited reports whether another answer may be sent now: at most two a second.
func (c *Conn) limited(t instant) bool {
	if c.snd.last != 0 && t.sub(c.snd.last) < challengeInterval {
		return false
	}
	c.snd.last = t
	return true
}

// bareReset answers a segment with <SEQ=seq><CTL=RST>; the connection goes on.
func (c *Conn) bareReset(seq uint32) {
	c.due |= dueBareReset
	c.pmtu.resetSeq = seq
}
