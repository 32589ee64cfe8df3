package tcp

import (
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// sendHandshake is the SYN or SYN-ACK that is due, and arms the timer for the
// next.
func (c *Conn) sendHandshake(t instant) wire.Segment {
	c.due &^= dueHandshake
	s := c.synSegment(t)
	if c.state == SynSent {
		c.putFastOpen(&s)
		c.dial.sentAt = t
	} else {
		c.grantFastOpen(t, &s)
		c.rcv.acked = c.rcv.nxt // with SYN data, more than the SYN
		c.due &^= dueAck
		c.timers.stop(timerAck)
	}
	if c.tries++; c.tries > 1 {
		c.resent++
	}
	c.timers.set(timerHandshake, t.add(c.handshakeTimeout(t)))
	return s
}

// handshakeTimeout doubles with every try. The first is taken from what is
// remembered of the path, or the initial timeout.
func (c *Conn) handshakeTimeout(t instant) time.Duration {
	doublings := int(c.tries) - 1
	if c.state == SynSent {
		doublings = max(doublings-c.cfg.SYNLinear, 0)
	}
	d := min(c.rtt.timeout(c.cfg)<<min(doublings, 20), c.cfg.maxRTO())
	if c.state == SynSent && c.tries > 1 {
		d = c.withinUserTimeout(t, connecting, d)
	}
	return d
}

// connecting is when the first SYN was sent: when the connection was made.
const connecting instant = 1

// synSegment is our SYN, with what is offered, or our SYN-ACK, with what was
// negotiated.
func (c *Conn) synSegment(t instant) wire.Segment {
	s := c.segment()
	s.Seq, s.Flags = c.snd.iss, wire.SYN
	s.Options = c.synOptions()
	window := c.rcv.limit
	if c.state == SynSent {
		if c.cfg.ECN && c.tries == 0 {
			// A SYN that is sent again does without: a middlebox may
			// have dropped it for these bits.
			// https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1.1
			s.Flags |= wire.ECE | wire.CWR
		}
	} else {
		s.Flags |= wire.ACK
		s.Ack = c.rcv.nxt
		window = c.rcv.edge - c.rcv.nxt
		if c.is(useECN) {
			s.Flags |= wire.ECE
		}
	}
	s.Window = uint16(min(window, 65535))
	if s.Options.Timestamps {
		s.Options.TSVal, s.Options.TSEcr = c.tsval(t), c.rcv.recent
	}
	return s
}

// synOptions is what a SYN offers, or a SYN-ACK accepts.
func (c *Conn) synOptions() (o wire.Options) {
	o.MSS = c.cfg.mtuMSS(c.local.Addr().Is4())
	if c.state == SynSent {
		if c.pmtu.mss != 0 {
			// The path is narrow, most likely the other way as well.
			o.MSS = min(o.MSS, c.pmtu.mss)
		}
		o.SACKPermitted = !c.cfg.NoSACK
		o.Timestamps = !c.cfg.NoTimestamps
		if !c.cfg.NoWindowScale {
			o.WindowScale = c.cfg.windowShift() + 1
		}
		return o
	}
	o.SACKPermitted, o.Timestamps = c.is(useSACK), c.is(useTimestamps)
	if c.is(useScale) {
		o.WindowScale = c.rcv.scale + 1
	}
	return o
}

// putFastOpen adds option and data to the first SYN, and to no other.
//
// No PSH: Linux sends none on a SYN with data, and middleboxes know SYNs without.
func (c *Conn) putFastOpen(s *wire.Segment) {
	d := c.dial
	if d.fell != tfo.NoCause || c.tries > 0 {
		return
	}
	c.fo.tried = d.hasOption || d.data > 0
	s.Options.FastOpen, s.Options.HasFastOpen = d.option, d.hasOption
	s.Payload, s.Rest = c.out.view(0, int(d.data))
}

// grantFastOpen adds cookie and data to the first SYN-ACK, and to no other:
// requirement SRV-15.
func (c *Conn) grantFastOpen(t instant, s *wire.Segment) {
	if c.tries > 0 {
		return
	}
	// A cookie that does not fit is left out: requirement OPT-11.
	if c.fo.grant != nil && c.fo.grant.Len() <= s.Options.Room() {
		s.Options.FastOpen, s.Options.HasFastOpen = *c.fo.grant, true
	}
	c.fo.grant = nil
	if !c.fo.inSYNACK || c.snd.nxt != c.snd.iss+1 {
		return
	}
	room := min(c.out.n, int(c.snd.mss)-s.Options.Len(), int(c.snd.wnd))
	if room > 0 {
		s.Payload, s.Rest = c.out.view(0, room)
		c.board.add(t, c.snd.nxt, c.snd.nxt+uint32(room))
		c.snd.nxt += uint32(room)
	}
}

// handshakeExpired is called when a SYN or SYN-ACK went unanswered.
func (c *Conn) handshakeExpired(t instant) {
	limit := c.cfg.synackRetries()
	if c.state == SynSent {
		limit = or(c.dial.retries, c.cfg.synRetries())
	}
	late := c.state == SynSent && c.userLimit > 0 && t.sub(connecting) >= c.userLimit
	if late || int(c.tries) > limit {
		c.handshakeFailed(t)
		return
	}
	if c.state == SynSent {
		c.fallBack(tfo.Lost)
	}
	c.due |= dueHandshake
}

// handshakeFailed gives up. A passive connection dies silently: the peer may
// never have been there.
func (c *Conn) handshakeFailed(t instant) {
	err := error(ErrTimeout)
	if d := c.dial; d != nil {
		if d.fell != tfo.NoCause {
			// Nothing came through at all since Fast Open was tried. It
			// may be to blame (a firewall that blacklists), so avoid it.
			c.learnFailure(c.time(t), d.fell)
		}
		if d.soft != nil {
			err = d.soft
		}
	}
	c.fail(t, err)
}
