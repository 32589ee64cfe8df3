package wire

import (
	"encoding/binary"
	"net/netip"
)

const (
	ipv6HeaderLen = 40

	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extAuth        = 51
	extDestination = 60

	// More extension headers than any real sender uses. A bound, so that a
	// packet of nothing but headers costs little.
	maxExtensions = 8
)

// https://www.rfc-editor.org/rfc/rfc8200#section-3
func parseIPv6(b []byte) (h IP, payload []byte, ok bool) {
	if len(b) < ipv6HeaderLen {
		return IP{}, nil, false
	}
	total := ipv6HeaderLen + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return IP{}, nil, false
	}
	first := binary.BigEndian.Uint32(b)
	h = IP{
		Src:          netip.AddrFrom16([16]byte(b[8:24])),
		Dst:          netip.AddrFrom16([16]byte(b[24:40])),
		Protocol:     b[6],
		TrafficClass: uint8(first >> 20),
		FlowLabel:    first & 0xfffff,
		HopLimit:     b[7],
		DontFragment: true,
		HeaderLen:    ipv6HeaderLen,
	}
	// An IPv4-mapped address on the wire would be taken for IPv4 by
	// everything that unmaps (cookies do): such packets are forged.
	// https://www.rfc-editor.org/rfc/rfc4942#section-2.2
	if h.Src.Is4In6() || h.Dst.Is4In6() {
		return IP{}, nil, false
	}
	return h.skipExtensions(b[:total:total])
}

// skipExtensions walks the chain of extension headers and stops at the first
// that is none, or at the payload of a fragment that is not the first, where
// the next header's bytes are in another packet.
//
// https://www.rfc-editor.org/rfc/rfc8200#section-4
func (h IP) skipExtensions(b []byte) (IP, []byte, bool) {
	for i := 0; ; i++ {
		rest := b[h.HeaderLen:]
		switch h.Protocol {
		case extHopByHop, extRouting, extDestination, extAuth, extFragment:
			if i == maxExtensions || len(rest) < 8 {
				return IP{}, nil, false
			}
		default:
			return h, rest, true
		}
		size := 8 * (int(rest[1]) + 1)
		switch h.Protocol {
		case extHopByHop:
			// "[...] a Next Header value of zero in any header other
			// than an IPv6 header" is an error.
			// https://www.rfc-editor.org/rfc/rfc8200#section-4
			if i != 0 {
				return IP{}, nil, false
			}
		case extRouting:
			// With segments left, we are not the last destination.
			if rest[3] != 0 {
				return IP{}, nil, false
			}
		case extAuth:
			size = 4 * (int(rest[1]) + 2)
		case extFragment:
			if h.IsFragment() {
				return IP{}, nil, false
			}
			size = 8
			word := binary.BigEndian.Uint16(rest[2:])
			h.FragmentOffset = word &^ 7
			h.MoreFragments = word&1 != 0
			h.ID = binary.BigEndian.Uint32(rest[4:])
			if int(h.FragmentOffset)+len(rest)-8 > 65535 {
				return IP{}, nil, false
			}
		}
		if size > len(rest) {
			return IP{}, nil, false
		}
		next := rest[0]
		h.HeaderLen += size
		fragment := h.Protocol == extFragment && h.FragmentOffset != 0
		h.Protocol = next
		if fragment {
			return h, b[h.HeaderLen:], true
		}
	}
}

func (h *IP) appendIPv6(dst []byte, payloadLen int) []byte {
	fragment := h.IsFragment()
	next := h.Protocol
	if fragment {
		next, payloadLen = extFragment, payloadLen+8
	}
	src, dest := h.Src.As16(), h.Dst.As16()
	dst = binary.BigEndian.AppendUint32(dst, 6<<28|uint32(h.TrafficClass)<<20|h.FlowLabel&0xfffff)
	dst = binary.BigEndian.AppendUint16(dst, uint16(payloadLen))
	dst = append(dst, next, h.hopLimit())
	dst = append(dst, src[:]...)
	dst = append(dst, dest[:]...)
	if fragment {
		word := h.FragmentOffset &^ 7
		if h.MoreFragments {
			word |= 1
		}
		dst = append(dst, h.Protocol, 0)
		dst = binary.BigEndian.AppendUint16(dst, word)
		dst = binary.BigEndian.AppendUint32(dst, h.ID)
	}
	return dst
}
