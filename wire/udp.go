package wire

import (
	"encoding/binary"
	"net/netip"
)

// UDPHeaderLen is the length of a UDP header in bytes.
const UDPHeaderLen = 8

// Datagram is one UDP datagram.
//
// https://www.rfc-editor.org/rfc/rfc768
type Datagram struct {
	Src, Dst netip.AddrPort
	Payload  []byte
}

// Parse reads a datagram that came from src to dst. It does not copy: Payload is
// a view into b. It reports false for one that is cut off, has a bad checksum, or
// is to port 0.
//
// A datagram over IPv4 may come without a checksum. Over IPv6, "IPv6 receivers
// must discard UDP packets containing a zero checksum and should log the error."
// https://www.rfc-editor.org/rfc/rfc8200#section-8.1
func (d *Datagram) Parse(src, dst netip.Addr, b []byte, check Checksumming) bool {
	if len(b) < UDPHeaderLen {
		return false
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n < UDPHeaderLen || n > len(b) {
		return false
	}
	b = b[:n:n]
	if check == Full {
		switch sum := binary.BigEndian.Uint16(b[6:]); {
		case sum == 0 && src.Is4():
		case sum == 0:
			return false
		case Fold(Sum(PseudoHeader(src, dst, ProtocolUDP, n), b)) != 0:
			return false
		}
	}
	*d = Datagram{
		Src:     netip.AddrPortFrom(src, binary.BigEndian.Uint16(b)),
		Dst:     netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:])),
		Payload: b[UDPHeaderLen:],
	}
	return d.Dst.Port() != 0
}

// AppendHeader writes the UDP header alone, with the whole checksum of header and
// Payload. The datagram must not be longer than 65,535 bytes with its header.
func (d *Datagram) AppendHeader(dst []byte) []byte {
	start, n := len(dst), UDPHeaderLen+len(d.Payload)
	dst = binary.BigEndian.AppendUint16(dst, d.Src.Port())
	dst = binary.BigEndian.AppendUint16(dst, d.Dst.Port())
	dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	dst = append(dst, 0, 0)
	sum := Sum(PseudoHeader(d.Src.Addr(), d.Dst.Addr(), ProtocolUDP, n), dst[start:])
	sum = Join(sum, UDPHeaderLen, Sum(0, d.Payload))
	check := Fold(sum)
	if check == 0 {
		// "If the computed checksum is zero, it is transmitted as all
		// ones": zero says that there is none.
		check = 0xffff
	}
	binary.BigEndian.PutUint16(dst[start+6:], check)
	return dst
}
