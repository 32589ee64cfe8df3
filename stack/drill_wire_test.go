//go:build unix

package stack

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/fastopen-go/fastopen/wire"
)

// drillSegment is a TCP segment as it is on the wire, its options in the words of
// a script.
type drillSegment struct {
	local, remote    netip.AddrPort // of the host under test
	seq, ack         uint32
	flags            uint8
	win              uint16
	ecn              uint8
	options          []string
	length           int
	tsVal, tsEcr     uint32
	hasTS            bool
	headerAndPayload []byte
}

const drillFlags = "FSRP.UEW"

func (s *drillSegment) flagText() (text string) {
	for _, f := range "SFRPEW." {
		if s.flags&(1<<strings.IndexRune(drillFlags, f)) != 0 {
			text += string(f)
		}
	}
	return text
}

func drillFlagBits(text string) (flags uint8) {
	for i, f := range drillFlags {
		if strings.ContainsRune(text, f) {
			flags |= 1 << i
		}
	}
	return flags
}

// readDrillSegment reads an IP packet that the host under test has sent; ok is
// false if it is not TCP.
func readDrillSegment(packet []byte) (s drillSegment, ok bool) {
	ip, b, ok := wire.ParseIP(packet)
	if !ok || ip.Protocol != wire.ProtocolTCP || len(b) < 20 {
		return s, false
	}
	if wire.Fold(wire.Sum(wire.PseudoHeader(ip.Src, ip.Dst, wire.ProtocolTCP, len(b)), b)) != 0 {
		panic(fmt.Errorf("a segment was sent with a wrong checksum"))
	}
	s.local = netip.AddrPortFrom(ip.Src, binary.BigEndian.Uint16(b))
	s.remote = netip.AddrPortFrom(ip.Dst, binary.BigEndian.Uint16(b[2:]))
	s.seq, s.ack = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	s.flags, s.win, s.ecn = b[13], binary.BigEndian.Uint16(b[14:]), ip.TrafficClass&3
	n := int(b[12]>>4) * 4
	s.length = len(b) - n
	s.headerAndPayload = slices.Clone(b)
	for o := b[20:n]; len(o) > 0; {
		kind := o[0]
		if kind == 0 {
			s.options = append(s.options, "eol")
			break
		}
		if kind == 1 {
			s.options = append(s.options, "nop")
			o = o[1:]
			continue
		}
		v := o[2:o[1]]
		o = o[o[1]:]
		switch kind {
		case 2:
			s.options = append(s.options, fmt.Sprintf("mss %d", binary.BigEndian.Uint16(v)))
		case 3:
			s.options = append(s.options, fmt.Sprintf("wscale %d", v[0]))
		case 4:
			s.options = append(s.options, "sackOK")
		case 5:
			text := "sack"
			for ; len(v) >= 8; v = v[8:] {
				text += fmt.Sprintf(" %d:%d", binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:]))
			}
			s.options = append(s.options, text)
		case 8:
			s.tsVal, s.tsEcr, s.hasTS = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:]), true
			s.options = append(s.options, "TS")
		case 34:
			s.options = append(s.options, strings.TrimSpace("FO "+hex.EncodeToString(v)))
		case 254:
			s.options = append(s.options, strings.TrimSpace("FOEXP "+hex.EncodeToString(v[2:])))
		default:
			s.options = append(s.options, fmt.Sprintf("kind %d", kind))
		}
	}
	return s, true
}

// packet is the segment as an IP packet from the peer. What its options say of
// times and sequence numbers is that of the wire.
func (s *drillSegment) packet() []byte {
	options := drillOptions(s.options, s)
	n := 20 + len(options) + s.length
	b := make([]byte, n)
	binary.BigEndian.PutUint16(b, s.remote.Port())
	binary.BigEndian.PutUint16(b[2:], s.local.Port())
	binary.BigEndian.PutUint32(b[4:], s.seq)
	binary.BigEndian.PutUint32(b[8:], s.ack)
	b[12], b[13] = uint8(20+len(options))/4<<4, s.flags
	binary.BigEndian.PutUint16(b[14:], s.win)
	copy(b[20:], options)
	sum := wire.Sum(wire.PseudoHeader(s.remote.Addr(), s.local.Addr(), wire.ProtocolTCP, n), b)
	binary.BigEndian.PutUint16(b[16:], wire.Fold(sum))
	ip := wire.IP{Src: s.remote.Addr(), Dst: s.local.Addr(), Protocol: wire.ProtocolTCP, DontFragment: true, TrafficClass: s.ecn}
	return append(ip.Append(nil, n), b...)
}

