package link_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

var families = []struct {
	name     string
	src, dst netip.AddrPort
	ip       int // length of the IP header
}{
	{"IPv4", netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.2:80"), 20},
	{"IPv6", netip.MustParseAddrPort("[2001:db8::1]:1000"), netip.MustParseAddrPort("[2001:db8::2]:80"), 40},
}

// pattern is n bytes that are seldom like their neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*31)
	}
	return b
}

// segment is a template that tests change.
func segment(family int, data []byte) wire.Segment {
	f := families[family]
	s := wire.Segment{Src: f.src, Dst: f.dst, Seq: 0xffffff00, Ack: 7, Window: 500, Flags: wire.ACK, Payload: data}
	s.Options.Timestamps, s.Options.TSVal, s.Options.TSEcr = true, 3, 4
	return s
}

// packet is s as a stack sends it: headers in one place, data in another, the
// checksum begun.
func packet(s *wire.Segment) wire.Packet {
	h := s.IP()
	p := wire.Packet{Check: wire.Partial, CheckOffset: 16, Split: s.Split, Payload: s.Payload, Rest: s.Rest}
	p.Head = h.Append(nil, s.HeaderLen()+s.Len())
	p.CheckStart = uint16(len(p.Head))
	p.Head = s.AppendHeader(p.Head, wire.Partial)
	return p
}

// parse reads a packet as a receiver would that trusts nothing.
func parse(t *testing.T, b []byte) wire.Segment {
	t.Helper()
	h, payload, ok := wire.ParseIP(b)
	if !ok || h.HeaderLen+len(payload) != len(b) {
		t.Fatalf("not an IP packet of %d bytes: % x", len(b), b)
	}
	var s wire.Segment
	if !s.Parse(h.Src, h.Dst, payload, wire.Full) {
		t.Fatalf("not a good TCP segment: % x", b)
	}
	return s
}

// cut is what the Cutter makes of p.
func cut(t *testing.T, p *wire.Packet, longest int) (packets [][]byte) {
	t.Helper()
	var c link.Cutter
	if err := c.Reset(p, longest); err != nil {
		t.Fatal(err)
	}
	for c.More() {
		b := make([]byte, c.NextLen())
		if n := c.Next(b); n != len(b) {
			t.Fatalf("Next: %d, NextLen said %d", n, len(b))
		}
		packets = append(packets, b)
	}
	return packets
}

func TestCut(t *testing.T) {
	data := pattern(5000)
	for family, f := range families {
		for _, c := range []struct {
			name         string
			split        uint16
			payload      int // bytes in Payload, the others are in Rest
			head         int // bytes of data in Head
			flags        wire.Flags
			lens         []int
			first, other wire.Flags // between them, none; at the end, flags but CWR
		}{
			{"whole", 0, 5000, 0, wire.ACK | wire.FIN, []int{5000}, wire.ACK | wire.FIN, 0},
			{"one", 5000, 4000, 0, wire.ACK, []int{5000}, wire.ACK, 0},
			{"even", 1000, 2500, 0, wire.ACK | wire.PSH, []int{1000, 1000, 1000, 1000, 1000}, wire.ACK, wire.ACK},
			{"odd sizes", 1401, 999, 0, wire.ACK | wire.PSH | wire.FIN | wire.CWR, []int{1401, 1401, 1401, 797}, wire.ACK | wire.CWR, wire.ACK},
			{"data in the head", 1448, 3001, 1777, wire.ACK | wire.PSH, []int{1448, 1448, 1448, 656}, wire.ACK, wire.ACK},
		} {
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				s := segment(family, data[:c.payload])
				s.Rest, s.Split, s.Flags = data[c.payload:], c.split, c.flags
				p := packet(&s)
				if c.head > 0 {
					p.Head = append(p.Head, p.Payload[:c.head]...)
					p.Payload = p.Payload[c.head:]
				}
				before := p.Append(nil)
				packets := cut(t, &p, 65535)
				if len(packets) != len(c.lens) {
					t.Fatalf("%d packets, want %d", len(packets), len(c.lens))
				}
				var got []byte
				for i, b := range packets {
					r := parse(t, b)
					if r.Seq != s.Seq+uint32(len(got)) || r.Len() != c.lens[i] || r.Options != s.Options || r.Ack != s.Ack || r.Window != s.Window {
						t.Errorf("packet %d: %v", i, r)
					}
					want := c.other
					switch {
					case i == 0 && len(packets) > 1 || c.split == 0:
						want = c.first
					case i == len(packets)-1:
						want = c.flags &^ wire.CWR
					}
					if r.Flags != want {
						t.Errorf("packet %d: flags %v, want %v", i, r.Flags, want)
					}
					got = append(got, r.Payload...)
				}
				if !bytes.Equal(got, data) {
					t.Error("the data is not what it was")
				}
				if !bytes.Equal(before, p.Append(nil)) {
					t.Error("Next has changed the packet")
				}
			})
		}
	}
}

