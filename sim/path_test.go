package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(ms float64) time.Time { return start.Add(time.Duration(ms * float64(time.Millisecond))) }

const ms = time.Millisecond

// arrivals receives all that is due by now, as text.
func arrivals(p *Path, now time.Time) string {
	var got []string
	for {
		pkt, ok := p.Receive(now)
		if !ok {
			return strings.Join(got, ", ")
		}
		got = append(got, fmt.Sprintf("%v %v %s", pkt.At.Sub(start), pkt.Dir, pkt.Data))
	}
}

func TestPathDelay(t *testing.T) {
	p := NewPath(0, Link{AtoB: Way{Delay: 30 * ms}, BtoA: Way{Delay: 10 * ms}}, Delay(5*ms))
	if d := p.Deadline(); !d.IsZero() {
		t.Fatalf("deadline of an empty path is %v", d)
	}
	p.Send(at(0), AtoB, []byte("a"))
	p.Send(at(1), BtoA, []byte("b"))
	p.Send(at(2), AtoB, []byte("c"))
	for _, c := range []struct {
		now, deadline float64 // deadline after the call
		want          string
	}{
		{5.9, 6, ""}, // b reaches the first link
		{6, 16, ""},
		{15.9, 16, ""},
		{16, 30, "16ms B>A b"},
		{30, 32, ""},                      // a reaches the second link
		{40, 0, "35ms A>B a, 37ms A>B c"}, // late, but each at its time
		{39, 0, ""},                       // time does not go back
		{1000, 0, ""},                     // nothing comes twice
	} {
		if got := arrivals(p, at(c.now)); got != c.want {
			t.Errorf("at %v ms: got %q, want %q", c.now, got, c.want)
		}
		want := at(c.deadline)
		if c.deadline == 0 {
			want = time.Time{}
		}
		if got := p.Deadline(); got != want {
			t.Errorf("at %v ms: deadline %v, want %v", c.now, got.Sub(start), want.Sub(start))
		}
	}
	p.Send(at(0), AtoB, []byte("d")) // as at 1000 ms
	if got := arrivals(p, at(2000)); got != "1.035s A>B d" {
		t.Errorf("got %q, want what was sent in the past to count as sent now", got)
	}
}

func TestPathWithoutHops(t *testing.T) {
	p := NewPath(0)
	p.Send(at(0), BtoA, []byte("b"))
	if d := p.Deadline(); d != at(0) {
		t.Errorf("deadline %v, want at once", d)
	}
	if got := arrivals(p, at(0)); got != "0s B>A b" {
		t.Errorf("got %q", got)
	}
}

// Packets meet the hops in the order of their direction.
func TestPathOrder(t *testing.T) {
	mark := func(c byte) Box {
		return func(_ time.Time, d Dir, packet []byte, emit func(Dir, []byte)) { emit(d, append(packet, c)) }
	}
	p := NewPath(0, mark('1'), mark('2'), Delay(ms), mark('3'))
	p.Send(at(0), AtoB, []byte("a"))
	p.Send(at(0), BtoA, []byte("b"))
	if got := arrivals(p, at(1)); got != "1ms A>B a123, 1ms B>A b321" {
		t.Errorf("got %q", got)
	}
}

// What a box answers goes back over the hops that the packet came by.
func TestPathAnswer(t *testing.T) {
	echo := Box(func(_ time.Time, d Dir, packet []byte, emit func(Dir, []byte)) {
		emit(d.Reverse(), []byte("no"))
		emit(d.Reverse(), []byte("really"))
	})
	p := NewPath(0, Delay(3*ms), echo, Delay(100*ms))
	p.Send(at(0), AtoB, []byte("a"))
	if got := arrivals(p, at(1000)); got != "6ms B>A no, 6ms B>A really" {
		t.Errorf("got %q", got)
	}
	p.Send(at(1000), BtoA, []byte("b"))
	if got := arrivals(p, at(2000)); got != "1.2s A>B no, 1.2s A>B really" {
		t.Errorf("got %q", got)
	}
}

