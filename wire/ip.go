package wire

import (
	"net/netip"
)

// Protocol numbers of what IP carries here.
const (
	ProtocolICMP   = 1
	ProtocolTCP    = 6
	ProtocolUDP    = 17
	ProtocolICMPv6 = 58
)

// IP is a parsed IPv4 or IPv6 header; the family is that of Src.
type IP struct {
	Src, Dst netip.Addr
	// Protocol is the payload's: for IPv6, the one after all extension
	// headers that were skipped.
	Protocol uint8
	// TrafficClass is the IPv4 type-of-service or IPv6 traffic class octet:
	// DSCP and, in the two low bits, ECN.
	TrafficClass uint8
	// HopLimit is the time to live. Zero is sent as 64.
	HopLimit uint8
	// FlowLabel is IPv6 only, 20 bits.
	FlowLabel uint32
	// ID identifies a fragment's datagram: 16 bits in IPv4, 32 in IPv6.
	ID uint32
	// DontFragment is IPv4's DF bit; IPv6 packets are never fragmented on
	// the way, so it reads true there.
	DontFragment bool
	// MoreFragments and FragmentOffset (in bytes) describe a fragment.
	MoreFragments  bool
	FragmentOffset uint16
	// Options are the raw IPv4 options, a view into the parsed packet.
	Options []byte
	// HeaderLen is how many bytes came before the payload.
	HeaderLen int
}

// ParseIP reads the header of one IP packet. The payload is a view into b, cut
// to the length that the header states. It reports false for what no host
// should accept: a wrong version, a length beyond b, a bad IPv4 header
// checksum, an extension header that cannot be skipped safely.
func ParseIP(b []byte) (h IP, payload []byte, ok bool) {
	if len(b) == 0 {
		return IP{}, nil, false
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b)
	case 6:
		return parseIPv6(b)
	}
	return IP{}, nil, false
}

// Append writes the header for a payload of payloadLen bytes. Options longer
// than 40 bytes, or not a multiple of four, are left out.
func (h *IP) Append(dst []byte, payloadLen int) []byte {
	if h.Src.Is4() {
		return h.appendIPv4(dst, payloadLen)
	}
	return h.appendIPv6(dst, payloadLen)
}

// ECN is the congestion notification codepoint: 0 not capable, 1 ECT(1),
// 2 ECT(0), 3 congestion experienced.
//
// https://www.rfc-editor.org/rfc/rfc3168#section-5
func (h *IP) ECN() uint8 { return h.TrafficClass & 3 }

// IsFragment reports whether the packet is only a part of a datagram.
func (h *IP) IsFragment() bool { return h.MoreFragments || h.FragmentOffset != 0 }

func (h *IP) hopLimit() uint8 {
	if h.HopLimit == 0 {
		return 64
	}
	return h.HopLimit
}
