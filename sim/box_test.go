package sim

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// A testSegment describes a segment for a test; what it does not say has a default.
type testSegment struct {
	v6      bool
	flags   wire.Flags
	options []byte
	data    string
	ipOpts  int // words of IPv4 options
}

const (
	clientSeq = 0xfffffffe // so that arithmetic wraps
	clientAck = 77
)

func (s testSegment) packet() []byte {
	options := bytes.Clone(s.options)
	for len(options)%4 != 0 {
		options = append(options, optionEnd)
	}
	h := make([]byte, 20)
	binary.BigEndian.PutUint16(h, 40000)
	binary.BigEndian.PutUint16(h[2:], 80)
	binary.BigEndian.PutUint32(h[4:], clientSeq)
	binary.BigEndian.PutUint32(h[8:], clientAck)
	h[12] = byte(20+len(options)) / 4 << 4
	h[13] = byte(s.flags)
	binary.BigEndian.PutUint16(h[14:], 65535)
	seg := append(append(h, options...), s.data...)

	var p []byte
	if s.v6 {
		p = make([]byte, 40)
		p[0], p[6], p[7] = 0x60, 6, 64
		binary.BigEndian.PutUint16(p[4:], uint16(len(seg)))
		a, b := netip.MustParseAddr("fd77::1").As16(), netip.MustParseAddr("fd77::2").As16()
		copy(p[8:], a[:])
		copy(p[24:], b[:])
	} else {
		p = make([]byte, 20+4*s.ipOpts)
		p[0], p[8], p[9] = 0x45+byte(s.ipOpts), 64, 6
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)+len(seg)))
		copy(p[12:], []byte{10, 77, 0, 1, 10, 77, 0, 2})
		binary.BigEndian.PutUint16(p[10:], ^onesSum(p))
	}
	head := len(p)
	p = append(p, seg...)
	binary.BigEndian.PutUint16(p[head+16:], ^onesSum(pseudo(p, head), p[head:]))
	return p
}

// pseudo is the pseudo-header of a packet whose IP header has head bytes.
func pseudo(p []byte, head int) []byte {
	n := binary.BigEndian.AppendUint32(nil, uint32(len(p)-head))
	if p[0]>>4 == 4 {
		return append(append(bytes.Clone(p[12:20]), 0, p[9]), n[2:]...)
	}
	return append(append(bytes.Clone(p[8:40]), n...), 0, 0, 0, p[6])
}

// onesSum is the sum of RFC 1071 with the carry added at each step: another
// way to it than the one under test.
func onesSum(parts ...[]byte) uint16 {
	var n uint32
	for _, b := range parts {
		for i, c := range b {
			n += uint32(c) << (8 * (1 - i%2))
			if n > 0xffff {
				n -= 0xffff
			}
		}
	}
	return uint16(n)
}

func checksumOK(p []byte) bool {
	head := 40
	if p[0]>>4 == 4 {
		head = int(p[0]&15) * 4
	}
	return onesSum(pseudo(p, head), p[head:]) == 0xffff
}

var (
	mss        = []byte{2, 4, 5, 180}
	sackTS     = []byte{4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0}
	request    = []byte{34, 2}
	cookie     = []byte{34, 10, 1, 2, 3, 4, 5, 6, 7, 8}
	expRequest = []byte{254, 4, 0xf9, 0x89}
	expCookie  = []byte{254, 12, 0xf9, 0x89, 1, 2, 3, 4, 5, 6, 7, 8}
	expOther   = []byte{254, 4, 0xf9, 0x88}
)

