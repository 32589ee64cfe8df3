package wire

import (
	"encoding/binary"
	"net/netip"
)

const ipv4HeaderLen = 20

// https://www.rfc-editor.org/rfc/rfc791#section-3.1
func parseIPv4(b []byte) (h IP, payload []byte, ok bool) {
	if len(b) < ipv4HeaderLen {
		return IP{}, nil, false
	}
	headerLen := int(b[0]&15) * 4
	total := int(binary.BigEndian.Uint16(b[2:]))
	if headerLen < ipv4HeaderLen || headerLen > total || total > len(b) {
		return IP{}, nil, false
	}
	// "A host MUST verify the IP header checksum on every received datagram
	// and silently discard every datagram that has a bad checksum."
	// https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.2
	if Fold(Sum(0, b[:headerLen])) != 0 {
		return IP{}, nil, false
	}
	flags := binary.BigEndian.Uint16(b[6:])
	h = IP{
		Src:            netip.AddrFrom4([4]byte(b[12:16])),
		Dst:            netip.AddrFrom4([4]byte(b[16:20])),
		Protocol:       b[9],
		TrafficClass:   b[1],
		HopLimit:       b[8],
		ID:             uint32(binary.BigEndian.Uint16(b[4:])),
		DontFragment:   flags&0x4000 != 0,
		MoreFragments:  flags&0x2000 != 0,
		FragmentOffset: flags & 0x1fff * 8,
		Options:        b[ipv4HeaderLen:headerLen],
		HeaderLen:      headerLen,
	}
	payload = b[headerLen:total:total]
	// A fragment whose end lies beyond 65535 cannot be part of anything
	// ("ping of death").
	if int(h.FragmentOffset)+headerLen+len(payload) > 65535 {
		return IP{}, nil, false
	}
	return h, payload, true
}

func (h *IP) appendIPv4(dst []byte, payloadLen int) []byte {
	options := h.Options
	if len(options) > 40 || len(options)&3 != 0 {
		options = nil
	}
	start := len(dst)
	headerLen := ipv4HeaderLen + len(options)
	flags := h.FragmentOffset / 8
	if h.DontFragment {
		flags |= 0x4000
	}
	if h.MoreFragments {
		flags |= 0x2000
	}
	src, dest := h.Src.As4(), h.Dst.As4()
	dst = append(dst, 0x40|uint8(headerLen/4), h.TrafficClass)
	dst = binary.BigEndian.AppendUint16(dst, uint16(headerLen+payloadLen))
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.ID))
	dst = binary.BigEndian.AppendUint16(dst, flags)
	dst = append(dst, h.hopLimit(), h.Protocol, 0, 0)
	dst = append(dst, src[:]...)
	dst = append(dst, dest[:]...)
	dst = append(dst, options...)
	binary.BigEndian.PutUint16(dst[start+10:], Fold(Sum(0, dst[start:])))
	return dst
}
