package tcp

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// Dial opens a connection from local to remote. The first bytes to send may be
// given as early: they may travel in the SYN, and so may reach an application
// twice if the network duplicates that (RFC 7413 section 6.1). Bytes that must
// not go there are left to Write. No more than 64 KiB are taken; Queued says how
// many were.
//
// The caller drains Send, as after everything else.
func Dial(now time.Time, cfg *Config, local, remote netip.AddrPort, early []byte) *Conn {
	c := newConn(now, cfg, local, remote)
	c.state = SynSent
	c.dial = cfg.Pool.dialing()
	c.out.append(cfg.memory(), early[:min(len(early), c.writeRoom())])
	c.planSYN(now, len(early))
	if c.dial.data > 0 {
		c.board.add(c.clock(now), c.snd.iss+1, c.snd.iss+1+c.dial.data)
	}
	c.snd.nxt = c.snd.iss + 1 + c.dial.data
	c.due |= dueHandshake
	return c
}

// receiveSynSent is the order of checks in SYN-SENT.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.3
func (c *Conn) receiveSynSent(t instant, s *wire.Segment) {
	// First, check the ACK bit. "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send
	// a reset (unless the RST bit is set [...])"
	acks := s.Flags.Has(wire.ACK)
	if acks && !between(s.Ack, c.snd.iss+1, c.snd.nxt) {
		if !s.Flags.Has(wire.RST) {
			c.bareReset(s.Ack)
			if c.tries == 1 {
				// The peer has an old connection: the reset ends it,
				// and another SYN at once begins ours.
				c.fallBack(tfo.Lost)
				c.due |= dueHandshake
			}
		}
		return
	}
	if o := &s.Options; acks && !s.Flags.Has(wire.RST) && o.Timestamps && !c.cfg.NoTimestamps &&
		o.TSEcr != 0 && !between(o.TSEcr, c.tsval(1), c.tsval(t)) {
		// An echo of what we never said: this answers an earlier
		// connection of the same name, or was guessed. As Linux has it.
		c.bareReset(s.Ack)
		return
	}
	// Second, the RST bit.
	if s.Flags.Has(wire.RST) {
		// After falling back, one that acknowledges data as well is a copy
		// of the answer to the SYN before.
		if acks && (c.dial.fell == tfo.NoCause || s.Ack == c.snd.iss+1) {
			c.synRefused(t, tfo.Reset, ErrRefused)
		}
		return
	}
	// Fourth, the SYN bit.
	if !s.Flags.Has(wire.SYN) {
		return
	}
	c.takeSYN(t, s, false)
	if !acks {
		c.simultaneousOpen(t)
		return
	}
	c.snd.wl2 = s.Ack
	c.sampleHandshake(t, s)
	if c.tries > 2 {
		// After a lost SYN or SYN-ACK the initial window is one segment at
		// most. A single loss is passed over: it may be a middlebox that
		// dislikes Fast Open, and Linux does the same.
		// https://www.rfc-editor.org/rfc/rfc5681#section-3.1
		c.cc.start(c.cfg.Congestion, c.segmentSize(), 1)
	} else {
		c.cc.start(c.cfg.Congestion, c.segmentSize(), c.cfg.initialWindow())
	}
	if d := c.dial; d.fell == tfo.Lost && d.data > uint32(blackHoleMSS[0]) && s.Ack == c.snd.iss+1 {
		c.set(largeLost)
	}
	c.synAnswered(c.time(t), s)
	used := c.dial.usedFastOpen()
	c.state = Established
	c.settleSYN(t, s.Ack)
	c.endDial()
	c.due |= dueAck
	// Data or FIN in the SYN-ACK: a server may send them only to a client
	// that used Fast Open. Otherwise they come again.
	if used && (s.Len() > 0 || s.Flags.Has(wire.FIN)) {
		c.fo.answered = s.Len() > 0
		c.receiveText(t, s, s.Seq+1)
	}
}

// settleSYN removes the SYN, and what of its data was acknowledged, from what is
// outstanding. The rest goes out again at once, in place of the bare ACK and
// without any response of congestion control: it was refused, not lost.
//
// "The client SHOULD retransmit any unacknowledged data in the first ACK packet"
// https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
func (c *Conn) settleSYN(t instant, ack uint32) {
	c.handshakeDone(t)
	c.snd.una = ack
	var d delivered
	c.board.ack(ack, &d, func(*sent) {})
	if n := ack - c.snd.base; n > 0 {
		c.out.discard(c.cfg.memory(), int(n), c.is(outLent))
		c.snd.base = ack
	}
	if c.snd.una != c.snd.nxt {
		c.board.loseAll(false)
		c.armRetransmit(t)
	}
}

// endDial gives back what only opening needs.
func (c *Conn) endDial() {
	c.cfg.Pool.putDialing(c.dial)
	c.dial = nil
}

// handshakeDone is what both ends do when the handshake is complete.
func (c *Conn) handshakeDone(t instant) {
	c.timers.stop(timerHandshake)
	c.due &^= dueHandshake
	c.set(confirmed)
	c.delivered++
	c.events |= EventConfirmed | EventWritable
	c.tries, c.retries, c.rtt.backoff = 0, 0, 0
	c.keepaliveHeard(t)
}

