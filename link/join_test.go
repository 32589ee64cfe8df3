package link_test

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

// whole are packets as they come from a wire.
func whole(packets ...[]byte) (batch []wire.Packet) {
	for _, b := range packets {
		batch = append(batch, wire.Packet{Head: slices.Clip(bytes.Clone(b))})
	}
	return batch
}

// What has been cut is joined again, and is what it was.
func TestJoinCut(t *testing.T) {
	for family, f := range families {
		for _, length := range []int{1000, 1001, 2000, 5500, 60000} {
			s := segment(family, pattern(length))
			s.Split, s.Flags = 1000, wire.ACK|wire.PSH
			p := packet(&s)
			batch := whole(cut(t, &p, 1500)...)
			var j link.Joiner
			if n := j.Join(batch); n != 1 {
				t.Errorf("%s, %d bytes: %d packets, want 1", f.name, length, n)
			}
			want := s
			want.Split = 0
			got := batch[0]
			if split := uint16(1000); length <= 1000 && got.Split != 0 || length > 1000 && got.Split != split {
				t.Errorf("%s, %d bytes: Split %d", f.name, length, got.Split)
			}
			if want := wire.Unchecked; length <= 1000 && got.Check != want {
				t.Errorf("%s, %d bytes: Check %d, want %d", f.name, length, got.Check, want)
			}
			if length > 1000 && (!bytes.Equal(got.Head, p.Append(nil)) || got.Check != p.Check || got.CheckStart != p.CheckStart || got.CheckOffset != p.CheckOffset) {
				t.Errorf("%s, %d bytes: what was cut and joined is not what it was", f.name, length)
			}
			h, payload, ok := wire.ParseIP(got.Head)
			var r wire.Segment
			if !ok || !r.Parse(h.Src, h.Dst, payload, got.Check) {
				t.Fatalf("%s, %d bytes: not a segment", f.name, length)
			}
			if !bytes.Equal(r.Payload, s.Payload) || r.Seq != s.Seq || r.Flags != s.Flags || r.Options != s.Options {
				t.Errorf("%s, %d bytes: got %v, want %v", f.name, length, r, s)
			}
		}
	}
}

// A row of segments, each with ten bytes of data that follow those of the one
// before, changed as a case says; groups are how many go into each packet.
func TestJoinRules(t *testing.T) {
	ten := pattern(10)
	for _, c := range []struct {
		name   string
		n      int
		change func(i int, s *wire.Segment)
		spoil  func(i int, b []byte)
		groups []int
	}{
		{"plain", 4, nil, nil, []int{4}},
		{"PSH ends a row", 4, func(i int, s *wire.Segment) { s.Flags |= wire.PSH * wire.Flags(i&1) }, nil, []int{2, 2}},
		{"a short one is the last", 4, func(i int, s *wire.Segment) { s.Payload = s.Payload[:10-i/2] }, nil, []int{3, 1}},
		{"a gap", 4, func(i int, s *wire.Segment) { s.Seq += uint32(i / 2) }, nil, []int{2, 2}},
		{"FIN is never joined", 3, func(i int, s *wire.Segment) { s.Flags |= wire.FIN * wire.Flags(i/2) }, nil, []int{2, 1}},
		{"SYN is never joined", 3, func(i int, s *wire.Segment) { s.Flags |= wire.SYN * wire.Flags((2-i)/2) }, nil, []int{1, 2}},
		{"RST, and what follows it", 3, func(i int, s *wire.Segment) { s.Flags |= wire.RST * wire.Flags(i%2) }, nil, []int{1, 1, 1}},
		{"URG", 2, func(i int, s *wire.Segment) { s.Flags |= wire.URG }, nil, []int{1, 1}},
		{"CWR", 2, func(i int, s *wire.Segment) { s.Flags |= wire.CWR * wire.Flags(i) }, nil, []int{1, 1}},
		{"ECE like the other", 2, func(i int, s *wire.Segment) { s.Flags |= wire.ECE }, nil, []int{2}},
		{"ECE unlike the other", 2, func(i int, s *wire.Segment) { s.Flags |= wire.ECE * wire.Flags(i) }, nil, []int{1, 1}},
		{"a congestion mark", 3, func(i int, s *wire.Segment) { s.ECN = uint8(2 + i/2) }, nil, []int{2, 1}},
		{"timestamps", 2, func(i int, s *wire.Segment) { s.Options.TSVal += uint32(i) }, nil, []int{1, 1}},
		{"acknowledgment", 2, func(i int, s *wire.Segment) { s.Ack += uint32(i) }, nil, []int{1, 1}},
		{"window", 2, func(i int, s *wire.Segment) { s.Window += uint16(i) }, nil, []int{1, 1}},
		{"an acknowledgment in between", 3, func(i int, s *wire.Segment) {
			if i == 1 {
				s.Payload = nil
			} else if i == 2 {
				s.Seq -= 10
			}
		}, nil, []int{1, 1, 1}},
		{"two flows", 4, func(i int, s *wire.Segment) {
			if i&1 == 1 {
				s.Src = families[0].src
				s.Src = withPort(s.Src, 2000)
			}
			s.Seq = 100 + uint32(i/2*10)
		}, nil, []int{2, 2}},
		{"a bad checksum", 3, nil, func(i int, b []byte) { b[len(b)-1] ^= uint8(i & 1) }, []int{1, 1, 1}},
		{"a bad IPv4 checksum", 3, nil, func(i int, b []byte) { b[10] ^= uint8(i & 1) }, []int{1, 1, 1}},
		{"padding", 2, nil, func(i int, b []byte) { b[3]-- }, []int{1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var packets [][]byte
			for i := range c.n {
				s := segment(0, ten)
				s.Seq = 100 + uint32(10*i)
				if c.change != nil {
					c.change(i, &s)
				}
				b := s.AppendPacket(nil, wire.Full)
				if c.spoil != nil {
					c.spoil(i, b)
				}
				packets = append(packets, b)
			}
			batch := whole(packets...)
			var j link.Joiner
			n := j.Join(batch)
			if n != len(c.groups) {
				t.Fatalf("%d packets, want %d", n, len(c.groups))
			}
			i := 0
			for k, p := range batch[:n] {
				if c.groups[k] == 1 {
					if c.name != "two flows" && !bytes.Equal(p.Head, packets[i]) || p.Split != 0 {
						t.Errorf("packet %d has been changed", k)
					}
				} else if p.Split != 10 {
					t.Errorf("packet %d: Split %d, want 10", k, p.Split)
				}
				i += c.groups[k]
			}
		})
	}
}

