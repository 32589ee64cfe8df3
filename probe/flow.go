package probe

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// A flow is one connection made of raw packets: a SYN, what comes back, and as
// much of an answer to it as is needed to leave nothing half-open behind. It
// has no clock and sends nothing itself.
type flow struct {
	trial
	local, target netip.AddrPort
	isn           uint32
	option        tfo.Option // in the SYN, if it has one
	payload       []byte     // in the SYN, or to be sent behind the handshake
	sent          time.Time  // the SYN
	state         flowState
	next          uint32 // the peer's next sequence number
	tsval, tsecr  uint32 // timestamps; tsecr is the peer's latest
	stamped       bool   // the peer uses timestamps
	event         Event
}

type flowState uint8

const (
	awaitsSYNACK flowState = iota
	awaitsByte             // the server's answer to the payload
	settled
)

// syn returns the packet that opens the connection, with the options that
// Linux sends.
func (f *flow) syn() wire.Segment {
	s := f.segment(wire.SYN, f.isn)
	s.Window = 64240
	s.Options = wire.Options{
		MSS: 1460, SACKPermitted: true, Timestamps: true, TSVal: f.tsval, WindowScale: 1 + 7,
		HasFastOpen: f.kind != Plain && f.kind != BareData, FastOpen: f.option,
	}
	if !f.target.Addr().Is4() {
		s.Options.MSS = 1440
	}
	s.Payload = f.early()
	return s
}

// early is the data in the SYN.
func (f *flow) early() []byte {
	if f.kind == Data || f.kind == BareData {
		return f.payload
	}
	return nil
}

// take looks at a segment of the connection that came now, puts down what it
// says, and returns what is to be sent for it. What does not belong to the
// connection is ignored.
func (f *flow) take(now time.Time, s *wire.Segment, erased bool) (out []wire.Segment) {
	if s.Options.Timestamps {
		f.tsecr, f.stamped = s.Options.TSVal, true
	}
	switch {
	case f.state == settled:
		// Our RST was lost, or comes too late for this one.
		if s.Flags.Has(wire.ACK) && !s.Flags.Has(wire.RST) {
			out = append(out, f.rst(s.Ack))
		}
	case f.state == awaitsSYNACK && s.Flags.Has(wire.ACK):
		acked := s.Ack - f.isn - 1
		if acked > uint32(len(f.early())) {
			return nil // of another connection, or nonsense
		}
		switch {
		case s.Flags.Has(wire.RST):
			f.event.Answer, f.event.After = Reset, now.Sub(f.sent)
			f.state = settled
		case s.Flags.Has(wire.SYN):
			out = f.opened(now, s, int(acked), erased)
		}
	case f.state == awaitsByte:
		switch {
		case s.Flags.Has(wire.RST):
			f.event.Detail = "then a RST"
			f.state = settled
		case s.Len() > 0 || s.Flags.Has(wire.FIN):
			if s.Len() > 0 {
				f.event.FirstByte = now.Sub(f.sent)
			} else {
				f.event.Detail = "then closed by the server"
			}
			out = append(out, f.rst(s.Ack))
			f.state = settled
		case s.Flags.Has(wire.SYN):
			// The SYN-ACK again: what we answered was lost.
			out = f.behind(int(s.Ack - f.isn - 1))
		}
	}
	return out
}

// opened takes the SYN-ACK.
func (f *flow) opened(now time.Time, s *wire.Segment, acked int, erased bool) (out []wire.Segment) {
	f.event.Answer, f.event.After, f.event.Acked = SYNACK, now.Sub(f.sent), acked
	f.event.Erased = erased
	f.next = s.Seq + 1
	if s.Len() > 0 {
		// "TFO allows data to be carried in the SYN and SYN-ACK packets":
		// Linux sends none there, FreeBSD may.
		// https://www.rfc-editor.org/rfc/rfc7413
		f.event.FirstByte = now.Sub(f.sent)
	}
	f.state = settled
	switch {
	case f.exchange:
		f.event.Awaited = true
		if f.event.FirstByte == 0 {
			f.state = awaitsByte
			return f.behind(acked)
		}
		fallthrough
	case f.kind == Cookie || f.kind == Data || f.kind == BareData:
		// A server that opened the connection at its SYN counts a RST before
		// the end of the handshake against its limit for a minute (section
		// 5.1), so that probing alone could use that up: the handshake comes
		// first.
		// https://www.rfc-editor.org/rfc/rfc7413#section-5.1
		end := f.isn + 1 + uint32(acked)
		ack := f.segment(wire.ACK, end)
		return append(out, ack, f.rst(end))
	}
	return append(out, f.rst(f.isn+1))
}

