package wire

import (
	"encoding/binary"
	"net/netip"
)

// ICMPKind is what an ICMP message means, the same for both families.
type ICMPKind uint8

const (
	ICMPOther         ICMPKind = iota // a message that no one here acts on
	EchoRequest                       // answer with EchoReply
	EchoReply                         //
	NetUnreachable                    // no route; also address unreachable in IPv6
	HostUnreachable                   //
	ProtocolUnknown                   // the host speaks no such protocol
	PortUnreachable                   //
	PacketTooBig                      // MTU says how big is not
	AdminProhibited                   // a filter said no
	HopLimitExceeded                  // time to live
	ReassemblyTimeout                 // fragments were lost
	ParameterProblem                  //
	SourceQuench                      // deprecated: RFC 6633 says ignore
)

// ICMP is a parsed ICMP or ICMPv6 message.
type ICMP struct {
	Kind       ICMPKind
	Type, Code uint8
	// MTU is the next hop's, of PacketTooBig; 0 from routers older than
	// RFC 1191.
	MTU uint32
	// Quote is of errors: the start of the offending packet.
	// Body is of echoes: identifier, sequence number, data.
	Quote, Body []byte
}

// Quoted is the TCP header that an ICMP error quotes: what we sent, so Src is
// ours. Only the first eight bytes are guaranteed to be there.
//
// https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2
type Quoted struct {
	Src, Dst netip.AddrPort
	Seq      uint32
}

// ParseICMP reads a message between src and dst and verifies its checksum.
func ParseICMP(src, dst netip.Addr, b []byte) (m ICMP, ok bool) {
	if len(b) < 8 {
		return ICMP{}, false
	}
	sum, kinds := uint64(0), icmpv4Kinds
	if !src.Is4() {
		sum, kinds = PseudoHeader(src, dst, ProtocolICMPv6, len(b)), icmpv6Kinds
	}
	if Fold(Sum(sum, b)) != 0 {
		return ICMP{}, false
	}
	m = ICMP{Type: b[0], Code: b[1]}
	for _, k := range kinds {
		if k.typ == m.Type && (k.code == anyCode || k.code == int16(m.Code)) {
			m.Kind = k.kind
			break
		}
	}
	switch {
	case m.Kind == EchoRequest || m.Kind == EchoReply:
		m.Body = b[4:]
	case m.Kind != ICMPOther:
		m.Quote = b[8:]
		if m.Kind == PacketTooBig {
			m.MTU = binary.BigEndian.Uint32(b[4:])
			if src.Is4() {
				m.MTU &= 0xffff
			}
		}
	}
	return m, true
}

// Append writes the message, its type and code taken from Kind unless Kind is
// ICMPOther. The quote is cut so that the whole IP packet stays within the
// minimum MTU, as both families ask.
func (m *ICMP) Append(dst []byte, src, dest netip.Addr) []byte {
	start := len(dst)
	typ, code, kinds, room := m.Type, m.Code, icmpv4Kinds, 576-ipv4HeaderLen-8
	if !src.Is4() {
		kinds, room = icmpv6Kinds, 1280-ipv6HeaderLen-8
	}
	for _, k := range kinds {
		if m.Kind != ICMPOther && k.kind == m.Kind {
			typ, code = k.typ, uint8(max(k.code, 0))
			break
		}
	}
	dst = append(dst, typ, code, 0, 0)
	if m.Kind == EchoRequest || m.Kind == EchoReply {
		dst = append(dst, m.Body...)
	} else {
		dst = binary.BigEndian.AppendUint32(dst, m.MTU)
		dst = append(dst, m.Quote[:min(len(m.Quote), room)]...)
	}
	sum := uint64(0)
	if !src.Is4() {
		sum = PseudoHeader(src, dest, ProtocolICMPv6, len(dst)-start)
	}
	binary.BigEndian.PutUint16(dst[start+2:], Fold(Sum(sum, dst[start:])))
	return dst
}

// QuotedTCP reads the segment that an error quotes. It reports false when the
// quote is of something else or is too short to be validated.
func (m *ICMP) QuotedTCP() (q Quoted, ok bool) { return m.quoted(ProtocolTCP) }

