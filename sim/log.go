package sim

import (
	"fmt"

	"github.com/fastopen-go/fastopen/wire"
)

// names keeps what the log needs to tell a connection in numbers that people can
// read: sequence numbers and timestamps from the first of each side, as the host
// that logs has seen them, so that middleboxes which change them do not matter.
type names struct {
	bases map[viewed]base
}

// viewed is one side of a connection in the eyes of a host.
type viewed struct {
	host *Host
	flow
}

type base struct {
	seq, ts uint32
}

// log tells of a segment that the host sends, '>', or receives, '<'.
func (h *Host) log(way byte, s *wire.Segment) {
	if h.net.Log == nil {
		return
	}
	if h.net.names.bases == nil {
		h.net.names.bases = map[viewed]base{}
	}
	port := s.Dst.Port()
	if way == '>' {
		port = s.Src.Port()
	}
	h.net.Logf("%-8s %5d %c %v", h.name, port, way, h.relative(s))
}

// relative returns s with numbers counted from the first of each side.
func (h *Host) relative(s *wire.Segment) wire.Segment {
	bases := h.net.names.bases
	own := viewed{h, flow{s.Src, s.Dst}}
	peer := viewed{h, own.reverse()}
	if b, ok := bases[own]; s.Flags.Has(wire.SYN) && (!ok || b.seq != s.Seq) {
		bases[own] = base{s.Seq, s.Options.TSVal}
		if !s.Flags.Has(wire.ACK) {
			delete(bases, peer) // a new connection on the same ports
		}
	}
	r := *s
	r.Seq -= bases[own].seq
	if s.Flags.Has(wire.ACK) {
		r.Ack -= bases[peer].seq
	}
	if s.Options.Timestamps {
		r.Options.TSVal -= bases[own].ts
		if s.Flags.Has(wire.ACK) {
			r.Options.TSEcr -= bases[peer].ts
		}
	}
	for i := range r.Options.Ranges() {
		r.Options.SACK[i].Start -= bases[peer].seq
		r.Options.SACK[i].End -= bases[peer].seq
	}
	return r
}

func (h *Host) logICMP(m *wire.ICMP) {
	if h.net.Log == nil {
		return
	}
	port, about := uint16(0), ""
	if q, ok := m.QuotedTCP(); ok {
		port = q.Src.Port()
		about = fmt.Sprintf(" about %d", q.Seq-h.net.names.bases[viewed{h, flow{q.Src, q.Dst}}].seq)
	}
	h.net.Logf("%-8s %5d < ICMP type %d code %d mtu %d%s", h.name, port, m.Type, m.Code, m.MTU, about)
}
