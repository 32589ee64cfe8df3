package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"github.com/fastopen-go/fastopen/tfo"
)

var (
	v4a, v4b = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2")
	v6a, v6b = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:1::2")
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example of RFC 1071 section 3, and the definition applied byte by byte.
func TestSum(t *testing.T) {
	if got := fold(Sum(0, []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7})); got != 0xddf2 {
		t.Errorf("sum of the RFC's example is %#x, want 0xddf2", got)
	}
	slow := func(b []byte) uint16 {
		var acc uint32
		for i, v := range b {
			acc += uint32(v) << (8 * (1 - i&1))
			acc = acc>>16 + acc&0xffff
		}
		return uint16(acc)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 400 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
			if n%3 == 0 {
				b[i] = 0xff
			}
		}
		if got, want := fold(Sum(0, b)), slow(b); got != want {
			t.Fatalf("sum of %d bytes is %#x, want %#x", n, got, want)
		}
		cut := n / 3
		if got, want := fold(Join(Sum(0, b[:cut]), cut, Sum(0, b[cut:]))), slow(b); got != want {
			t.Fatalf("sum of %d and %d bytes is %#x, want %#x", cut, n-cut, got, want)
		}
	}
}

// A SYN captured from Linux 6.18 option by option: order, padding, checksum.
func TestSegmentBytes(t *testing.T) {
	c, _ := tfo.CookieFrom([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	s := Segment{
		Src: netip.AddrPortFrom(v4a, 40000), Dst: netip.AddrPortFrom(v4b, 443),
		Seq: 0x01020304, Flags: SYN, Window: 64240,
		Options: Options{MSS: 1460, SACKPermitted: true, Timestamps: true, TSVal: 7, WindowScale: 8,
			HasFastOpen: true, FastOpen: tfo.Option{Cookie: c}},
		Payload: []byte("hel"), Rest: []byte("lo"),
	}
	b := s.Append(nil, Full)
	want := "9c4001bb" + "01020304" + "00000000" + "d002faf0" + hex.EncodeToString(b[16:18]) + "0000" +
		"020405b4" + "0402080a0000000700000000" + "01030307" + "220a01020304050607080101" + "68656c6c6f"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("segment is\n%s, want\n%s", got, want)
	}
	if Fold(Sum(PseudoHeader(v4a, v4b, ProtocolTCP, len(b)), b)) != 0 {
		t.Error("the checksum is wrong")
	}
	if n := s.HeaderLen(); n != len(b)-5 {
		t.Errorf("HeaderLen says %d, is %d", n, len(b)-5)
	}
	var p Segment
	if !p.Parse(v4a, v4b, b, Full) {
		t.Fatal("does not parse")
	}
	s.Payload, s.Rest = []byte("hello"), nil
	if !reflect.DeepEqual(p, s) {
		t.Errorf("parsed\n%+v, want\n%+v", p, s)
	}
	b[len(b)-1] ^= 1
	if p.Parse(v4a, v4b, b, Full) {
		t.Error("a bad checksum was accepted")
	}
	if !p.Parse(v4a, v4b, b, Unchecked) {
		t.Error("what the link vouches for was refused")
	}
}

// What a link with checksum offload has to add makes a partial checksum whole.
func TestPartialChecksum(t *testing.T) {
	for _, a := range [][2]netip.Addr{{v4a, v4b}, {v6a, v6b}} {
		s := Segment{Src: netip.AddrPortFrom(a[0], 1), Dst: netip.AddrPortFrom(a[1], 2), Flags: ACK, Payload: []byte("partial")}
		b := s.Append(nil, Partial)
		binary.BigEndian.PutUint16(b[16:], Fold(Sum(0, b)))
		if !new(Segment).Parse(a[0], a[1], b, Full) {
			t.Errorf("%v: the finished checksum is wrong", a[0])
		}
	}
}

// Options that belong on a SYN alone are ignored elsewhere.
func TestSYNOnlyOptions(t *testing.T) {
	s := Segment{Src: netip.AddrPortFrom(v4a, 1), Dst: netip.AddrPortFrom(v4b, 2), Flags: SYN,
		Options: Options{MSS: 1000, WindowScale: 3, SACKPermitted: true, HasFastOpen: true}}
	b := s.Append(nil, Unchecked)
	b[13] = byte(ACK)
	var p Segment
	if !p.Parse(v4a, v4b, b, Unchecked) || p.Options != (Options{}) {
		t.Errorf("read %v from an ACK", p.Options)
	}
}

func TestParseRefuses(t *testing.T) {
	s := Segment{Src: netip.AddrPortFrom(v4a, 1), Dst: netip.AddrPortFrom(v4b, 2), Flags: ACK}
	good := s.Append(nil, Unchecked)
	for name, change := range map[string]func([]byte) []byte{
		"cut header":      func(b []byte) []byte { return b[:19] },
		"offset too low":  func(b []byte) []byte { b[12] = 4 << 4; return b },
		"offset too high": func(b []byte) []byte { b[12] = 6 << 4; return b },
		"source port 0":   func(b []byte) []byte { b[0], b[1] = 0, 0; return b },
		"dest port 0":     func(b []byte) []byte { b[2], b[3] = 0, 0; return b },
		"empty":           func(b []byte) []byte { return nil },
	} {
		if b := change(bytes.Clone(good)); new(Segment).Parse(v4a, v4b, b, Unchecked) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestIPv4(t *testing.T) {
	h := IP{Src: v4a, Dst: v4b, Protocol: ProtocolTCP, TrafficClass: 0xb8 | 2, ID: 0x1234, HopLimit: 3, MoreFragments: true, FragmentOffset: 16, Options: []byte{1, 1, 1, 0}}
	b := append(h.Append(nil, 8), "payload!trailer"...)
	p, payload, ok := ParseIP(b)
	if !ok || string(payload) != "payload!" {
		t.Fatalf("ok %v, payload %q", ok, payload)
	}
	h.HeaderLen = 24
	if !reflect.DeepEqual(p, h) {
		t.Errorf("parsed %+v, want %+v", p, h)
	}
	if p.ECN() != 2 || !p.IsFragment() {
		t.Error("ECN or fragment misread")
	}
	for i := range 24 {
		c := bytes.Clone(b)
		c[i] ^= 0x55
		if _, _, ok := ParseIP(c); ok {
			t.Errorf("byte %d spoilt: accepted", i)
		}
	}
}

func TestIPv6Extensions(t *testing.T) {
	h := IP{Src: v6a, Dst: v6b, Protocol: ProtocolTCP, TrafficClass: 1, FlowLabel: 0xabcde, HopLimit: 9}
	packet := func(chain string, first uint8) []byte {
		b := h.Append(nil, len(chain)/2+4)
		b[6] = first
		return append(append(b, unhex(t, chain)...), "data"...)
	}
	for _, x := range []struct {
		name, chain string
		first       uint8
		ok          bool
	}{
		{"none", "", 6, true},
		{"hop by hop", "0600000000000000", 0, true},
		{"hop by hop and destination", "3c00000000000000" + "0600000000000000", 0, true},
		{"routing, none left", "0600000000000000", 43, true},
		{"routing, one left", "0600000100000000", 43, false},
		{"hop by hop in second place", "0000000000000000" + "0600000000000000", 60, false},
		{"authentication", "0601000000000000" + "00000000", 51, true},
		{"longer than the packet", "06ff000000000000", 60, false},
		{"atomic fragment", "0600000000000001", 44, true},
	} {
		p, payload, ok := ParseIP(packet(x.chain, x.first))
		if ok != x.ok || ok && (p.Protocol != ProtocolTCP || string(payload) != "data") {
			t.Errorf("%s: ok %v, protocol %d, payload %q", x.name, ok, p.Protocol, payload)
		}
	}
	var long string
	for range 20 {
		long += "3c00000000000000"
	}
	if _, _, ok := ParseIP(packet(long, 60)); ok {
		t.Error("a chain of twenty extension headers was accepted")
	}
	// A later fragment is described, its payload not searched for headers.
	f := IP{Src: v6a, Dst: v6b, Protocol: ProtocolTCP, ID: 77, FragmentOffset: 64, MoreFragments: true, DontFragment: true, HopLimit: 64}
	p, payload, ok := ParseIP(append(f.Append(nil, 8), "fragment"...))
	f.HeaderLen = 48
	if !ok || string(payload) != "fragment" || !reflect.DeepEqual(p, f) {
		t.Errorf("fragment: %v %+v %q", ok, p, payload)
	}
}

func TestICMPQuote(t *testing.T) {
	for _, a := range [][2]netip.Addr{{v4a, v4b}, {v6a, v6b}} {
		s := Segment{Src: netip.AddrPortFrom(a[0], 5), Dst: netip.AddrPortFrom(a[1], 6), Seq: 99, Flags: ACK, Payload: make([]byte, 3000)}
		m := ICMP{Kind: PacketTooBig, MTU: 1300, Quote: s.AppendPacket(nil, Full)}
		b := m.Append(nil, a[1], a[0])
		if limit := 1280 - 40; len(b) > limit {
			t.Errorf("message is %d bytes", len(b))
		}
		p, ok := ParseICMP(a[1], a[0], b)
		if !ok || p.Kind != PacketTooBig || p.MTU != 1300 {
			t.Fatalf("%v %+v", ok, p.Kind)
		}
		if q, ok := p.QuotedTCP(); !ok || q != (Quoted{s.Src, s.Dst, 99}) {
			t.Errorf("quoted %v %+v", ok, q)
		}
		b[9] ^= 1
		if _, ok := ParseICMP(a[1], a[0], b); ok {
			t.Error("a bad checksum was accepted")
		}
	}
}

// Every kind is written and read back as itself.
func TestICMPKinds(t *testing.T) {
	for _, a := range [][2]netip.Addr{{v4a, v4b}, {v6a, v6b}} {
		kinds := icmpv4Kinds
		if !a[0].Is4() {
			kinds = icmpv6Kinds
		}
		for _, k := range kinds {
			m := ICMP{Kind: k.kind, Body: []byte("id+s"), Quote: []byte("quote")}
			p, ok := ParseICMP(a[0], a[1], m.Append(nil, a[0], a[1]))
			if !ok || p.Kind != k.kind {
				t.Errorf("%v: kind %d came back as %d (%v)", a[0], k.kind, p.Kind, ok)
			}
		}
	}
}

func TestNotation(t *testing.T) {
	s := Segment{Seq: 100, Ack: 8, Flags: SYN | ACK | PSH, Window: 10, Payload: []byte("abc"), ECN: 3,
		Options: Options{MSS: 1460, SACKPermitted: true, Timestamps: true, TSVal: 1, TSEcr: 2, WindowScale: 8, HasFastOpen: true, SACKs: 1, SACK: [4]Range{{5, 6}}}}
	const want = "SP. 100:103(3) ack 8 win 10 ce <mss 1460,sackOK,TS 1/2,wscale 7,fo request,sack 5:6>"
	if got := s.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNoAllocations(t *testing.T) {
	s := Segment{Src: netip.AddrPortFrom(v4a, 5), Dst: netip.AddrPortFrom(v4b, 6), Flags: ACK,
		Options: Options{Timestamps: true, SACKs: 2}, Payload: make([]byte, 1000)}
	buf := make([]byte, 0, 2000)
	var p Segment
	n := testing.AllocsPerRun(100, func() {
		b := s.AppendPacket(buf, Full)
		ip, payload, ok := ParseIP(b)
		if !ok || !p.Parse(ip.Src, ip.Dst, payload, Full) {
			t.Fatal("does not parse")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func FuzzSegment(f *testing.F) {
	s := Segment{Src: netip.AddrPortFrom(v4a, 5), Dst: netip.AddrPortFrom(v4b, 6), Flags: SYN, Options: Options{MSS: 1, SACKPermitted: true, HasFastOpen: true}}
	f.Add(s.Append(nil, Unchecked))
	s.Flags, s.Options = ACK, Options{Timestamps: true, SACKs: 3, SACK: [4]Range{{1, 2}, {3, 4}}}
	f.Add(s.Append(nil, Unchecked))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q Segment
		if !p.Parse(v4a, v4b, b, Unchecked) {
			return
		}
		c := p.Append(nil, Full)
		if len(c) != p.HeaderLen()+p.Len() {
			t.Fatalf("%v: wrote %d bytes, announced %d", p, len(c), p.HeaderLen()+p.Len())
		}
		if !q.Parse(v4a, v4b, c, Full) {
			t.Fatalf("%v: what was written does not parse", p)
		}
		// Options that together exceed 40 bytes in canonical form lose the last.
		if p.Options.fixedLen()+p.Options.sackLenAll()+p.Options.fastOpenLen() <= MaxOptionsLen && !reflect.DeepEqual(p, q) {
			t.Fatalf("read %v\nand then %v", p, q)
		}
		if d := q.Append(nil, Full); !bytes.Equal(c, d) {
			t.Fatalf("written twice: %x and %x", c, d)
		}
	})
}

func (o *Options) sackLenAll() int {
	if o.SACKs == 0 {
		return 0
	}
	return 4 + 8*int(o.SACKs)
}

func (o *Options) fastOpenLen() int {
	if !o.HasFastOpen {
		return 0
	}
	return (o.FastOpen.Len() + 3) &^ 3
}

func FuzzIP(f *testing.F) {
	h := IP{Src: v4a, Dst: v4b, Protocol: 6}
	f.Add(h.Append(nil, 0))
	h = IP{Src: v6a, Dst: v6b, Protocol: 6, FragmentOffset: 8}
	f.Add(h.Append(nil, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, payload, ok := ParseIP(b)
		if !ok {
			return
		}
		c := append(p.Append(nil, len(payload)), payload...)
		q, again, ok := ParseIP(c)
		if !ok || !bytes.Equal(payload, again) {
			t.Fatalf("%+v: what was written does not parse", p)
		}
		p.HeaderLen, q.HeaderLen = 0, 0
		if p.HopLimit == 0 {
			p.HopLimit = 64
		}
		if p.Src.Is6() && !p.IsFragment() {
			p.ID, q.ID = 0, 0
		}
		if !reflect.DeepEqual(p, q) {
			t.Fatalf("read %+v\nand then %+v", p, q)
		}
	})
}

func FuzzICMP(f *testing.F) {
	m := ICMP{Kind: PacketTooBig, MTU: 9, Quote: make([]byte, 40)}
	f.Add(m.Append(nil, v4a, v4b), true)
	f.Add(m.Append(nil, v6a, v6b), false)
	f.Fuzz(func(t *testing.T, b []byte, is4 bool) {
		src, dst := v6a, v6b
		if is4 {
			src, dst = v4a, v4b
		}
		if len(b) >= 4 {
			// Past the checksum.
			b = bytes.Clone(b)
			b[2], b[3] = 0, 0
			sum := uint64(0)
			if !is4 {
				sum = PseudoHeader(src, dst, ProtocolICMPv6, len(b))
			}
			binary.BigEndian.PutUint16(b[2:], Fold(Sum(sum, b)))
		}
		if m, ok := ParseICMP(src, dst, b); ok {
			m.QuotedTCP()
			if p, ok := ParseICMP(src, dst, m.Append(nil, src, dst)); !ok || p.Kind != m.Kind {
				t.Fatalf("%+v came back as %+v (%v)", m, p, ok)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	s := Segment{Src: netip.AddrPortFrom(v4a, 5), Dst: netip.AddrPortFrom(v4b, 6), Flags: ACK,
		Options: Options{Timestamps: true}, Payload: make([]byte, 1448)}
	p := s.Append(nil, Full)
	var q Segment
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		q.Parse(v4a, v4b, p, Full)
	}
}

func BenchmarkAppend(b *testing.B) {
	s := Segment{Src: netip.AddrPortFrom(v4a, 5), Dst: netip.AddrPortFrom(v4b, 6), Flags: ACK,
		Options: Options{Timestamps: true}, Payload: make([]byte, 1448)}
	buf := make([]byte, 0, 2000)
	b.SetBytes(1500)
	b.ReportAllocs()
	for b.Loop() {
		s.AppendPacket(buf, Full)
	}
}
