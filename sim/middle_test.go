package sim

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// answer is a segment from the server to the client of a testSegment.
func (s testSegment) answer(seq, ack uint32) []byte {
	p := s.packet()
	q, _ := parse(p)
	q.edit(func() {
		q.setEnds(q.Dst, q.Src)
		q.setSeq(seq)
		q.setAck(ack)
	})
	return p
}

// relay sends a packet over a path of one box, at once, and returns what comes
// out at the other end, nil if nothing does.
func relay(t *testing.T, p *Path, now time.Time, d Dir, packet []byte) *segment {
	t.Helper()
	p.Send(now, d, packet)
	pkt, ok := p.Receive(now)
	if !ok {
		return nil
	}
	if pkt.Dir != d {
		t.Fatalf("a packet %v came back", d)
	}
	s, ok := parse(bytes.Clone(pkt.Data))
	if !ok || !s.intact() {
		t.Fatalf("not a segment with a good checksum: % x", pkt.Data)
	}
	return &s
}

func TestTrimSYNData(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for _, c := range []struct {
			flags wire.Flags
			data  string
			keep  int
			want  string
		}{
			{wire.SYN, "hello", 5, "hello"},
			{wire.SYN, "hello", 2, "he"},
			{wire.SYN, "hello", 3, "hel"},
			{wire.SYN, "hello", 0, ""},
			{wire.SYN | wire.ACK, "hello", 0, "hello"},
			{wire.ACK, "hello", 0, "hello"},
		} {
			p := NewPath(0, TrimSYNData(c.keep))
			s := relay(t, p, start, AtoB, testSegment{v6: v6, flags: c.flags, options: cookie, data: c.data}.packet())
			if s == nil || string(s.Payload) != c.want || !s.hasFastOpen() {
				t.Errorf("IPv6 %v, %v keeping %d of %q: got %v", v6, c.flags, c.keep, c.data, s)
			}
		}
	}
	p := NewPath(0, SwallowSYNData())
	wrong := testSegment{flags: wire.SYN, data: "hello"}.packet()
	wrong[36] ^= 1
	p.Send(start, AtoB, wrong)
	if pkt, ok := p.Receive(start); !ok || checksumOK(pkt.Data) {
		t.Error("trimming repaired a wrong checksum")
	}
}

func TestAckSYNOnly(t *testing.T) {
	p := NewPath(0, AckSYNOnly())
	syn := testSegment{flags: wire.SYN, options: cookie, data: "hello"}
	if s := relay(t, p, start, AtoB, syn.packet()); s == nil || string(s.Payload) != "hello" {
		t.Fatalf("the SYN arrived as %v", s)
	}
	last := uint32(clientSeq)
	if s := relay(t, p, start, BtoA, testSegment{flags: wire.SYN | wire.ACK}.answer(9, last+6)); s == nil || s.Ack != last+1 {
		t.Errorf("SYN-ACK arrived as %v, want ack %d", s, last+1)
	}
	if s := relay(t, p, start, BtoA, testSegment{flags: wire.ACK}.answer(10, last+6)); s == nil || s.Ack != last+6 {
		t.Errorf("ACK arrived as %v, want it unchanged", s)
	}
}

func TestLateBlackHole(t *testing.T) {
	for _, c := range []struct {
		syn  testSegment
		pass bool
	}{
		{testSegment{flags: wire.SYN, options: cookie, data: "x"}, false},
		{testSegment{flags: wire.SYN, options: request}, false},
		{testSegment{flags: wire.SYN, data: "x"}, false},
		{testSegment{flags: wire.SYN, options: mss}, true},
	} {
		p := NewPath(0, LateBlackHole())
		if relay(t, p, start, AtoB, c.syn.packet()) == nil || relay(t, p, start, BtoA, testSegment{flags: wire.SYN | wire.ACK}.answer(9, 1)) == nil {
			t.Errorf("%+v: the handshake did not pass", c.syn)
		}
		there := relay(t, p, start, AtoB, testSegment{flags: wire.ACK, data: "x"}.packet())
		back := relay(t, p, start, BtoA, testSegment{flags: wire.ACK, data: "x"}.answer(10, 2))
		if (there != nil) != c.pass || (back != nil) != c.pass {
			t.Errorf("%+v: after the handshake %v and %v passed, want %v", c.syn, there, back, c.pass)
		}
	}
}

