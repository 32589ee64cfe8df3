package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/wire"
)

// A step is a packet on its way, told in words.
type step struct {
	toServer bool
	fromBox  bool          // made by the middlebox, half way
	sent     time.Duration // since the exchange began
	arrived  time.Duration // negative if it did not
	eaten    bool          // by the middlebox; otherwise it was lost, if it did not arrive
	changed  string        // what the middlebox did to it
	label    string
	bytes    int  // of data
	bare     bool // nothing but an acknowledgement
}

// readSteps pairs what the taps along the path have seen. Every packet takes the
// same time, so what was sent at one moment is what arrives half a round trip
// later.
func readSteps(began time.Time, rtt time.Duration, taps *[4]sim.Tap) (steps []step) {
	t := teller{syns: map[netip.AddrPort]sim.Seen{}, data: map[uint32]bool{}}
	for i := range taps {
		for _, dir := range []sim.Dir{sim.AtoB, sim.BtoA} {
			t.seen[dir][i] = taps[i].Seen(func(s sim.Seen) bool { return s.Dir == dir })
		}
	}
	// Taps in the order in which each direction meets them.
	slices.Reverse(t.seen[sim.BtoA][:])
	quarter := rtt / 4
	for dir := range t.seen {
		legs := &t.seen[dir]
		first, second := quarter, rtt/2-quarter
		if sim.Dir(dir) == sim.BtoA {
			first, second = second, first
		}
		for _, s := range legs[0] {
			st := step{toServer: sim.Dir(dir) == sim.AtoB, sent: s.At.Sub(began), arrived: -1, bytes: s.Len}
			if before, ok := take(&legs[1], s, first); ok {
				behind, passed := take(&legs[2], before, 0)
				st.eaten = !passed
				if passed {
					st.changed = difference(&before, &behind)
					if at, ok := take(&legs[3], behind, second); ok {
						st.arrived = at.At.Sub(began)
					}
				}
			}
			t.tell(&st, s)
			steps = append(steps, st)
		}
		for _, s := range legs[2] { // nobody has sent it
			st := step{toServer: sim.Dir(dir) == sim.AtoB, fromBox: true, sent: s.At.Sub(began), arrived: -1, bytes: s.Len}
			if at, ok := take(&legs[3], s, second); ok {
				st.arrived = at.At.Sub(began)
			}
			t.tell(&st, s)
			steps = append(steps, st)
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.sent - b.sent) })
	return steps
}

// take removes and returns the packet among list that s became after d.
func take(list *[]sim.Seen, s sim.Seen, d time.Duration) (sim.Seen, bool) {
	at := s.At.Add(d)
	like := func(o sim.Seen) bool {
		return o.At.Equal(at) && o.TCP == s.TCP && o.SYN == s.SYN && o.ACK == s.ACK && o.FIN == s.FIN && o.RST == s.RST
	}
	i := slices.IndexFunc(*list, func(o sim.Seen) bool { return like(o) && o.Seq == s.Seq && o.Len == s.Len })
	if i < 0 {
		i = slices.IndexFunc(*list, like)
	}
	if i < 0 {
		return sim.Seen{}, false
	}
	found := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return found, true
}

// difference says what the middlebox did to a packet.
func difference(a, b *sim.Seen) string {
	switch {
	case a.Len != b.Len && b.Len == 0:
		return "data removed"
	case a.Len != b.Len:
		return fmt.Sprintf("%d bytes left", b.Len)
	case a.FastOpen && !b.FastOpen:
		return "option removed"
	case a.Src != b.Src || a.Dst != b.Dst:
		return "other address"
	case a.SYN && a.Seq != b.Seq:
		return "other numbers"
	case a.SYN && a.ACK && a.Ack != b.Ack && a.Seq == b.Seq:
		return "acknowledges less"
	}
	return ""
}

// A teller knows what was said so far.
type teller struct {
	seen [2][4][]sim.Seen
	syns map[netip.AddrPort]sim.Seen // by the client's address and port
	data map[uint32]bool
}

// tell puts a packet into words.
func (t *teller) tell(st *step, s sim.Seen) {
	switch {
	case !s.TCP:
		st.label = "ICMP"
		if h, body, ok := wire.ParseIP(s.Packet); ok {
			if m, ok := wire.ParseICMP(h.Src, h.Dst, body); ok && m.Kind == wire.PacketTooBig {
				st.label = fmt.Sprintf("ICMP: %d bytes at most", m.MTU)
			}
		}
	case s.RST:
		st.label = "reset"
	case s.SYN && !s.ACK:
		st.label = t.syn(s)
	case s.SYN:
		st.label = "SYN-ACK"
		if s.FastOpen && s.Cookie > 0 {
			st.label += ", brings a cookie"
		}
		if first, ok := t.syns[s.Dst]; ok && s.Ack == first.Seq+1+uint32(first.Len) && first.Len > 0 {
			st.label += ", has the request"
		}
	case s.Len > 0:
		what := "answer"
		if st.toServer {
			what = "request"
		}
		if t.data[s.Seq] {
			what += " again"
		}
		t.data[s.Seq] = true
		st.label = fmt.Sprintf("%s (%d bytes)", what, s.Len)
	default:
		st.label, st.bare = "ACK", !s.FIN
		if s.FIN {
			st.label = "FIN"
		}
	}
}

func (t *teller) syn(s sim.Seen) string {
	label := "SYN"
	if _, ok := t.syns[s.Src]; ok {
		label = "SYN again"
		if !s.FastOpen && s.Len == 0 {
			label = "plain SYN"
		}
	} else {
		t.syns[s.Src] = s
	}
	switch {
	case s.FastOpen && s.Cookie == 0:
		label += ", asks for a cookie"
	case s.FastOpen:
		label += ", cookie"
	}
	if s.Len > 0 {
		t.data[s.Seq+1] = true
		label += fmt.Sprintf(", request (%d bytes)", s.Len)
	}
	return label
}
