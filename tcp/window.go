package tcp

import (
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// announce is the window field of the next segment, and moves the right edge.
//
// The edge moves right by at least the lesser of half the buffer and a segment,
// and never left (SHLD-14).
// https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.2.2
func (c *Conn) announce() uint16 {
	edge := c.rcv.nxt + c.freeSpace()
	if !c.is(finTaken) && after(edge, c.rcv.edge) && edge-c.rcv.edge >= c.sillyStep() {
		// Down to what the scale can express.
		wnd := min((edge-c.rcv.nxt)>>c.rcv.scale, 65535) << c.rcv.scale
		c.rcv.edge = seqMax(c.rcv.edge, c.rcv.nxt+wnd)
	}
	// Up, so that rounding does not take back what was announced; what that
	// adds is granted, too, or the peer would send what is then refused. Not
	// more than one unit, though, or a peer of small segments would never find
	// the window shut.
	wnd, unit := c.rcv.edge-c.rcv.nxt, uint32(1)<<c.rcv.scale
	up := (wnd + unit - 1) >> c.rcv.scale << c.rcv.scale
	if c.in.len()+int(up) <= int(c.rcv.limit+unit) {
		c.rcv.edge = c.rcv.nxt + up
	} else {
		up = wnd
	}
	return uint16(min(up>>c.rcv.scale, 65535))
}

func (c *Conn) freeSpace() uint32 { return uint32(max(int(c.rcv.limit)-c.in.len(), 0)) }

func (c *Conn) sillyStep() uint32 { return min(c.rcv.limit/2, uint32(c.rcv.mss)) }

// offerWindow sends a window update after the application has read, if the
// window would at least double.
//
// That the window of a SYN is not scaled, and so may be far less than there is room
// for, is no reason: the peer has not used half of it, and the next ACK tells.
func (c *Conn) offerWindow() {
	if !c.state.receives() {
		return
	}
	now, could := c.rcv.edge-c.rcv.nxt, min(c.freeSpace(), 65535<<c.rcv.scale)
	if now > 65535/2 && c.rcv.acked-c.rcv.irs <= 65536 && c.rcv.edge-c.rcv.acked <= 65535 {
		return
	}
	if could >= 2*now && could-now >= c.sillyStep() && could > now {
		c.due |= dueAck
	}
}

// tuning raises the receive buffer to what the application reads in a round
// trip, so that the window never limits a sender that the application keeps up
// with: dynamic right-sizing, as in Linux.
type tuning struct {
	fixed  bool
	copied uint32 // bytes read in this round
	most   uint32 // and in the best round so far
	mark   uint32 // a window's worth from here takes a round trip
	since  instant
	rtt    time.Duration // of the data that comes, measured by this end
	at     instant
}

func (u *tuning) start(t instant, nxt uint32) {
	u.since, u.at, u.mark = t, t, nxt
}

// received measures the round trip as a receiver can: by the echo of our
// timestamp, or by how long a whole window takes to come.
func (u *tuning) received(t instant, c *Conn, s *wire.Segment) {
	m := time.Duration(0)
	if c.is(useTimestamps) && s.Options.TSEcr != 0 && s.Len() >= int(c.rcv.mss) {
		age := c.echoed(t, s.Options.TSEcr)
		if age < time.Minute {
			m = max(age, time.Millisecond)
		}
	} else if before(c.rcv.nxt, u.mark) {
		return
	} else {
		if u.at != 0 {
			m = t.sub(u.at)
		}
		u.at, u.mark = t, c.rcv.nxt+c.rcv.limit
	}
	if m > 0 && (u.rtt == 0 || m < u.rtt) {
		u.rtt = m
	} else if m > 0 {
		u.rtt += (m - u.rtt) / 8
	}
}

// read counts n bytes that the application took.
func (u *tuning) read(t instant, c *Conn, n int) {
	limit := uint32(c.cfg.maxReceiveBuffer())
	if !c.is(useScale) {
		limit = min(limit, 65535)
	}
	if u.fixed || c.rcv.limit >= limit {
		return
	}
	u.copied += uint32(n)
	round := u.rtt
	if m := c.rtt.measured(); m != 0 && (round == 0 || m < round) {
		round = m
	}
	if round == 0 || t.sub(u.since) < round {
		return
	}
	if u.copied > u.most {
		// Twice what was read, since the sender's window may double, and
		// more as long as it really does: a loss must not close the
		// window before it is repaired.
		want := 2*uint64(u.copied) + 16*uint64(c.rcv.mss)
		if u.most > 0 {
			want += 2 * (want * uint64(u.copied-u.most) / uint64(u.most))
		}
		u.most = u.copied
		c.rcv.limit = uint32(min(max(uint64(c.rcv.limit), want), uint64(limit)))
	}
	u.copied, u.since = 0, t
}
