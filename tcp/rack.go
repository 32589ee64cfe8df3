package tcp

import "time"

// rack detects losses by time: a stretch is lost when one that was sent
// sufficiently later has been delivered.
//
// https://www.rfc-editor.org/rfc/rfc8985
type rack struct {
	xmit instant       // RACK.xmit_ts: when the newest delivered stretch was sent
	end  uint32        // RACK.end_seq
	rtt  time.Duration // RACK.rtt

	reordered bool   // RACK.reordering_seen
	mult      uint8  // RACK.reo_wnd_mult, less one
	persist   uint8  // RACK.reo_wnd_persist
	inRound   bool   // RACK.dsack_round is set
	round     uint32 // RACK.dsack_round
}

// update takes a stretch that was delivered: step 2 of section 6.2.
func (r *rack) update(now instant, e *sent, minRTT time.Duration, spurious bool) {
	rtt := now.sub(e.at)
	// An ACK that came faster than any round trip, or that echoes a timestamp
	// from before, is likely not for the retransmission.
	if e.flags&resent != 0 && (spurious || rtt < minRTT) {
		return
	}
	r.rtt = rtt
	if e.at > r.xmit || e.at == r.xmit && after(e.end, r.end) {
		r.xmit, r.end = e.at, e.end
	}
}

// reordering notes that a stretch sent once was delivered below the highest
// that had been delivered before: step 3.
func (r *rack) reordering() { r.reordered = true }

// duplicate adapts the reordering window when a D-SACK says that something was
// sent again for nothing: step 4.
func (r *rack) duplicate(una, nxt uint32) {
	if r.inRound && !before(una, r.round) {
		r.inRound = false
	}
	if !r.inRound {
		r.inRound, r.round = true, nxt
		r.mult = min(r.mult+1, 100)
		r.persist = 16
	}
}

// recovered counts down to the default window at the end of a recovery.
func (r *rack) recovered() {
	if r.persist > 0 {
		r.persist--
	} else {
		r.mult = 0
	}
}

// window is RACK_update_reo_wnd. Before any reordering was seen, it is zero as
// soon as three segments' worth has been sacked, or in recovery.
func (r *rack) window(srtt, minRTT time.Duration, recovering bool, sackedSegments uint32) time.Duration {
	if !r.reordered && (recovering || sackedSegments >= 3) {
		return 0
	}
	return min(time.Duration(r.mult+1)*minRTT/4, srtt)
}

// detect marks what is lost and returns how long to wait before what is not yet
// may be: RACK_detect_loss, step 5. It returns the bytes newly lost.
func (r *rack) detect(now instant, b *scoreboard, window time.Duration) (newlyLost uint32, wait time.Duration) {
	for i := range b.q {
		e := &b.q[i]
		if e.flags&sacked != 0 || e.flags&(lost|again) == lost {
			continue
		}
		if e.at > r.xmit || e.at == r.xmit && !before(e.end, r.end) {
			// Later entries were sent later still, unless sent again.
			if b.lostBytes|b.pendingBytes == 0 && e.at > r.xmit {
				break
			}
			continue
		}
		if remaining := e.at.add(r.rtt + window).sub(now); remaining > 0 {
			wait = max(wait, remaining)
			continue
		}
		b.lose(i)
		newlyLost += e.len()
	}
	return newlyLost, wait
}

// probe is the tail loss probe: section 7.
type probe struct {
	end    uint32 // TLP.end_seq
	active bool
	resent bool // TLP.is_retrans
}

// timeout is TLP_calc_PTO. ackDelay is the peer's longest delay of an ACK,
// added when only one segment is out, because that one it may delay.
func (p *probe) timeout(srtt time.Duration, flight, mss uint32) time.Duration {
	if srtt == 0 {
		return time.Second
	}
	d := 2 * srtt
	if flight <= mss {
		return d + maxAckDelay
	}
	return d + 2*time.Millisecond
}

// maxAckDelay is WCDelAckT.
const maxAckDelay = 200 * time.Millisecond

// answer is TLP_process_ack: it reports that the probe repaired a loss, to
// which congestion control has to respond.
func (p *probe) answer(ack uint32, duplicate bool, pureDup bool) (repaired bool) {
	switch {
	case !p.active || before(ack, p.end):
		return false
	case !p.resent:
		p.active = false // new data was delivered
	case duplicate:
		p.active = false // the original came as well: nothing was lost
	case after(ack, p.end):
		p.active = false
		return true
	case !pureDup:
		p.active = false
		return true
	}
	return false
}
