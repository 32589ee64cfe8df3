package wire

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Checksumming says how a transport checksum is treated when a packet crosses
// the boundary between the machine and a link.
type Checksumming uint8

const (
	// Full computes the checksum of what is sent and verifies that of what
	// is received.
	Full Checksumming = iota
	// Partial writes only the sum of the pseudo-header, not complemented,
	// as a link with transmit checksum offload wants it
	// (VIRTIO_NET_HDR_F_NEEDS_CSUM), and on receipt trusts the link.
	Partial
	// Unchecked writes zero and, on receipt, trusts the link.
	Unchecked
)

// Sum adds b to a running one's complement sum. The bytes summed before it
// must have been even in number; see [Join] for the other case.
// Start with 0 and end with [Fold].
//
// RFC 1071: https://www.rfc-editor.org/rfc/rfc1071#section-1
func Sum(acc uint64, b []byte) uint64 {
	var carry uint64
	if len(b) >= 256 {
		n := len(b) &^ 63
		acc, carry = bits.Add64(acc, sumLong(b[:n]), 0)
		acc += carry
		b, carry = b[n:], 0
	}
	for len(b) >= 32 {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b[8:]), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b[16:]), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b[24:]), carry)
		b = b[32:]
	}
	for len(b) >= 8 {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(b), carry)
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		copy(last[:], b)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(last[:]), carry)
	}
	acc, carry = bits.Add64(acc, 0, carry)
	return acc + carry
}

// sumLong is the sum of a multiple of 64 bytes. It adds words as they lie in
// memory, and swaps the bytes of the result: "the sum of 16-bit integers can be
// computed in either byte order". Of two sums beside each other, neither waits for
// the other's carry.
//
// https://www.rfc-editor.org/rfc/rfc1071#section-2
func sumLong(b []byte) uint64 {
	var x, y, c, d uint64
	for len(b) >= 64 {
		x, c = bits.Add64(x, binary.LittleEndian.Uint64(b), 0)
		x, c = bits.Add64(x, binary.LittleEndian.Uint64(b[8:]), c)
		x, c = bits.Add64(x, binary.LittleEndian.Uint64(b[16:]), c)
		x, c = bits.Add64(x, binary.LittleEndian.Uint64(b[24:]), c)
		x += c
		y, d = bits.Add64(y, binary.LittleEndian.Uint64(b[32:]), 0)
		y, d = bits.Add64(y, binary.LittleEndian.Uint64(b[40:]), d)
		y, d = bits.Add64(y, binary.LittleEndian.Uint64(b[48:]), d)
		y, d = bits.Add64(y, binary.LittleEndian.Uint64(b[56:]), d)
		y += d
		b = b[64:]
	}
	x, c = bits.Add64(x, y, 0)
	return bits.ReverseBytes64(x + c)
}

// Join adds to acc, the sum of before bytes, the sum of the bytes that follow
// them. A sum that starts at an odd offset has its bytes swapped.
func Join(acc uint64, before int, sum uint64) uint64 {
	if before&1 != 0 {
		sum = uint64(bits.ReverseBytes16(fold(sum)))
	}
	acc, carry := bits.Add64(acc, sum, 0)
	return acc + carry
}

// Fold finishes a sum: the 16-bit one's complement that goes into a header.
// Over a packet whose checksum is right, header field included, it is 0.
func Fold(acc uint64) uint16 { return ^fold(acc) }

// PseudoHeader is the sum over the pseudo-header that TCP and ICMPv6 checksums
// cover. Both addresses must be of one family.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.1
// https://www.rfc-editor.org/rfc/rfc8200#section-8.1
func PseudoHeader(src, dst netip.Addr, protocol uint8, length int) uint64 {
	acc := uint64(protocol) + uint64(length)
	if src.Is4() && dst.Is4() {
		s, d := src.As4(), dst.As4()
		return acc + uint64(binary.BigEndian.Uint32(s[:])) + uint64(binary.BigEndian.Uint32(d[:]))
	}
	s, d := src.As16(), dst.As16()
	return Sum(Sum(acc, s[:]), d[:])
}

func fold(acc uint64) uint16 {
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>32 + acc&0xffffffff
	acc = acc>>16 + acc&0xffff
	acc = acc>>16 + acc&0xffff
	return uint16(acc)
}