func TestPathLoss(t *testing.T) {
	run := func(seed uint64) (lost []int) {
		p := NewPath(seed, Link{AtoB: Way{Loss: 0.25}, BtoA: Way{Loss: 0}})
		const n = 10000
		for i := range n {
			p.Send(at(float64(i)), AtoB, []byte{1})
			if arrivals(p, at(float64(i))) == "" {
				lost = append(lost, i)
			}
			p.Send(at(float64(i)), BtoA, []byte{1})
			if arrivals(p, at(float64(i))) == "" {
				t.Fatalf("seed %d: packet %d lost on the way that loses none", seed, i)
			}
		}
		return lost
	}
	a, b, c := run(1), run(1), run(2)
	if !slices.Equal(a, b) {
		t.Error("the same seed lost other packets")
	}
	if slices.Equal(a, c) {
		t.Error("another seed lost the same packets")
	}
	// Five standard deviations: 5·√(10000·¼·¾) ≈ 217.
	if len(a) < 2500-217 || len(a) > 2500+217 {
		t.Errorf("seed 1 lost %d of 10000, want about 2500", len(a))
	}
	p := NewPath(0, Link{AtoB: Way{Loss: 1}})
	p.Send(at(0), AtoB, []byte{1})
	if got := arrivals(p, at(0)); got != "" {
		t.Errorf("%q arrived where all is lost", got)
	}
}

// However it is called, every packet arrives once, unchanged, at its time, and
// nothing arrives before what was due earlier.
func TestPathRandom(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		delays := [2][2]time.Duration{}
		for i := range delays {
			for d := range delays[i] {
				delays[i][d] = time.Duration(rng.IntN(5)) * ms
			}
		}
		p := NewPath(seed,
			Link{AtoB: Way{Delay: delays[0][AtoB]}, BtoA: Way{Delay: delays[0][BtoA]}},
			Link{AtoB: Way{Delay: delays[1][AtoB]}, BtoA: Way{Delay: delays[1][BtoA]}})
		now, due := start, map[string]time.Time{}
		last := start
		receive := func() {
			for {
				pkt, ok := p.Receive(now)
				if !ok {
					return
				}
				if want, ok := due[string(pkt.Data)]; !ok || pkt.At != want || pkt.At.After(now) || pkt.At.Before(last) {
					t.Fatalf("seed %d: at %v got %q of %v, want it at %v and not before %v", seed, now, pkt.Data, pkt.At, want, last)
				}
				last = pkt.At
				delete(due, string(pkt.Data))
			}
		}
		for i := range 300 {
			switch rng.IntN(3) {
			case 0:
				now = now.Add(time.Duration(rng.IntN(3)) * ms)
			case 1:
				d := Dir(rng.IntN(2))
				data := bytes.Repeat(fmt.Append(nil, i, d), 1+rng.IntN(300))
				p.Send(now, d, data)
				due[string(data)] = now.Add(delays[0][d] + delays[1][d])
			case 2:
				receive()
			}
		}
		for steps := 0; !p.Deadline().IsZero(); steps++ {
			if d := p.Deadline(); d.After(now) {
				now = d
			}
			receive()
			if steps > 1000 {
				t.Fatalf("seed %d: deadlines without end", seed)
			}
		}
		if len(due) > 0 {
			t.Fatalf("seed %d: %d packets never arrived", seed, len(due))
		}
	}
}

func TestPathAllocations(t *testing.T) {
	p := NewPath(0, Delay(ms), Box(func(_ time.Time, d Dir, packet []byte, emit func(Dir, []byte)) { emit(d, packet) }), Delay(ms))
	now, packet := start, make([]byte, 1500)
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(ms / 10)
		p.Send(now, AtoB, packet)
		for {
			pkt, ok := p.Receive(now)
			if !ok {
				break
			}
			binary.BigEndian.Uint16(pkt.Data)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a packet on its way, want none", n)
	}
}