func options(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// through sends a packet from A past one box and returns what reaches B and
// what comes back to A.
func through(t *testing.T, b Box, packet []byte) (atB, atA []byte) {
	t.Helper()
	p := NewPath(0, Delay(ms), b, Delay(ms))
	p.Send(at(0), AtoB, packet)
	for {
		pkt, ok := p.Receive(at(10))
		if !ok {
			return atB, atA
		}
		if pkt.At != at(2) {
			t.Errorf("a packet arrived at %v, want 2 ms", pkt.At.Sub(start))
		}
		if end := map[Dir]*[]byte{AtoB: &atB, BtoA: &atA}[pkt.Dir]; *end != nil {
			t.Errorf("two packets %v, want one", pkt.Dir)
		} else {
			*end = bytes.Clone(pkt.Data)
		}
	}
}

func TestDrop(t *testing.T) {
	for _, c := range []struct {
		name           string
		s              testSegment
		data, fastOpen bool // whether DropSYNData and DropFastOpen drop it
	}{
		{"SYN", testSegment{flags: wire.SYN, options: mss}, false, false},
		{"SYN with data", testSegment{flags: wire.SYN, options: mss, data: "x"}, true, false},
		{"SYN with request", testSegment{flags: wire.SYN, options: options(mss, request)}, false, true},
		{"SYN with cookie and data", testSegment{flags: wire.SYN, options: options(cookie, mss), data: "hello"}, true, true},
		{"experimental request", testSegment{flags: wire.SYN, options: expRequest}, false, true},
		{"experimental cookie", testSegment{flags: wire.SYN, options: options(sackTS, expCookie)}, false, true},
		{"another experiment", testSegment{flags: wire.SYN, options: expOther}, false, false},
		{"option after the end", testSegment{flags: wire.SYN, options: options(mss, []byte{0}, request)}, false, false},
		{"option after a malformed one", testSegment{flags: wire.SYN, options: options([]byte{9, 1}, request)}, false, false},
		{"SYN with ECN and cookie", testSegment{flags: wire.SYN | 0xc0, options: cookie, data: "x"}, true, true},
		{"SYN-ACK with cookie", testSegment{flags: wire.SYN | wire.ACK, options: cookie}, false, false},
		{"SYN-ACK with data", testSegment{flags: wire.SYN | wire.ACK, data: "x"}, false, false},
		{"data", testSegment{flags: wire.ACK, data: "hello"}, false, false},
	} {
		for _, v6 := range []bool{false, true} {
			c.s.v6 = v6
			in := c.s.packet()
			for _, b := range []struct {
				name string
				box  Box
				drop bool
			}{{"DropSYNData", DropSYNData(), c.data}, {"DropFastOpen", DropFastOpen(), c.fastOpen}} {
				out, back := through(t, b.box, in)
				if back != nil || (out == nil) != b.drop || out != nil && !bytes.Equal(out, in) {
					t.Errorf("%s, %s, v6 %v: passed % x, returned % x, want dropped %v", b.name, c.name, v6, out, back, b.drop)
				}
			}
		}
	}
}

func TestStripFastOpen(t *testing.T) {
	nops := func(n int) []byte { return bytes.Repeat([]byte{1}, n) }
	for _, c := range []struct {
		name     string
		in, want []byte // options
	}{
		{"none", options(mss, sackTS), options(mss, sackTS)},
		{"request", options(mss, request, nops(2)), options(mss, nops(4))},
		{"cookie", options(mss, cookie, nops(2)), options(mss, nops(12))},
		{"unaligned cookie", options(nops(1), cookie, mss), options(nops(11), mss)},
		{"experimental", options(sackTS, expCookie), options(sackTS, nops(12))},
		{"two", options(cookie, nops(1), expRequest, mss), options(nops(15), mss)},
		{"illegal length", options([]byte{34, 5, 1, 2, 3}, mss), options(nops(5), mss)},
		{"another experiment", options(expOther, mss), options(expOther, mss)},
		{"overrun", options(mss, []byte{34, 9, 1, 1}), options(mss, []byte{34, 9, 1, 1})},
	} {
		for _, v6 := range []bool{false, true} {
			for _, on := range []Segments{0, OnSYN, OnSYNACK, OnSYN | OnSYNACK} {
				for _, f := range []struct {
					flags wire.Flags
					by    Segments
				}{{wire.SYN, OnSYN}, {wire.SYN | wire.ACK, OnSYNACK}, {wire.ACK, 0}} {
					in := testSegment{v6: v6, flags: f.flags, options: c.in, data: "abc"}
					want := in
					if on&f.by != 0 {
						want.options = c.want
					}
					out, back := through(t, StripFastOpen(on), in.packet())
					if back != nil || !bytes.Equal(out, want.packet()) {
						t.Errorf("%s, v6 %v, flags %#x, on %d:\n got % x\nwant % x\nback % x", c.name, v6, f.flags, on, out, want.packet(), back)
					}
				}
			}
		}
	}
	wrong := testSegment{flags: wire.SYN, options: cookie}.packet()
	wrong[20+17] ^= 1
	if out, _ := through(t, StripFastOpen(OnSYN), wrong); checksumOK(out) {
		t.Error("stripping repaired a wrong checksum")
	}
}

func TestResetSYNData(t *testing.T) {
	for _, s := range []testSegment{{flags: wire.SYN, data: "hello", options: cookie}, {flags: wire.SYN, data: "hello", ipOpts: 2}, {v6: true, flags: wire.SYN, data: "hello"}} {
		out, back := through(t, ResetSYNData(), s.packet())
		if out != nil || back == nil || !checksumOK(back) {
			t.Fatalf("%+v: passed % x, returned % x, want a RST alone with a good checksum", s, out, back)
		}
		if !s.v6 && onesSum(back[:20]) != 0xffff {
			t.Errorf("%+v: wrong IPv4 header checksum", s)
		}
		sent, got := see(start, AtoB, s.packet()), see(start, BtoA, back)
		// "If the ACK bit is off, sequence number zero is used,
		// <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>"
		// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.1
		ack := sent.Seq + 1 + 5
		if !got.RST || !got.ACK || got.SYN || got.Seq != 0 || got.Ack != ack || got.Len != 0 || got.Src != sent.Dst || got.Dst != sent.Src {
			t.Errorf("%+v: got %v, want a RST that acknowledges %d", s, got, ack)
		}
	}
	for _, s := range []testSegment{{flags: wire.SYN, options: cookie}, {flags: wire.ACK, data: "x"}, {flags: wire.SYN | wire.ACK, data: "x"}} {
		if out, back := through(t, ResetSYNData(), s.packet()); !bytes.Equal(out, s.packet()) || back != nil {
			t.Errorf("%+v: passed % x, returned % x, want passed alone", s, out, back)
		}
	}
}

// No bytes make a box panic, and a box changes only what it says.
func FuzzBoxes(f *testing.F) {
	f.Add([]byte{})
	for _, s := range []testSegment{
		{flags: wire.SYN, options: options(mss, cookie), data: "hello"},
		{flags: wire.SYN, options: options(mss, expCookie), data: "hello", ipOpts: 3},
		{v6: true, flags: wire.SYN | wire.ACK, options: options(sackTS, request)},
	} {
		f.Add(s.packet())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		_, isTCP := parse(in)
		for _, b := range []Box{DropSYNData(), DropFastOpen()} {
			if out, back := through(t, b, in); back != nil || out == nil && !isTCP || out != nil && !bytes.Equal(out, in) {
				t.Fatalf("a box that drops passed % x and returned % x", out, back)
			}
		}
		s, _ := parse(in)
		out, back := through(t, ResetSYNData(), in)
		if dropped := isTCP && s.isSYN() && s.Len() > 0; (out == nil) != dropped && len(in) > 0 || back != nil && (!dropped || !checksumOK(back)) {
			t.Fatalf("ResetSYNData passed % x and returned % x", out, back)
		}
		for _, b := range []Box{TrimSYNData(1), AckSYNOnly(), LateBlackHole(), Blacklist(time.Second, true), RewriteSequence(1, true), MTU(100)} {
			p := NewPath(0, b, NewNAT(netip.MustParseAddr("10.0.0.1")))
			for _, d := range []Dir{AtoB, BtoA} {
				p.Send(start, d, in)
				for pkt, ok := p.Receive(start); ok; pkt, ok = p.Receive(start) {
					after, ok := parse(pkt.Data)
					if ok && isTCP && after.intact() != s.intact() {
						t.Fatalf("a box made a checksum good or bad: % x of % x", pkt.Data, in)
					}
				}
			}
		}
		out, back = through(t, StripFastOpen(OnSYN|OnSYNACK), in)
		if back != nil || len(out) != len(in) || !isTCP && !bytes.Equal(out, in) {
			t.Fatalf("StripFastOpen passed % x and returned % x", out, back)
		}
		if !isTCP {
			return
		}
		before, _ := parse(in)
		after, ok := parse(out)
		if !ok || before.Flags.Has(wire.SYN) && see(start, AtoB, out).FastOpen {
			t.Fatalf("StripFastOpen left % x of % x", out, in)
		}
		if before.intact() != after.intact() {
			t.Fatalf("StripFastOpen made a checksum good or bad: % x of % x", out, in)
		}
	})
}

func TestDropMatch(t *testing.T) {
	calls := 0
	b := Drop(func(s Seen) bool {
		calls++
		return s.Dir == AtoB && s.At.Equal(at(1)) && s.FIN
	})
	if out, _ := through(t, b, testSegment{flags: wire.FIN | wire.ACK}.packet()); out != nil {
		t.Error("a packet that matches passed")
	}
	if out, _ := through(t, b, testSegment{flags: wire.ACK}.packet()); out == nil {
		t.Error("a packet that does not match was dropped")
	}
	if calls != 2 {
		t.Errorf("%d calls, want 2", calls)
	}
}
