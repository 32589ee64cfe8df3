package tcp

import (
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// Wait is all that is left of a connection in TIME-WAIT that nobody owns any
// more. The addresses are not in it: they are the key under which it is kept.
type Wait struct {
	sndNxt, rcvNxt uint32
	recent         uint32 // TS.Recent
	tsBase         uint32 // our timestamp clock when the record was made
	since          int64  // when that was, in unix milliseconds
	until          int64
	challenged     uint32 // when a challenge was last answered, in milliseconds since; 0 never
	window         uint16 // as it goes on the wire
	timestamps     bool
}

// Wait returns the record that takes the place of a connection in TIME-WAIT. It
// reports false as long as the connection is needed: in another state, or owned,
// or with something left to send.
func (c *Conn) Wait(now time.Time) (Wait, bool) {
	if c.state != TimeWait || !c.is(closedByUser) || c.due != 0 {
		return Wait{}, false
	}
	left := time.Duration(c.timers[timerLinger] - c.clock(now))
	return Wait{
		sndNxt: c.snd.nxt, rcvNxt: c.rcv.nxt, recent: c.rcv.recent, tsBase: c.tsval(c.clock(now)),
		since: now.UnixMilli(), until: now.Add(max(left, 0)).UnixMilli(),
		window: uint16(min((c.rcv.edge-c.rcv.nxt)>>c.rcv.scale, 65535)), timestamps: c.is(useTimestamps),
	}, true
}

// Deadline is when the record may be dropped.
func (w *Wait) Deadline() time.Time { return time.UnixMilli(w.until) }

// Receive answers a segment for the connection that was. With reuse, the segment
// is a SYN that may open a new connection: the caller drops the record and gives
// both to [Listener.Reopen] or, if nobody listens, has it answered by Refuse.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
func (w *Wait) Receive(now time.Time, cfg *Config, s *wire.Segment) (reply wire.Segment, send, reuse bool) {
	if s.Flags.Has(wire.RST) {
		// Ignored: an old duplicate could end TIME-WAIT early.
		// https://www.rfc-editor.org/rfc/rfc1337#section-3
		return wire.Segment{}, false, false
	}
	if s.Flags&(wire.SYN|wire.ACK) == wire.SYN {
		if w.newer(cfg, s) {
			return wire.Segment{}, false, true
		}
	} else if s.Flags.Has(wire.FIN) && s.End() == w.rcvNxt {
		// "Acknowledge it, and restart the 2 MSL timeout."
		w.until = now.Add(cfg.timeWait()).UnixMilli()
	} else if s.SeqLen() == 0 && s.Seq == w.rcvNxt {
		w.updateRecent(s)
		return wire.Segment{}, false, false
	}
	reply, send = w.answer(now, cfg, s)
	return reply, send, false
}

// Refuse answers a SYN that opens no connection: the record stays, or anybody could
// end TIME-WAIT early. As in Linux.
func (w *Wait) Refuse(now time.Time, cfg *Config, s *wire.Segment) (reply wire.Segment, send bool) {
	return w.answer(now, cfg, s)
}

func (w *Wait) answer(now time.Time, cfg *Config, s *wire.Segment) (reply wire.Segment, send bool) {
	if s.SeqLen() == 0 || s.Flags.Has(wire.SYN) {
		// The peer may answer our ACK as we do its: limited in rate.
		// https://www.rfc-editor.org/rfc/rfc5961#section-7
		t := uint32(now.UnixMilli()-w.since) + 1
		if w.challenged != 0 && t-w.challenged < uint32(challengeInterval.Milliseconds()) {
			return wire.Segment{}, false
		}
		w.challenged = t
	}
	reply = wire.Segment{
		Src: s.Dst, Dst: s.Src, Seq: w.sndNxt, Ack: w.rcvNxt, Flags: wire.ACK,
		Window: w.window,
	}
	if w.timestamps {
		reply.Options.Timestamps = true
		reply.Options.TSVal = w.tsBase + uint32(time.Duration(now.UnixMilli()-w.since)*time.Millisecond/cfg.tick())
		reply.Options.TSEcr = w.recent
	}
	return reply, true
}

// updateRecent is rule R3 of RFC 7323, for nothing but ACKs: data that comes after
// the peer's FIN is of another connection, which must not hear its own timestamp.
func (w *Wait) updateRecent(s *wire.Segment) {
	if w.timestamps && s.Options.Timestamps && after(s.Options.TSVal, w.recent) {
		w.recent = s.Options.TSVal
	}
}

// newer reports whether a SYN can only be from a new incarnation.
//
// By its timestamp, if both have them: later than the last seen. Without in the
// old one but in the new, it is not the old one's SYN. Otherwise by its sequence
// number.
// https://www.rfc-editor.org/rfc/rfc6191#section-2
func (w *Wait) newer(cfg *Config, s *wire.Segment) bool {
	if s.Options.Timestamps && !cfg.NoTimestamps {
		return !w.timestamps || after(s.Options.TSVal, w.recent) ||
			s.Options.TSVal == w.recent && after(s.Seq, w.rcvNxt)
	}
	return after(s.Seq, w.rcvNxt)
}