// behind ends the handshake and sends the part of the payload of which nothing
// has been acknowledged yet.
func (f *flow) behind(acked int) []wire.Segment {
	if acked < 0 || acked > len(f.payload) {
		return nil
	}
	s := f.segment(wire.ACK, f.isn+1+uint32(acked))
	if rest := f.payload[acked:]; len(rest) > 0 {
		s.Flags |= wire.PSH
		s.Payload = rest
	}
	return []wire.Segment{s}
}

// abandon ends what is still open.
func (f *flow) abandon() (out []wire.Segment) {
	if f.state == awaitsByte {
		out = append(out, f.rst(f.isn+1+uint32(len(f.payload))))
	}
	f.state = settled
	return out
}

// rst is a RST with the sequence number at which the peer takes it at once.
func (f *flow) rst(seq uint32) wire.Segment { return f.segment(wire.RST|wire.ACK, seq) }

func (f *flow) segment(flags wire.Flags, seq uint32) wire.Segment {
	s := wire.Segment{Src: f.local, Dst: f.target, Seq: seq, Flags: flags, Window: 502}
	if flags.Has(wire.ACK) {
		s.Ack = f.next
		s.Options = wire.Options{Timestamps: f.stamped, TSVal: f.tsval, TSEcr: f.tsecr}
	}
	return s
}

// unreachable takes an ICMP error about the SYN.
func (f *flow) unreachable(now time.Time, m *wire.ICMP) {
	if f.state != awaitsSYNACK {
		return
	}
	words := ""
	switch m.Kind {
	case wire.NetUnreachable, wire.HostUnreachable:
		words = "a router has no way there"
	case wire.PortUnreachable, wire.AdminProhibited, wire.ProtocolUnknown:
		words = "a firewall says no"
	case wire.HopLimitExceeded:
		words = "packets go round in circles"
	case wire.PacketTooBig:
		words = fmt.Sprintf("too big: no more than %d bytes pass", m.MTU)
	default:
		return // says nothing about the way
	}
	f.event.Answer, f.event.After, f.event.Detail = Unreachable, now.Sub(f.sent), words
	f.state = settled
}

// A reply is a packet that came: a segment from the target, or an ICMP error
// about one of ours.
type reply struct {
	port    uint16 // ours
	segment wire.Segment
	erased  bool
	icmp    *wire.ICMP
	about   uint32 // sequence number that the error quotes
}

// parseReply reads a packet. It reports false for what is neither.
func parseReply(packet []byte, check wire.Checksumming, local netip.Addr, target netip.AddrPort) (r reply, ok bool) {
	ip, payload, ok := wire.ParseIP(packet)
	if !ok || ip.IsFragment() || ip.Dst != local {
		return reply{}, false
	}
	switch ip.Protocol {
	case wire.ProtocolTCP:
		if ip.Src != target.Addr() || !r.segment.Parse(ip.Src, ip.Dst, payload, check) || r.segment.Src.Port() != target.Port() {
			return reply{}, false
		}
		r.port = r.segment.Dst.Port()
		r.erased = r.segment.Flags.Has(wire.SYN) && !r.segment.Options.HasFastOpen && blanks(payload)
		return r, true
	case wire.ProtocolICMP, wire.ProtocolICMPv6:
		m, ok := wire.ParseICMP(ip.Src, ip.Dst, payload)
		if !ok {
			return reply{}, false
		}
		q, ok := m.QuotedTCP()
		if !ok || q.Dst != target || q.Src.Addr() != local {
			return reply{}, false
		}
		return reply{port: q.Src.Port(), icmp: &m, about: q.Seq}, true
	}
	return reply{}, false
}

// blanks reports whether the options of a TCP header have four or more
// no-operations in a row, which no sender has a reason for: padding to a word
// takes three at most. That is what is left where an option was written over.
func blanks(tcp []byte) bool {
	end := int(tcp[12]>>4) * 4 // parsed before, so it is within tcp
	run := 0
	for o := tcp[20:end]; len(o) > 0; {
		switch {
		case o[0] == nop:
			if run++; run >= 4 {
				return true
			}
			o = o[1:]
			continue
		case o[0] == 0 || len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return false
		default:
			run = 0
			o = o[o[1]:]
		}
	}
	return false
}

const nop = 1
