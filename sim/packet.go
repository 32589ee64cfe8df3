package sim

import (
	"encoding/binary"
	"net/netip"
)

// segment is where the parts of an IP packet that carries TCP are.
type segment struct {
	ip      []byte // the whole packet, without what follows its stated length
	addrs   []byte // source and destination address, one after the other
	tcp     []byte // header and data
	options []byte
	data    []byte
}

// TCP flags.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

const (
	protocolTCP = 6
	optionEnd   = 0
	optionNop   = 1
	// The Fast Open option, https://www.rfc-editor.org/rfc/rfc7413#section-4.1.1,
	// and the one that preceded it: the option for experiments, with the
	// identifier of this one, https://www.rfc-editor.org/rfc/rfc6994
	optionFastOpen     = 34
	optionExperimental = 254
	experimentFastOpen = 0xf989
)

// parse finds the parts of an unfragmented TCP segment, or returns false.
func parse(packet []byte) (s segment, ok bool) {
	if len(packet) == 0 {
		return s, false
	}
	header := 40
	switch {
	case packet[0]>>4 == 4 && len(packet) >= 20:
		header = int(packet[0]&15) * 4
		total := int(binary.BigEndian.Uint16(packet[2:]))
		fragment := binary.BigEndian.Uint16(packet[6:])&0x3fff != 0 // offset, or more to come
		if header < 20 || total > len(packet) || total < header || fragment || packet[9] != protocolTCP {
			return s, false
		}
		s.ip, s.addrs = packet[:total], packet[12:20]
	case packet[0]>>4 == 6 && len(packet) >= header:
		total := header + int(binary.BigEndian.Uint16(packet[4:]))
		if total > len(packet) || packet[6] != protocolTCP {
			return s, false
		}
		s.ip, s.addrs = packet[:total], packet[8:40]
	default:
		return s, false
	}
	s.tcp = s.ip[header:]
	if len(s.tcp) < 20 {
		return s, false
	}
	offset := int(s.tcp[12]>>4) * 4
	if offset < 20 || offset > len(s.tcp) {
		return s, false
	}
	s.options, s.data = s.tcp[20:offset], s.tcp[offset:]
	return s, true
}

func (s *segment) flags() byte { return s.tcp[13] }
func (s *segment) seq() uint32 { return binary.BigEndian.Uint32(s.tcp[4:]) }
func (s *segment) ack() uint32 { return binary.BigEndian.Uint32(s.tcp[8:]) }

func (s *segment) ends() (src, dst netip.AddrPort) {
	n := len(s.addrs) / 2
	a, _ := netip.AddrFromSlice(s.addrs[:n])
	b, _ := netip.AddrFromSlice(s.addrs[n:])
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(s.tcp)), netip.AddrPortFrom(b, binary.BigEndian.Uint16(s.tcp[2:]))
}

// fastOpen yields each Fast Open option with the length of its cookie.
func (s *segment) fastOpen(yield func(option []byte, cookie int) bool) {
	for o := s.options; len(o) > 0 && o[0] != optionEnd; {
		if o[0] == optionNop {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return
		}
		option := o[:o[1]]
		o = o[o[1]:]
		cookie := -1
		switch {
		case option[0] == optionFastOpen:
			cookie = len(option) - 2
		case option[0] == optionExperimental && len(option) >= 4 && binary.BigEndian.Uint16(option[2:]) == experimentFastOpen:
			cookie = len(option) - 4
		}
		if cookie >= 0 && !yield(option, cookie) {
			return
		}
	}
}

// checksum returns the one's complement sum that belongs into the TCP header,
// given that it has zero there; with the checksum there, it returns 0.
func (s *segment) checksum() uint16 {
	n := uint32(len(s.tcp))
	return ^fold(sum(s.addrs) + protocolTCP + n>>16 + n&0xffff + sum(s.tcp))
}

// replaced corrects the checksum for bytes that took the place of others, whose
// sum was before, at an even offset. A wrong checksum stays wrong, as behind a
// real middlebox: https://www.rfc-editor.org/rfc/rfc1624#section-3
func (s *segment) replaced(before, after uint32) {
	c := binary.BigEndian.Uint16(s.tcp[16:])
	c = ^fold(uint32(^c) + uint32(^fold(before)) + after)
	binary.BigEndian.PutUint16(s.tcp[16:], c)
}

func sum(b []byte) (n uint32) {
	for ; len(b) >= 2; b = b[2:] {
		n += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		n += uint32(b[0]) << 8
	}
	return n
}

func fold(n uint32) uint16 {
	n = n>>16 + n&0xffff
	return uint16(n>>16 + n)
}

// reset returns the answer of a host that has no such connection: section
// 3.10.7.1 of RFC 9293.
func (s *segment) reset() []byte {
	header := len(s.ip) - len(s.tcp)
	if s.ip[0]>>4 == 4 {
		header = 20 // without options
	}
	r := make([]byte, header+20)
	n := len(s.addrs) / 2
	var addrs []byte
	if s.ip[0]>>4 == 4 {
		r[0] = 0x45
		binary.BigEndian.PutUint16(r[2:], uint16(len(r)))
		r[8], r[9] = 64, protocolTCP
		addrs = r[12:20]
	} else {
		r[0] = 0x60
		binary.BigEndian.PutUint16(r[4:], 20)
		r[6], r[7] = protocolTCP, 64
		addrs = r[8:40]
	}
	copy(addrs, s.addrs[n:])
	copy(addrs[n:], s.addrs[:n])
	if r[0] == 0x45 {
		binary.BigEndian.PutUint16(r[10:], ^fold(sum(r[:20])))
	}
	tcp := r[header:]
	copy(tcp, s.tcp[2:4])
	copy(tcp[2:], s.tcp[:2])
	tcp[12] = 5 << 4
	if s.flags()&flagACK != 0 {
		tcp[13] = flagRST
		copy(tcp[4:], s.tcp[8:12])
	} else {
		tcp[13] = flagRST | flagACK
		length := uint32(len(s.data))
		if s.flags()&flagSYN != 0 {
			length++
		}
		if s.flags()&flagFIN != 0 {
			length++
		}
		binary.BigEndian.PutUint32(tcp[8:], s.seq()+length)
	}
	answer := segment{addrs: addrs, tcp: tcp}
	binary.BigEndian.PutUint16(tcp[16:], answer.checksum())
	return r
}
