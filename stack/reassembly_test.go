package stack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

var (
	fragmentStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	families      = map[string][2]netip.Addr{
		"IPv4": {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")},
		"IPv6": {netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")},
	}
)

// fragment makes a fragment of data from off to end.
func fragment(ends [2]netip.Addr, id uint32, data []byte, off, end int) []byte {
	h := wire.IP{
		Src: ends[0], Dst: ends[1], Protocol: wire.ProtocolUDP, ID: id,
		FragmentOffset: uint16(off), MoreFragments: end < len(data), TrafficClass: 2,
	}
	return append(h.Append(nil, end-off), data[off:end]...)
}

// cut makes the fragments of data with size bytes each.
func cut(ends [2]netip.Addr, id uint32, data []byte, size int) (list [][]byte) {
	for off := 0; off < len(data); off += size {
		list = append(list, fragment(ends, id, data, off, min(off+size, len(data))))
	}
	return list
}

func add(t testing.TB, r *reassembler, now time.Time, packet []byte) ([]byte, fate) {
	t.Helper()
	h, _, ok := wire.ParseIP(packet)
	if !ok || !h.IsFragment() {
		t.Fatalf("the test's packet is no fragment: %x", packet)
	}
	return r.add(now, packet, &h)
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func (r *reassembler) empty(t *testing.T) {
	t.Helper()
	if r.bytes != 0 || len(r.packets) != 0 || len(r.sources) != 0 || r.ages.Len() != 0 || !r.deadline().IsZero() {
		t.Errorf("left: %d bytes, %d packets, %d in order, sources %v, deadline %v", r.bytes, len(r.packets), r.ages.Len(), r.sources, r.deadline())
	}
}

// TestReassembly lets fragments come in any order, some of them twice.
func TestReassembly(t *testing.T) {
	for name, ends := range families {
		var r reassembler
		for seed := range uint64(300) {
			rng := rand.New(rand.NewPCG(seed, 1))
			data := random(seed, 1+rng.IntN(5000))
			size := 8 * (1 + rng.IntN(150))
			if len(data) <= size || len(data)/size >= maxPieces {
				continue
			}
			list := cut(ends, uint32(seed), data, size)
			if seed%2 == 1 {
				rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			}
			for i, f := range list {
				got, what := add(t, &r, fragmentStart, f)
				if i < len(list)-1 {
					if what != kept {
						t.Fatalf("%s, seed %d: fragment %d of %d: %d", name, seed, i, len(list), what)
					}
					if _, what := add(t, &r, fragmentStart, f); what != repeated {
						t.Fatalf("%s, seed %d: fragment %d again: %d", name, seed, i, what)
					}
					continue
				}
				h, payload, ok := wire.ParseIP(got)
				if what != whole || !ok || h.IsFragment() || !bytes.Equal(payload, data) || h.Protocol != wire.ProtocolUDP || h.Src != ends[0] || h.Dst != ends[1] {
					t.Fatalf("%s, seed %d: %d, parsed %t: %+v, %d bytes", name, seed, what, ok, h, len(payload))
				}
			}
			r.empty(t)
		}
	}
}

// TestReassemblyExtension keeps the extension headers behind the fragment
// header: they belong to the data that was cut.
func TestReassemblyExtension(t *testing.T) {
	ends := families["IPv6"]
	data := append([]byte{wire.ProtocolUDP, 0, 1, 4, 0, 0, 0, 0}, random(1, 100)...) // a destination options header
	var r reassembler
	var got []byte
	for _, f := range cut(ends, 7, data, 56) {
		f[40] = 60 // what the fragment header says comes next
		got, _ = add(t, &r, fragmentStart, f)
	}
	h, payload, ok := wire.ParseIP(got)
	if !ok || h.Protocol != wire.ProtocolUDP || !bytes.Equal(payload, data[8:]) {
		t.Errorf("got %t, %+v, %x", ok, h, payload)
	}
}

// TestReassemblyOverlap: RFC 5722, RFC 8200 section 4.5. Nothing comes of a
// packet whose fragments overlap, whichever came first, until its time is over.
func TestReassemblyOverlap(t *testing.T) {
	data := random(1, 64)
	for name, ends := range families {
		for _, bad := range []struct {
			name string
			f    []byte
		}{
			{"inside", fragment(ends, 1, data, 8, 16)},
			{"across", fragment(ends, 1, data, 16, 40)},
			{"another end", fragment(ends, 1, data[:56], 48, 56)},
			{"beyond the end", fragment(ends, 1, random(2, 100), 64, 72)},
			{"the same, with other data", fragment(ends, 1, random(2, 64), 0, 24)},
		} {
			var r reassembler
			add(t, &r, fragmentStart, fragment(ends, 1, data, 0, 24))
			add(t, &r, fragmentStart, fragment(ends, 1, data, 56, 64))
			if _, what := add(t, &r, fragmentStart, bad.f); what != overlapped {
				t.Errorf("%s, %s: %d", name, bad.name, what)
			}
			for _, f := range cut(ends, 1, data, 8) {
				if _, what := add(t, &r, fragmentStart, f); what != overlapped {
					t.Errorf("%s, %s: a fragment afterwards: %d", name, bad.name, what)
				}
			}
			r.expire(fragmentStart.Add(60*time.Second), func([]byte) { t.Errorf("%s, %s: it was told", name, bad.name) })
			r.empty(t)
		}
	}
}

// TestReassemblyTimeout: 60 s after the first fragment came, and an ICMP error
// only if the one with offset 0 is there.
func TestReassemblyTimeout(t *testing.T) {
	data := random(1, 64)
	for name, ends := range families {
		var r reassembler
		first := fragment(ends, 1, data, 0, 24)
		add(t, &r, fragmentStart.Add(time.Second), first)
		add(t, &r, fragmentStart.Add(2*time.Second), fragment(ends, 2, data, 24, 32))
		add(t, &r, fragmentStart.Add(30*time.Second), fragment(ends, 1, data, 24, 32))
		var told [][]byte
		tell := func(quote []byte) { told = append(told, quote) }
		if d := r.deadline(); !d.Equal(fragmentStart.Add(61 * time.Second)) {
			t.Errorf("%s: deadline %v", name, d.Sub(fragmentStart))
		}
		r.expire(fragmentStart.Add(61*time.Second-1), tell)
		if len(told) != 0 {
			t.Errorf("%s: told too early", name)
		}
		r.expire(fragmentStart.Add(62*time.Second), tell)
		if len(told) != 1 || !bytes.Equal(told[0], first) {
			t.Errorf("%s: told %x, want once %x", name, told, first)
		}
		r.empty(t)
	}
}

// TestReassemblyBounds floods with fragments that never complete anything. Who
// floods drives out his own before those of others.
func TestReassemblyBounds(t *testing.T) {
	for name, ends := range families {
		r := reassembler{Memory: 64 << 10}
		victim := [2]netip.Addr{ends[1], ends[0]}
		data := random(1, 3000)
		add(t, &r, fragmentStart, fragment(victim, 9, data, 0, 1480))
		for i := range uint32(10_000) {
			add(t, &r, fragmentStart, fragment(ends, i, data, 1480, 2960))
			if r.bytes > r.Memory || r.sources[ends[0]] > r.Memory/4 {
				t.Fatalf("%s: %d bytes in all, %d of one source", name, r.bytes, r.sources[ends[0]])
			}
		}
		if _, what := add(t, &r, fragmentStart, fragment(victim, 9, data, 1480, 3000)); what != whole {
			t.Errorf("%s: a packet of somebody else: %d", name, what)
		}
		tiny := random(2, 8*maxPieces+16)
		var last fate
		for _, f := range cut(victim, 10, tiny, 8) {
			_, last = add(t, &r, fragmentStart, f)
		}
		if last == whole {
			t.Errorf("%s: a packet of %d fragments was put together", name, maxPieces+2)
		}
		r.expire(fragmentStart.Add(time.Hour), func([]byte) {})
		r.empty(t)
	}
}

// TestReassemblyECN: "Reassembly of a fragmented packet MUST NOT lose
// indications of congestion."
// https://www.rfc-editor.org/rfc/rfc3168#section-5.3
func TestReassemblyECN(t *testing.T) {
	data := random(1, 64)
	for name, ends := range families {
		for _, c := range []struct {
			ecn  [2]uint8
			want int // -1: dropped
		}{{[2]uint8{2, 2}, 2}, {[2]uint8{2, 3}, 3}, {[2]uint8{3, 2}, 3}, {[2]uint8{0, 3}, -1}, {[2]uint8{0, 0}, 0}} {
			var r reassembler
			var got []byte
			for i, ecn := range c.ecn {
				h := wire.IP{Src: ends[0], Dst: ends[1], Protocol: 17, ID: 1, FragmentOffset: uint16(32 * i), MoreFragments: i == 0, TrafficClass: ecn}
				got, _ = add(t, &r, fragmentStart, append(h.Append(nil, 32), data[32*i:32*i+32]...))
			}
			h, _, ok := wire.ParseIP(got)
			if ok != (c.want >= 0) || ok && int(h.ECN()) != c.want {
				t.Errorf("%s, %v: %t, %d", name, c.ecn, ok, h.ECN())
			}
			r.empty(t)
		}
	}
}

func TestReassemblyMalformed(t *testing.T) {
	for name, ends := range families {
		var r reassembler
		h := wire.IP{Src: ends[0], Dst: ends[1], Protocol: 17, ID: 1, MoreFragments: true}
		for _, n := range []int{0, 7, 9} {
			if _, what := add(t, &r, fragmentStart, append(h.Append(nil, n), make([]byte, n)...)); what != malformed {
				t.Errorf("%s: a first fragment of %d bytes: %d", name, n, what)
			}
		}
		r.empty(t)
	}
}

// FuzzReassembly gives the reassembler fragments as a fuzzer likes, and holds
// what comes out against the sum of what went in.
func FuzzReassembly(f *testing.F) {
	f.Add([]byte{0, 0, 3, 1, 0, 3, 3, 0}, false)
	f.Add([]byte{1, 3, 3, 0, 0, 0, 3, 1, 0, 1, 1, 1}, true)
	var data [4][]byte
	for id := range data {
		data[id] = random(uint64(id), 256*8+256)
	}
	f.Fuzz(func(t *testing.T, script []byte, v6 bool) {
		ends := families["IPv4"]
		if v6 {
			ends = families["IPv6"]
		}
		r := reassembler{Memory: 8 << 10}
		now := fragmentStart
		for script = script[:min(len(script), 400)]; len(script) >= 4; script = script[4:] {
			id, off, size, more := script[0]&3, int(script[1])*8, int(script[2]), script[3]&1 != 0
			now = now.Add(time.Duration(script[3]>>1) * time.Second)
			h := wire.IP{Src: ends[0], Dst: ends[1], Protocol: 17, ID: uint32(id), FragmentOffset: uint16(off), MoreFragments: more}
			p := append(h.Append(nil, size), data[id][off:off+size]...)
			if h, _, ok := wire.ParseIP(p); ok && h.IsFragment() {
				got, what := r.add(now, p, &h)
				if what == whole {
					h, payload, ok := wire.ParseIP(got)
					if !ok || h.IsFragment() || !bytes.Equal(payload, data[id][:len(payload)]) {
						t.Fatalf("packet %d came out as %t %+v %x", id, ok, h, payload)
					}
				}
			}
			r.expire(now, func(quote []byte) {
				if len(quote) < 20 {
					t.Fatalf("quoted %x", quote)
				}
			})
			sum := 0
			for _, n := range r.sources {
				sum += n
			}
			if r.bytes < 0 || r.bytes > r.Memory+packetOverhead || sum != r.bytes || r.ages.Len() != len(r.packets) {
				t.Fatalf("%d bytes, %d by source, %d packets, %d in order", r.bytes, sum, len(r.packets), r.ages.Len())
			}
		}
		r.expire(now.Add(time.Hour), func([]byte) {})
		if r.bytes != 0 || len(r.packets) != 0 {
			t.Fatalf("left: %d bytes", r.bytes)
		}
	})
}

// FuzzFragmentPacket parses packets of any bytes.
func FuzzFragmentPacket(f *testing.F) {
	for _, ends := range families {
		for _, p := range cut(ends, 1, random(1, 100), 48) {
			f.Add(p)
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, _, ok := wire.ParseIP(p)
		if !ok || !h.IsFragment() {
			return
		}
		var r reassembler
		if got, what := r.add(fragmentStart, p, &h); what == whole {
			t.Fatalf("one fragment is a packet: %x", got)
		}
		r.expire(fragmentStart.Add(time.Hour), func(quote []byte) {
			if !bytes.Equal(quote, p[:len(quote)]) && h.Src.Is4() {
				t.Fatalf("quoted %x of %x", quote, p)
			}
		})
	})
}

func BenchmarkReassembly(b *testing.B) {
	for _, name := range []string{"IPv4", "IPv6"} {
		ends := families[name]
		data := random(1, 9000)
		list := cut(ends, 1, data, 1448)
		b.Run(fmt.Sprint(name), func(b *testing.B) {
			var r reassembler
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for _, f := range list {
					h, _, _ := wire.ParseIP(f)
					h.ID = uint32(i)
					r.add(fragmentStart, f, &h)
				}
			}
		})
	}
}
