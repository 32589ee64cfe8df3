package wire

import (
	"encoding/binary"
	"net/netip"
)

// Flags are the control bits of a TCP header.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.1
type Flags uint8

const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether every bit of f is set.
func (g Flags) Has(f Flags) bool { return g&f == f }

// Any reports whether some bit of f is set.
func (g Flags) Any(f Flags) bool { return g&f != 0 }

const tcpHeaderLen = 20

// Segment is one TCP segment, as the machine takes and gives it.
type Segment struct {
	Src, Dst netip.AddrPort
	Seq, Ack uint32
	Window   uint16
	Urgent   uint16
	Flags    Flags
	// ECN is the codepoint of the IP packet that carries the segment:
	// 0 not capable, 1 ECT(1), 2 ECT(0), 3 congestion experienced.
	ECN uint8
	// Split, when not zero, says that Payload and Rest together are to be
	// cut into segments of at most so many bytes before they reach a wire
	// (segmentation offload). Parse leaves it 0.
	Split   uint16
	Options Options
	// Payload and, following it, Rest are the data: two parts because a
	// send buffer may wrap. Parse sets only Payload, a view into its input.
	Payload, Rest []byte
	// Buffer, if not nil, is where the [Packet] that Payload is of has its
	// Buffer, to be exchanged for another. Parse leaves it nil.
	Buffer **Buffer
}

// Len is the length of the data in bytes.
func (s *Segment) Len() int { return len(s.Payload) + len(s.Rest) }

// SeqLen is how much sequence space the segment occupies: its data, and one
// each for SYN and FIN.
func (s *Segment) SeqLen() uint32 {
	n := uint32(s.Len())
	if s.Flags.Has(SYN) {
		n++
	}
	if s.Flags.Has(FIN) {
		n++
	}
	return n
}

// End is the sequence number after the segment's last.
func (s *Segment) End() uint32 { return s.Seq + s.SeqLen() }

// Parse reads a segment that came from src to dst. It does not copy: Payload is
// a view into b. It reports false for a segment that cannot be trusted to mean
// what it says: cut off, with a bad checksum, or with a port of zero.
// Malformed options do not spoil a segment: those before them count.
func (s *Segment) Parse(src, dst netip.Addr, b []byte, check Checksumming) bool {
	if len(b) < tcpHeaderLen {
		return false
	}
	headerLen := int(b[12]>>4) * 4
	if headerLen < tcpHeaderLen || headerLen > len(b) {
		return false
	}
	if check == Full && Fold(Sum(PseudoHeader(src, dst, ProtocolTCP, len(b)), b)) != 0 {
		return false
	}
	from, to := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if from == 0 || to == 0 {
		return false
	}
	*s = Segment{
		Src:     netip.AddrPortFrom(src, from),
		Dst:     netip.AddrPortFrom(dst, to),
		Seq:     binary.BigEndian.Uint32(b[4:]),
		Ack:     binary.BigEndian.Uint32(b[8:]),
		Flags:   Flags(b[13]),
		Window:  binary.BigEndian.Uint16(b[14:]),
		Urgent:  binary.BigEndian.Uint16(b[18:]),
		Payload: b[headerLen:],
	}
	s.Options.parse(b[tcpHeaderLen:headerLen], s.Flags.Has(SYN))
	return true
}

// HeaderLen is the length of the TCP header with its options, in bytes.
func (s *Segment) HeaderLen() int { return tcpHeaderLen + s.Options.Len() }

// Append writes the TCP header and the data.
func (s *Segment) Append(dst []byte, check Checksumming) []byte {
	start := len(dst)
	dst = s.AppendHeader(dst, check)
	dst = append(dst, s.Payload...)
	dst = append(dst, s.Rest...)
	if check == Full {
		b := dst[start:]
		sum := Sum(PseudoHeader(s.Src.Addr(), s.Dst.Addr(), ProtocolTCP, len(b)), b)
		binary.BigEndian.PutUint16(b[16:], Fold(sum))
	}
	return dst
}

// AppendHeader writes the TCP header alone, for a link that sends the data from
// where it lies. With Partial, the checksum field holds the folded sum of the
// pseudo-header; with Full it is left zero, for the caller to finish.
func (s *Segment) AppendHeader(dst []byte, check Checksumming) []byte {
	start := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, s.Src.Port())
	dst = binary.BigEndian.AppendUint16(dst, s.Dst.Port())
	dst = binary.BigEndian.AppendUint32(dst, s.Seq)
	dst = binary.BigEndian.AppendUint32(dst, s.Ack)
	dst = append(dst, 0, uint8(s.Flags))
	dst = binary.BigEndian.AppendUint16(dst, s.Window)
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, s.Urgent)
	dst = s.Options.append(dst)
	headerLen := len(dst) - start
	dst[start+12] = uint8(headerLen/4) << 4
	if check == Partial {
		sum := fold(PseudoHeader(s.Src.Addr(), s.Dst.Addr(), ProtocolTCP, headerLen+s.Len()))
		binary.BigEndian.PutUint16(dst[start+16:], sum)
	}
	return dst
}

// AppendPacket writes a whole IP packet: "don't fragment" set, the codepoint of
// ECN in the traffic class.
func (s *Segment) AppendPacket(dst []byte, check Checksumming) []byte {
	h := s.IP()
	return s.Append(h.Append(dst, s.HeaderLen()+s.Len()), check)
}

// IP is the header of the packet that AppendPacket writes.
//
// The identification is zero, as it may be: "Originating sources MAY set the
// IPv4 ID field of atomic datagrams to any value."
// https://www.rfc-editor.org/rfc/rfc6864#section-4.1
func (s *Segment) IP() IP {
	return IP{
		Src: s.Src.Addr(), Dst: s.Dst.Addr(), Protocol: ProtocolTCP,
		TrafficClass: s.ECN & 3, DontFragment: true,
	}
}