func TestBlacklist(t *testing.T) {
	data, plain := testSegment{flags: wire.SYN, data: "x"}, testSegment{flags: wire.SYN}
	another := func() []byte {
		p := plain.packet()
		s, _ := parse(p)
		s.edit(func() { s.setEnds(netip.AddrPortFrom(s.Src.Addr(), 40001), s.Dst) })
		return p
	}
	for _, hosts := range []bool{false, true} {
		p := NewPath(0, Blacklist(time.Minute, hosts))
		if relay(t, p, start, AtoB, plain.packet()) == nil {
			t.Error("a plain SYN did not pass at first")
		}
		if relay(t, p, start, AtoB, data.packet()) != nil || relay(t, p, start.Add(59*time.Second), AtoB, plain.packet()) != nil {
			t.Error("the SYN with data passed, or one after it too soon")
		}
		if got := relay(t, p, start.Add(59*time.Second), AtoB, another()); (got == nil) != hosts {
			t.Errorf("blacklist of hosts %v: another connection arrived as %v", hosts, got)
		}
		if relay(t, p, start.Add(59*time.Second), BtoA, testSegment{flags: wire.ACK}.answer(1, 1)) == nil {
			t.Error("the other way is cut off too")
		}
		if relay(t, p, start.Add(61*time.Second), AtoB, plain.packet()) == nil {
			t.Error("the blacklist has no end")
		}
	}
}

// Both ends see one connection, each in numbers that the other did not choose.
func TestRewriteSequence(t *testing.T) {
	block := func(edges ...uint32) []byte {
		o := []byte{1, 1, optionSACK, byte(2 + 4*len(edges))}
		for _, e := range edges {
			o = binary.BigEndian.AppendUint32(o, e)
		}
		return o
	}
	last := uint32(clientSeq)
	for _, sack := range []bool{false, true} {
		p := NewPath(0, RewriteSequence(7, sack))
		syn := relay(t, p, start, AtoB, testSegment{flags: wire.SYN, options: cookie, data: "hello"}.packet())
		if syn == nil || syn.Seq == clientSeq || syn.Ack != clientAck {
			t.Fatalf("SYN arrived as %v, want another sequence number", syn)
		}
		client := syn.Seq - clientSeq // by how much it was shifted
		synack := relay(t, p, start, BtoA, testSegment{flags: wire.SYN | wire.ACK}.answer(1000, syn.Seq+6))
		if synack == nil || synack.Seq == 1000 || synack.Ack != last+6 {
			t.Fatalf("SYN-ACK arrived as %v, want ack %d", synack, last+6)
		}
		server := synack.Seq - 1000
		if client == server {
			t.Error("both ends are shifted alike")
		}
		got := relay(t, p, start, BtoA, testSegment{flags: wire.ACK, options: block(client+50, client+60)}.answer(1001, client+40))
		want := wire.Range{Start: 50, End: 60}
		if !sack {
			want = wire.Range{Start: client + 50, End: client + 60}
		}
		if got == nil || got.Seq != server+1001 || got.Ack != 40 || len(got.Options.Ranges()) != 1 || got.Options.SACK[0] != want {
			t.Errorf("SACK known %v: ACK arrived as %v, want block %v", sack, got, want)
		}
	}
	p := NewPath(0, RewriteSequence(7, true))
	if s := relay(t, p, start, AtoB, testSegment{flags: wire.ACK}.packet()); s == nil || s.Seq != clientSeq {
		t.Errorf("a segment of an unknown connection arrived as %v", s)
	}
}

func TestNAT(t *testing.T) {
	one, two := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	translator := NewNAT(one, netip.MustParseAddr("2001:db8::1"), two)
	p := NewPath(0, translator)
	syn := testSegment{flags: wire.SYN, options: cookie, data: "x"}
	a := relay(t, p, start, AtoB, syn.packet())
	again := relay(t, p, start, AtoB, syn.packet())
	if a == nil || again == nil || a.Src.Addr() != one || again.Src != a.Src {
		t.Fatalf("the SYN arrived as %v, and again as %v", a, again)
	}
	other := syn.packet()
	s, _ := parse(other)
	s.edit(func() { s.setEnds(netip.AddrPortFrom(s.Src.Addr(), 40001), s.Dst) })
	if b := relay(t, p, start, AtoB, other); b == nil || b.Src.Addr() != two {
		t.Errorf("the SYN of the next connection arrived as %v, want from %v", b, two)
	}
	reply := testSegment{flags: wire.SYN | wire.ACK}.answer(9, 1)
	q, _ := parse(reply)
	q.edit(func() { q.setEnds(q.Src, a.Src) })
	if back := relay(t, p, start, BtoA, reply); back == nil || back.Dst.String() != "10.77.0.1:40000" {
		t.Errorf("the answer arrived as %v, want at the client's own address", back)
	}
	if in, ok := translator.Inside(a.Dst, a.Src); !ok || in.String() != "10.77.0.1:40000" {
		t.Errorf("inside is %v, %v", in, ok)
	}
	for name, packet := range map[string][]byte{
		"unknown":   testSegment{flags: wire.ACK}.answer(9, 1),
		"not TCP":   {1, 2, 3},
		"malformed": syn.packet()[:30],
	} {
		p.Send(start, BtoA, packet)
		if _, ok := p.Receive(start); ok {
			t.Errorf("%s: passed", name)
		}
	}
}