// Data goes behind the first packet where that has the capacity, so that nothing
// is copied twice.
func TestJoinInPlace(t *testing.T) {
	s := segment(0, pattern(4000))
	s.Split = 1000
	p := packet(&s)
	batch := whole(cut(t, &p, 1500)...)
	batch[0].Head = append(make([]byte, 0, 65535), batch[0].Head...)
	first := &batch[0].Head[0]
	var j link.Joiner
	if n := j.Join(batch); n != 1 || &batch[0].Head[0] != first {
		t.Errorf("%d packets, at %p, want 1 at %p", n, &batch[0].Head[0], first)
	}
}

// FuzzJoin: of any packets, what is joined has the data of the parts that
// pass for good segments, in their order, flow by flow.
func FuzzJoin(f *testing.F) {
	for family := range families {
		s := segment(family, pattern(100))
		s.Split = 30
		p := packet(&s)
		var c link.Cutter
		c.Reset(&p, 1500)
		var all []byte
		var lens []byte
		for c.More() {
			b := make([]byte, c.NextLen())
			c.Next(b)
			all, lens = append(all, b...), append(lens, byte(len(b)))
		}
		f.Add(all, lens)
	}
	f.Fuzz(func(t *testing.T, all, lens []byte) {
		var batch []wire.Packet
		want := map[string][]byte{}
		for _, n := range lens {
			k := min(int(n), len(all))
			batch = append(batch, wire.Packet{Head: bytes.Clone(all[:k])})
			collect(want, all[:k], wire.Full)
			all = all[k:]
		}
		var j link.Joiner
		n := j.Join(batch)
		got := map[string][]byte{}
		for _, p := range batch[:n] {
			collect(got, p.Head, p.Check)
		}
		for k, b := range want {
			if !bytes.Equal(got[k], b) {
				t.Fatalf("%s: got % x, want % x", k, got[k], b)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d flows, want %d", len(got), len(want))
		}
	})
}

// collect adds the data of a good segment to its flow's.
func collect(flows map[string][]byte, b []byte, check wire.Checksumming) {
	h, payload, ok := wire.ParseIP(b)
	var s wire.Segment
	if ok && h.Protocol == wire.ProtocolTCP && !h.IsFragment() && s.Parse(h.Src, h.Dst, payload, check) {
		k := s.Src.String() + s.Dst.String()
		flows[k] = append(flows[k], s.Payload...)
	}
}

func BenchmarkJoin(b *testing.B) {
	s := segment(0, pattern(40*1448))
	s.Split = 1448
	p := packet(&s)
	var c link.Cutter
	c.Reset(&p, 1500)
	var packets [][]byte
	for c.More() {
		q := make([]byte, c.NextLen())
		c.Next(q)
		packets = append(packets, q)
	}
	batch := make([]wire.Packet, len(packets))
	var j link.Joiner
	b.SetBytes(int64(s.Len()))
	b.ReportAllocs()
	for b.Loop() {
		for i, q := range packets {
			batch[i] = wire.Packet{Head: q[:len(q):len(q)]}
		}
		if j.Join(batch) != 1 {
			b.Fatal("not joined")
		}
	}
}

func withPort(a netip.AddrPort, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr(), port)
}
