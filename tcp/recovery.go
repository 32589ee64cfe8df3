package tcp

// phase is what congestion recovery is doing.
type phase uint8

const (
	open       phase = iota // nothing wrong
	reduced                 // window reduced for a congestion mark: once a window
	recovering              // fast recovery
	timedOut                // after a retransmission timeout
)

// frtoStep is how far the test for a spurious timeout has got.
type frtoStep uint8

const (
	frtoOff  frtoStep = iota
	frtoHead          // only the first segment was sent again
	frtoNew           // it was acknowledged: new data goes out instead of old
)

// recovery is an episode of loss: how fast to send in it, and how to take it
// back if nothing was lost.
type recovery struct {
	phase             phase
	frto              frtoStep // RFC 5682
	force             bool     // the first retransmission of an episode goes out whatever the window
	undoable, stamped bool
	point             uint32 // RecoveryPoint: the episode ends when this is acknowledged
	// Proportional rate reduction, in bytes.
	fs             uint32 // RecoverFS
	delivered, out uint32 // prr_delivered, prr_out
	// Undo.
	stamp  uint32 // TSval of the first retransmission, if stamped: Eifel, RFC 3522
	resent int32  // bytes sent again and not yet reported as duplicates: RFC 3708
	before *saved // kept from the first episode on
}

// enter starts an episode.
func (r *recovery) enter(p phase, nxt, flight uint32, s saved) {
	b := r.before
	if b == nil {
		b = new(saved)
	}
	*b = s
	*r = recovery{phase: p, point: nxt, fs: max(flight, 1), undoable: true, force: p == recovering, before: b}
}

// prr is the window for now: proportional rate reduction, with the conservative
// bound until an ACK shows that retransmissions get through.
//
// https://www.rfc-editor.org/rfc/rfc9937
func (r *recovery) prr(c *congestion, delivered, flight uint32, safe bool) {
	r.delivered += delivered
	var send int64
	if flight > c.ssthresh {
		// Proportional: sndcnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out
		send = (int64(r.delivered)*int64(c.ssthresh)+int64(r.fs)-1)/int64(r.fs) - int64(r.out)
	} else {
		// PRR-CRB; at least what this ACK says has arrived.
		limit := max(int64(r.delivered)-int64(r.out), int64(delivered))
		if safe {
			// PRR-SSRB
			limit += int64(c.mss)
		}
		send = min(int64(c.ssthresh)-int64(flight), limit)
	}
	if r.force {
		send = max(send, int64(c.mss))
	}
	c.cwnd = max(flight+uint32(max(send, 0)), 1)
}

// sent counts what is sent during recovery.
func (r *recovery) sent(n uint32) {
	if r.phase == recovering {
		r.out += n
	}
}

// retransmitted counts a retransmission for the undo tests.
func (r *recovery) retransmitted(n uint32, tsval uint32) {
	r.force = false
	if r.phase != recovering && r.phase != timedOut {
		return
	}
	r.resent += int32(n)
	if !r.stamped {
		r.stamp, r.stamped = tsval, true
	}
}

// early reports whether an ACK that echoes tsecr was caused by the original
// rather than by the retransmission: the Eifel test.
//
// https://www.rfc-editor.org/rfc/rfc3522#section-3.2
func (r *recovery) early(tsecr uint32) bool {
	return r.stamped && before(tsecr, r.stamp)
}

// duplicate takes a D-SACK of n bytes and reports whether by now everything that
// was sent again is known to have been sent for nothing.
//
// https://www.rfc-editor.org/rfc/rfc3708#section-3
func (r *recovery) duplicate(n uint32) bool {
	if !r.undoable || !r.stamped {
		return false
	}
	r.resent -= int32(n)
	return r.resent <= 0
}