// simultaneousOpen: a SYN without ACK. The peer's data, if any, is dropped, and
// what we answer is plain; ours is sent again once the handshake is complete.
//
// "Otherwise, enter SYN-RECEIVED, form a SYN,ACK segment
// <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK> [...] and send it."
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.3
//
// A client may take data in such a SYN (RFC 7413 section 4.2.2); that it is
// dropped is Linux's choice, too: requirement CLI-17.
func (c *Conn) simultaneousOpen(t instant) {
	c.fallBack(tfo.Unacknowledged)
	c.state = SynReceived
	c.due |= dueHandshake
	c.tries = 0
	c.cc.start(c.cfg.Congestion, c.segmentSize(), c.cfg.initialWindow())
	if c.fo.status != tfo.Off {
		c.fo.status, c.fo.cause = tfo.FellBack, tfo.Unacknowledged
	}
}

// synRefused is an answer that says no. If our SYN used Fast Open, a middlebox
// may have meant that, and not the connection: a plain SYN asks once more.
//
// A refusal that follows sooner than half the round trip of the first is a copy
// of it: the plain SYN cannot have been answered yet. It is not so where a round
// trip takes no longer than a process may sleep; and lest this be wrong
// elsewhere, the SYN goes out once more when it could have been answered.
func (c *Conn) synRefused(t instant, why tfo.Cause, err error) {
	if d := c.dial; d != nil && !c.cfg.Client.AbortOnError && d.usedFastOpen() {
		if d.fell == tfo.NoCause {
			d.refused = t.sub(d.sentAt)
			c.fallBack(why)
			c.due |= dueHandshake
			return
		}
		if c.tries == 1 {
			return
		}
		if c.tries == 2 && d.refused > askAgain && t.sub(d.sentAt) < d.refused/2 {
			// It can be an answer all the same, so ask again soon.
			c.timers.set(timerHandshake, t.add(2*d.refused+askAgain))
			return
		}
	}
	c.fail(t, err)
}

// askAgain is how long a doubtful refusal waits at least for a certain one. Where
// answers come sooner, there is no telling a copy by its time: a process may have
// slept for as long.
const askAgain = 10 * time.Millisecond

// takeSYN takes what the peer's SYN says: sequence number, window, options.
func (c *Conn) takeSYN(t instant, s *wire.Segment, server bool) {
	o := &s.Options
	c.rcv.irs, c.rcv.nxt = s.Seq, s.Seq+1
	c.rcv.edge = c.rcv.nxt + min(c.rcv.limit, 65535)
	c.rcv.acked = c.rcv.nxt
	c.rcv.tune.start(t, c.rcv.nxt)
	// The window of a segment with SYN is not scaled.
	// https://www.rfc-editor.org/rfc/rfc7323#section-2.2
	c.snd.wnd, c.snd.maxWnd = uint32(s.Window), uint32(s.Window)
	c.snd.wl1 = s.Seq
	c.snd.peerMSS = defaultMSS(c.local.Addr())
	if o.MSS != 0 {
		c.snd.peerMSS = max(o.MSS, minMSS)
	}
	// The effective send MSS is the lesser of what the peer takes and what
	// our first hop does (MUST-16); options are taken off when sending.
	c.snd.mss = min(c.snd.peerMSS, c.cfg.mtuMSS(c.local.Addr().Is4()))
	if c.pmtu.mss != 0 {
		c.snd.mss = min(c.snd.mss, c.pmtu.mss)
	}
	c.rcv.mss = min(536, c.snd.mss)
	if o.SACKPermitted && !c.cfg.NoSACK {
		c.set(useSACK)
	}
	if o.Timestamps && !c.cfg.NoTimestamps {
		c.set(useTimestamps)
		c.rcv.recent, c.rcv.recentAt = o.TSVal, t
	}
	if o.WindowScale != 0 && !c.cfg.NoWindowScale {
		c.set(useScale)
		c.snd.scale, c.rcv.scale = o.WindowScale-1, c.cfg.windowShift()
	}
	// A SYN with ECE and CWR offers ECN; a SYN-ACK with ECE alone accepts it.
	// https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
	if (c.cfg.ECN || c.cfg.AcceptECN && server) && s.Flags.Has(wire.ECE) && s.Flags.Has(wire.CWR) == server {
		c.set(useECN)
	}
}

// sampleHandshake measures the round trip of the handshake, as far as it is
// clear which SYN was answered.
//
// (5.7) If the timer expired for the SYN, and nothing could be measured, the RTO
// starts from 3 seconds when data transmission begins. Here it does unless an
// earlier connection has measured the path (RFC 9040).
// https://www.rfc-editor.org/rfc/rfc6298#section-5
func (c *Conn) sampleHandshake(t instant, s *wire.Segment) {
	c.rtt = rtt{}
	var sentAt instant
	switch {
	case c.tries == 0:
		// A SYN cookie: when it left is not known, and nothing was lost.
		return
	case c.tries == 1 && c.dial != nil:
		sentAt = c.dial.sentAt
	case c.tries == 1:
		sentAt = 1 // a passive connection's SYN-ACK leaves when it is made
	case c.is(useTimestamps) && s.Options.Timestamps:
		// What is echoed says which.
		if age := c.echoed(t, s.Options.TSEcr); age <= t.sub(0) {
			sentAt = max(t-instant(age), 1)
		}
	}
	if sentAt != 0 {
		c.rtt.sample(t, t.sub(sentAt))
	} else if c.dial != nil && c.dial.rtt != 0 {
		c.rtt.seed(c.dial.rtt)
	} else {
		c.rtt.seed(time.Second) // 3 s
	}
}
