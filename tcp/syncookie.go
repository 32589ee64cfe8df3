package tcp

import (
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// SYN cookies answer SYNs without remembering them, when too many handshakes
// are under way: the initial sequence number is a MAC over what has to be known
// when the ACK comes. There is no room in it for Fast Open, so SYNs that are
// answered like this get neither a cookie nor their data delivered.
//
// https://www.rfc-editor.org/rfc/rfc4987#section-3.6
//
// The number is the minute (5 bits), an index into the table of segment sizes
// (3 bits), and 24 bits of MAC. With timestamps, what else was negotiated
// travels in the low bits of our TSval.

var syncookieMSS = [8]uint16{536, 1220, 1300, 1360, 1400, 1440, 1460, 8960}

const (
	syncookiePeriod  = 64 * time.Second
	syncookiePeriods = 2 // how many a cookie lasts
	syncookieBits    = 6 // of TSval: four for the scale, SACK, ECN
)

// sendSyncookie answers the SYN s.
func (l *Listener) sendSyncookie(now time.Time, s *wire.Segment) {
	l.overflow = now
	l.Stats.SyncookiesSent++
	index := uint32(0)
	for i, m := range syncookieMSS {
		if m <= s.Options.MSS {
			index = uint32(i)
		}
	}
	c := newConn(now, l.cfg, s.Dst, s.Src)
	c.set(passive)
	c.takeSYN(1, s, true)
	c.snd.iss = l.syncookie(now, s, s.Seq, index)
	l.reply = c.synSegment(1)
	o := &l.reply.Options
	if o.Timestamps {
		// Never ahead of our clock: what is sent next would look older, and
		// the peer would drop it (PAWS).
		v := o.TSVal&^(1<<syncookieBits-1) | c.syncookieOptions()
		if after(v, o.TSVal) {
			v -= 1 << syncookieBits
		}
		o.TSVal = v
	} else {
		// Nothing remembers them.
		o.WindowScale, o.SACKPermitted = 0, false
		l.reply.Flags &^= wire.ECE
	}
	l.hasReply = true
}

func (c *Conn) syncookieOptions() uint32 {
	n := uint32(15) // no scale
	if c.is(useScale) {
		n = uint32(c.snd.scale)
	}
	if c.is(useSACK) {
		n |= 1 << 4
	}
	if c.is(useECN) {
		n |= 1 << 5
	}
	return n
}

// syncookie is the sequence number for the minute of now.
func (l *Listener) syncookie(now time.Time, s *wire.Segment, irs, index uint32) uint32 {
	minute := uint64(now.Unix() / int64(syncookiePeriod/time.Second))
	extra := uint64(irs)<<32 | minute<<3&0xffffffff | uint64(index)
	mac := uint32(l.cfg.hash(hashSYNCookie, s.Dst, s.Src, extra)) & 0xffffff
	return uint32(minute&31)<<27 | index<<24 | mac
}

// syncookieAnswered makes a connection of the ACK that answers a SYN cookie; nil
// if it makes none. It reports whether the ACK belongs, as far as can be told, to
// a cookie: if so, it is not to be answered by a reset.
//
// Only the first segment after the SYN-ACK tells the sequence number that the
// cookie was made for. If it is lost or late, another comes before it: that is
// passed over, and the client sends both again.
func (l *Listener) syncookieAnswered(now time.Time, s *wire.Segment) (c *Conn, known bool) {
	if s.Flags.Has(wire.SYN) || l.overflow.IsZero() || now.Sub(l.overflow) > syncookiePeriods*syncookiePeriod {
		return nil, false
	}
	cookie, index := s.Ack-1, (s.Ack-1)>>24&7
	valid := false
	for i := range syncookiePeriods {
		made := l.syncookie(now.Add(-time.Duration(i)*syncookiePeriod), s, s.Seq-1, index)
		valid = valid || made == cookie
		known = known || made>>27 == cookie>>27 // the minute
	}
	if !valid {
		l.Stats.SyncookiesFail++
		return nil, known
	}
	l.Stats.SyncookiesRecv++
	if len(l.queue) > or(l.lc.Backlog, 128) {
		l.Stats.ListenOverflows++
		return nil, true
	}
	c = newPassive(now, l, l.syncookieSYN(s, syncookieMSS[index]))
	c.startAt(cookie)
	l.waiting = append(l.waiting, c)
	l.halfOpen++
	c.set(counted)
	c.Receive(now, s)
	return c, true
}

// syncookieSYN is the SYN as far as it can be told from the ACK.
func (l *Listener) syncookieSYN(s *wire.Segment, mss uint16) *wire.Segment {
	syn := &wire.Segment{Src: s.Src, Dst: s.Dst, Seq: s.Seq - 1, Flags: wire.SYN, Window: s.Window}
	syn.Options.MSS = mss
	if o := &s.Options; o.Timestamps {
		syn.Options.Timestamps, syn.Options.TSVal = true, o.TSVal
		kept := o.TSEcr & (1<<syncookieBits - 1)
		if kept&15 != 15 {
			syn.Options.WindowScale = uint8(kept&15) + 1
		}
		syn.Options.SACKPermitted = kept&(1<<4) != 0
		if kept&(1<<5) != 0 {
			syn.Flags |= wire.ECE | wire.CWR
		}
	}
	return syn
}