// QuotedUDP reads the datagram that an error quotes, without Seq. It reports false
// when the quote is of something else or too short.
func (m *ICMP) QuotedUDP() (q Quoted, ok bool) {
	q, ok = m.quoted(ProtocolUDP)
	q.Seq = 0
	return q, ok
}

func (m *ICMP) quoted(protocol uint8) (q Quoted, ok bool) {
	h, rest, ok := ParseQuotedIP(m.Quote)
	if !ok || h.Protocol != protocol || h.FragmentOffset != 0 || len(rest) < 8 {
		return Quoted{}, false
	}
	return Quoted{
		Src: netip.AddrPortFrom(h.Src, binary.BigEndian.Uint16(rest)),
		Dst: netip.AddrPortFrom(h.Dst, binary.BigEndian.Uint16(rest[2:])),
		Seq: binary.BigEndian.Uint32(rest[4:]),
	}, true
}

// ParseQuotedIP is ParseIP for a packet that was cut short, as ICMP errors quote
// it, and whose header checksum routers may have left stale. Of an IPv4 header, it
// reads addresses, protocol and fragment offset only.
func ParseQuotedIP(b []byte) (h IP, payload []byte, ok bool) {
	if len(b) < ipv4HeaderLen {
		return IP{}, nil, false
	}
	switch b[0] >> 4 {
	case 4:
		n := int(b[0]&15) * 4
		if n < ipv4HeaderLen || n > len(b) {
			return IP{}, nil, false
		}
		return IP{
			Src:            netip.AddrFrom4([4]byte(b[12:16])),
			Dst:            netip.AddrFrom4([4]byte(b[16:20])),
			Protocol:       b[9],
			FragmentOffset: binary.BigEndian.Uint16(b[6:]) & 0x1fff * 8,
			HeaderLen:      n,
		}, b[n:], true
	case 6:
		if len(b) < ipv6HeaderLen {
			return IP{}, nil, false
		}
		h = IP{
			Src:       netip.AddrFrom16([16]byte(b[8:24])),
			Dst:       netip.AddrFrom16([16]byte(b[24:40])),
			Protocol:  b[6],
			HeaderLen: ipv6HeaderLen,
		}
		return h.skipExtensions(b)
	}
	return IP{}, nil, false
}

const anyCode = -1

type icmpCode struct {
	typ  uint8
	code int16
	kind ICMPKind
}

// The first row of a kind is the one that Append writes.
//
// https://www.rfc-editor.org/rfc/rfc792, https://www.rfc-editor.org/rfc/rfc1812#section-5.2.7
var icmpv4Kinds = []icmpCode{
	{0, 0, EchoReply},
	{8, 0, EchoRequest},
	{3, 0, NetUnreachable}, {3, 5, NetUnreachable}, {3, 6, NetUnreachable}, {3, 11, NetUnreachable},
	{3, 1, HostUnreachable}, {3, 7, HostUnreachable}, {3, 8, HostUnreachable}, {3, 12, HostUnreachable},
	{3, 2, ProtocolUnknown},
	{3, 3, PortUnreachable},
	{3, 4, PacketTooBig},
	{3, 13, AdminProhibited}, {3, 9, AdminProhibited}, {3, 10, AdminProhibited},
	{11, 0, HopLimitExceeded},
	{11, 1, ReassemblyTimeout},
	{12, anyCode, ParameterProblem},
	{4, 0, SourceQuench},
}

// https://www.rfc-editor.org/rfc/rfc4443
var icmpv6Kinds = []icmpCode{
	{129, 0, EchoReply},
	{128, 0, EchoRequest},
	{1, 0, NetUnreachable},
	{1, 3, HostUnreachable}, {1, 2, HostUnreachable},
	{1, 4, PortUnreachable},
	{2, anyCode, PacketTooBig},
	{1, 1, AdminProhibited}, {1, 5, AdminProhibited}, {1, 6, AdminProhibited},
	{3, 0, HopLimitExceeded},
	{3, 1, ReassemblyTimeout},
	{4, 1, ProtocolUnknown},
	{4, anyCode, ParameterProblem},
}
