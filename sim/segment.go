package sim

import (
	"encoding/binary"
	"net/netip"

	"github.com/fastopen-go/fastopen/wire"
)

// segment is a TCP segment and the packet that it came in, for a middlebox that
// changes some bytes and leaves the others as they are.
type segment struct {
	wire.Segment
	ip      []byte // the whole packet, without what follows its stated length
	addrs   []byte // source and destination address, one after the other
	tcp     []byte // header and data
	options []byte
}

// parse finds an unfragmented TCP segment, or returns false. It does not look
// at the TCP checksum: middleboxes do not.
func parse(packet []byte) (s segment, ok bool) {
	h, payload, ok := wire.ParseIP(packet)
	if !ok || h.Protocol != wire.ProtocolTCP || h.IsFragment() ||
		!s.Segment.Parse(h.Src, h.Dst, payload, wire.Unchecked) {
		return segment{}, false
	}
	s.ECN = h.ECN()
	s.ip = packet[:h.HeaderLen+len(payload)]
	s.tcp = s.ip[h.HeaderLen:]
	s.options = s.tcp[20 : len(s.tcp)-s.Len()]
	if s.is4() {
		s.addrs = s.ip[12:20]
	} else {
		s.addrs = s.ip[8:40]
	}
	return s, true
}

func (s *segment) is4() bool { return s.ip[0]>>4 == 4 }

// intact reports whether the TCP checksum is right. A box that makes a packet
// of its own out of another looks first, as its TCP would.
func (s *segment) intact() bool { return wire.Fold(s.sum()) == 0 }

// sum is over all that the TCP checksum covers, itself included.
func (s *segment) sum() uint64 {
	return wire.Sum(wire.Sum(wire.ProtocolTCP+uint64(len(s.tcp)), s.addrs), s.tcp)
}

// edit lets change write to addrs, tcp and options, and corrects the checksums
// by the difference. A wrong one stays wrong, as behind a real middlebox:
// https://www.rfc-editor.org/rfc/rfc1624#section-3
func (s *segment) edit(change func()) {
	before := s.sum()
	change()
	c := uint64(^binary.BigEndian.Uint16(s.tcp[16:]))
	c += uint64(wire.Fold(before)) + uint64(^wire.Fold(s.sum()))
	binary.BigEndian.PutUint16(s.tcp[16:], wire.Fold(c))
	s.finishIP()
}

// cut drops the data after the first n bytes.
func (s *segment) cut(n int) {
	s.edit(func() {
		s.tcp = s.tcp[:len(s.tcp)-s.Len()+n]
		s.ip = s.ip[:len(s.ip)-s.Len()+n]
		s.Payload = s.Payload[:n]
	})
}

// finishIP writes the length and the checksum of the IP header.
func (s *segment) finishIP() {
	if !s.is4() {
		binary.BigEndian.PutUint16(s.ip[4:], uint16(len(s.ip)-40))
		return
	}
	header := s.ip[:len(s.ip)-len(s.tcp)]
	binary.BigEndian.PutUint16(header[2:], uint16(len(s.ip)))
	binary.BigEndian.PutUint16(header[10:], 0)
	binary.BigEndian.PutUint16(header[10:], wire.Fold(wire.Sum(0, header)))
}

func (s *segment) setSeq(n uint32) { binary.BigEndian.PutUint32(s.tcp[4:], n) }
func (s *segment) setAck(n uint32) { binary.BigEndian.PutUint32(s.tcp[8:], n) }

// setEnds changes addresses, of the same family, and ports.
func (s *segment) setEnds(src, dst netip.AddrPort) {
	n := len(s.addrs) / 2
	copy(s.addrs, src.Addr().AsSlice())
	copy(s.addrs[n:], dst.Addr().AsSlice())
	binary.BigEndian.PutUint16(s.tcp, src.Port())
	binary.BigEndian.PutUint16(s.tcp[2:], dst.Port())
}

// Option kinds that boxes look for byte by byte: package wire keeps the values
// of options, not their places.
const (
	optionEnd  = 0
	optionNop  = 1
	optionSACK = 5
	// The Fast Open option, https://www.rfc-editor.org/rfc/rfc7413#section-4.1.1,
	// and the one that preceded it: the option for experiments, with the
	// identifier of this one, https://www.rfc-editor.org/rfc/rfc6994
	optionFastOpen     = 34
	optionExperimental = 254
	experimentFastOpen = 0xf989
)

// eachOption yields each option, kind and length first, in place.
func (s *segment) eachOption(yield func(option []byte) bool) {
	for o := s.options; len(o) > 0 && o[0] != optionEnd; {
		if o[0] == optionNop {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return
		}
		if !yield(o[:o[1]]) {
			return
		}
		o = o[o[1]:]
	}
}

// fastOpen yields each Fast Open option, legal or not, with the length of its
// cookie.
func (s *segment) fastOpen(yield func(option []byte, cookie int) bool) {
	for o := range s.eachOption {
		cookie := -1
		switch {
		case o[0] == optionFastOpen:
			cookie = len(o) - 2
		case o[0] == optionExperimental && len(o) >= 4 && binary.BigEndian.Uint16(o[2:]) == experimentFastOpen:
			cookie = len(o) - 4
		}
		if cookie >= 0 && !yield(o, cookie) {
			return
		}
	}
}

func (s *segment) hasFastOpen() bool {
	for range s.fastOpen {
		return true
	}
	return false
}

// isSYN reports whether the segment is the first of a connection: a SYN, not a
// SYN-ACK.
func (s *segment) isSYN() bool { return s.Flags&(wire.SYN|wire.ACK) == wire.SYN }

// isSYNACK reports whether the segment answers a SYN.
func (s *segment) isSYNACK() bool { return s.Flags.Has(wire.SYN | wire.ACK) }