// Packets that may be fragmented need different identifications.
//
// "Sources of non-atomic IPv4 datagrams MUST rate-limit their output [...]" and
// must not repeat a value: https://www.rfc-editor.org/rfc/rfc6864#section-4.2
func TestCutIdentification(t *testing.T) {
	for _, df := range []bool{true, false} {
		s := segment(0, pattern(3000))
		s.Split = 1000
		p := packet(&s)
		h := s.IP()
		h.DontFragment, h.ID = df, 0xffff
		copy(p.Head, h.Append(nil, s.HeaderLen()+s.Len()))
		for i, b := range cut(t, &p, 1500) {
			want := uint16(0xffff)
			if !df {
				want += uint16(i)
			}
			if got := binary.BigEndian.Uint16(b[4:]); got != want {
				t.Errorf("DF %v: packet %d has ID %#x, want %#x", df, i, got, want)
			}
		}
	}
}

// A UDP checksum of zero is sent as ones, for zero means none.
//
// https://www.rfc-editor.org/rfc/rfc768
func TestCutUDPZeroChecksum(t *testing.T) {
	h := wire.IP{Src: families[0].src.Addr(), Dst: families[0].dst.Addr(), Protocol: wire.ProtocolUDP}
	for _, fill := range []uint16{0, 1} {
		udp := make([]byte, 10)
		udp[5] = 10
		begun := ^wire.Fold(wire.PseudoHeader(h.Src, h.Dst, wire.ProtocolUDP, len(udp)))
		// The last word makes the sum ones, or ones and one more.
		binary.BigEndian.PutUint16(udp[8:], ^begun-10+fill)
		binary.BigEndian.PutUint16(udp[6:], begun)
		p := wire.Packet{Head: append(h.Append(nil, len(udp)), udp...), Check: wire.Partial, CheckStart: 20, CheckOffset: 6}
		b := cut(t, &p, 1500)[0]
		if got := binary.BigEndian.Uint16(b[26:]); fill == 0 && got != 0xffff || fill == 1 && got != 0xfffe {
			t.Errorf("fill %d: checksum %#x", fill, got)
		}
	}
}

func TestCutErrors(t *testing.T) {
	s := segment(0, pattern(3000))
	s.Split = 1460
	good := packet(&s)
	for _, c := range []struct {
		name   string
		mtu    int
		change func(p *wire.Packet)
	}{
		{"empty", 1500, func(p *wire.Packet) { *p = wire.Packet{} }},
		{"part longer than the MTU", 1500, func(*wire.Packet) {}},
		{"whole longer than the MTU", 1500, func(p *wire.Packet) { p.Split = 0 }},
		{"UDP", 1500, func(p *wire.Packet) { p.Head[9], p.Split = 17, 1000 }},
		{"no TCP header", 1500, func(p *wire.Packet) { p.Head = p.Head[:39] }},
		{"options cut off", 1500, func(p *wire.Packet) { p.Head = p.Head[:45] }},
		{"TCP header too short", 1500, func(p *wire.Packet) { p.Head[32] = 0x40 }},
		{"IPv4 header too short", 1500, func(p *wire.Packet) { p.Head[0] = 0x44 }},
		{"version 5", 1500, func(p *wire.Packet) { p.Head[0] = 0x55 }},
		{"checksum outside", 65535, func(p *wire.Packet) { p.Split, p.CheckStart = 0, 40 }},
	} {
		p := good
		p.Head = bytes.Clone(good.Head)
		c.change(&p)
		var cutter link.Cutter
		if err := cutter.Reset(&p, c.mtu); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}

// FuzzCut: what is cut is either refused, or becomes packets that are not too
// long and together have the data; joined again they are what they were.
func FuzzCut(f *testing.F) {
	for family := range families {
		s := segment(family, pattern(300))
		s.Split = 130
		p := packet(&s)
		f.Add(p.Append(nil), uint16(len(p.Head)), uint16(100), s.Split, 250, uint8(wire.Partial), p.CheckStart)
	}
	f.Fuzz(func(t *testing.T, b []byte, head, payload, split uint16, mtu int, check uint8, start uint16) {
		h := min(int(head), len(b))
		k := min(h+int(payload), len(b))
		p := wire.Packet{Head: b[:h], Payload: b[h:k], Rest: b[k:], Split: split, Check: wire.Checksumming(check % 3), CheckStart: start, CheckOffset: 16}
		var c link.Cutter
		if c.Reset(&p, mtu) != nil {
			return
		}
		total, parts := 0, 0
		buf := make([]byte, len(b))
		for c.More() {
			n := c.Next(buf)
			if n > mtu {
				t.Fatalf("a packet of %d bytes, the MTU is %d", n, mtu)
			}
			total += n
			parts++
		}
		if extra := total - len(b); parts == 0 || extra < 0 || parts > 1 && extra%(parts-1) != 0 {
			t.Fatalf("%d parts with %d bytes together, of %d", parts, total, len(b))
		}
	})
}

func BenchmarkCut(b *testing.B) {
	for _, size := range []int{1448} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := segment(0, pattern(40*size))
			s.Split = uint16(size)
			p := packet(&s)
			buf := make([]byte, 1500*64)
			b.SetBytes(int64(s.Len()))
			b.ReportAllocs()
			var c link.Cutter
			for b.Loop() {
				c.Reset(&p, 1500)
				for at := 0; c.More(); {
					at += c.Next(buf[at:])
				}
			}
		})
	}
}