// drillOptions writes options, padded as packetdrill does: not at all, so that
// they have to come to a multiple of four.
func drillOptions(options []string, s *drillSegment) (b []byte) {
	for _, o := range options {
		word, rest, _ := strings.Cut(o, " ")
		switch word {
		case "mss":
			n, _ := strconv.Atoi(rest)
			b = binary.BigEndian.AppendUint16(append(b, 2, 4), uint16(n))
		case "nop":
			b = append(b, 1)
		case "eol":
			b = append(b, 0)
		case "wscale":
			n, _ := strconv.Atoi(rest)
			b = append(b, 3, 3, uint8(n))
		case "sackOK":
			b = append(b, 4, 2)
		case "TS":
			b = binary.BigEndian.AppendUint32(append(b, 8, 10), s.tsVal)
			b = binary.BigEndian.AppendUint32(b, s.tsEcr)
		case "sack":
			blocks := strings.Fields(rest)
			b = append(b, 5, uint8(2+8*len(blocks)))
			for _, block := range blocks {
				from, to, _ := strings.Cut(block, ":")
				for _, edge := range []string{from, to} {
					n, _ := strconv.ParseUint(edge, 10, 32)
					b = binary.BigEndian.AppendUint32(b, uint32(n))
				}
			}
		case "FO":
			c := drillCookie(o)
			b = append(append(b, 34, uint8(2+len(c))), c...)
		case "FOEXP":
			c := drillCookie(o)
			b = append(append(b, 254, uint8(4+len(c)), 0xf9, 0x89), c...)
		default:
			panic(fmt.Errorf("option %q is not known", o))
		}
	}
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// drillICMP is an ICMP error about a segment with that sequence number.
func drillICMP(kind string, mtu int, local, remote netip.AddrPort, seq uint32) []byte {
	v4 := local.Addr().Is4()
	typ, code := uint8(3), uint8(1)
	if !v4 {
		typ, code = 1, 3
	}
	codes := map[string][2]uint8{ // IPv4's code, IPv6's type and code follow
		"net_unreachable": {0, 0}, "host_unreachable": {1, 3}, "protocol_unreachable": {2, 1}, "port_unreachable": {3, 4},
		"net_prohibited": {9, 1}, "host_prohibited": {10, 1}, "packet_filtered": {13, 1}, "ttl_exceeded": {0, 0},
	}
	for word := range strings.FieldsSeq(kind) {
		switch c, ok := codes[word]; {
		case word == "frag_needed" || word == "packet_too_big":
			typ, code = 3, 4
			if !v4 {
				typ, code = 2, 0
			}
		case ok && v4:
			code = c[0]
		case ok:
			code = c[1]
		}
	}
	var segment [20]byte
	binary.BigEndian.PutUint16(segment[:], local.Port())
	binary.BigEndian.PutUint16(segment[2:], remote.Port())
	binary.BigEndian.PutUint32(segment[4:], seq)
	segment[12] = 5 << 4
	quoted := wire.IP{Src: local.Addr(), Dst: remote.Addr(), Protocol: wire.ProtocolTCP, DontFragment: true}
	body := make([]byte, 8, 128)
	body[0], body[1] = typ, code
	binary.BigEndian.PutUint32(body[4:], uint32(mtu))
	body = append(quoted.Append(body, len(segment)), segment[:]...)
	protocol, sum := uint8(1), uint64(0)
	if !v4 {
		protocol, sum = 58, wire.PseudoHeader(remote.Addr(), local.Addr(), 58, len(body))
	}
	binary.BigEndian.PutUint16(body[2:], wire.Fold(wire.Sum(sum, body)))
	ip := wire.IP{Src: remote.Addr(), Dst: local.Addr(), Protocol: protocol}
	return append(ip.Append(nil, len(body)), body...)
}
