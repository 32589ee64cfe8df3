package sim

import (
	"bytes"
	"math/bits"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// crossed sends n packets of size bytes, one each gap, over a link and returns
// what arrives at B, in order: the number in its first two bytes and when.
type crossed struct {
	n  int
	at time.Duration
}

func cross(seed uint64, w Way, n, size int, gap time.Duration) (got []crossed) {
	p := NewPath(seed, Link{AtoB: w})
	now := start
	receive := func() {
		for {
			pkt, ok := p.Receive(now)
			if !ok {
				return
			}
			got = append(got, crossed{int(pkt.Data[0])<<8 | int(pkt.Data[1]), pkt.At.Sub(start)})
		}
	}
	for i := range n {
		now = start.Add(time.Duration(i) * gap)
		b := make([]byte, size)
		b[0], b[1] = byte(i>>8), byte(i)
		p.Send(now, AtoB, b)
		receive()
	}
	now = now.Add(time.Hour)
	receive()
	return got
}

// A link of 8 Mbit/s takes a millisecond for 1000 bytes, one after the other.
func TestLinkRate(t *testing.T) {
	for i, c := range cross(1, Way{Rate: 8e6, Delay: 10 * ms}, 100, 1000, 0) {
		if want := time.Duration(i+1)*ms + 10*ms; c.n != i || c.at != want {
			t.Fatalf("packet %d arrived as number %d at %v, want %v", c.n, i, c.at, want)
		}
	}
	// What comes no faster than the rate never waits.
	for i, c := range cross(1, Way{Rate: 8e6, QueuePackets: 1}, 100, 1000, ms) {
		if want := time.Duration(i+1) * ms; c.n != i || c.at != want {
			t.Fatalf("packet %d arrived as number %d at %v, want %v", c.n, i, c.at, want)
		}
	}
}

func TestLinkQueue(t *testing.T) {
	for _, c := range []struct {
		w    Way
		want int // of 100 that come at once
	}{
		{Way{Rate: 8e6}, 100},
		{Way{Rate: 8e6, QueuePackets: 7}, 7},
		{Way{Rate: 8e6, Queue: 5000}, 5},
		{Way{Rate: 8e6, Queue: 5999}, 5},
		{Way{Rate: 8e6, Queue: 5000, QueuePackets: 3}, 3},
		{Way{Rate: 8e6, Queue: 10}, 1},
		{Way{Queue: 10, QueuePackets: 1}, 100}, // without a rate nothing waits
	} {
		if got := cross(1, c.w, 100, 1000, 0); len(got) != c.want || got[len(got)-1].n != c.want-1 {
			t.Errorf("%+v: %d of 100 packets passed, the last number %d, want the first %d", c.w, len(got), got[len(got)-1].n, c.want)
		}
	}
	// At twice the rate, half passes in the long run.
	if got := len(cross(1, Way{Rate: 8e6, QueuePackets: 10}, 10000, 1000, ms/2)); got < 5000 || got > 5011 {
		t.Errorf("%d of 10000 packets at twice the rate passed, want half and the queue", got)
	}
}

func TestLinkJitter(t *testing.T) {
	const n = 2000
	got := cross(3, Way{Delay: 10 * ms, Jitter: 5 * ms}, n, 100, ms)
	spread := map[time.Duration]bool{}
	for i, c := range got {
		took := c.at - time.Duration(c.n)*ms
		if c.n != i || took < 10*ms || took > 15*ms {
			t.Fatalf("packet %d arrived as number %d after %v, want in order after 10 to 15 ms", c.n, i, took)
		}
		spread[took/ms] = true
	}
	if len(got) != n || len(spread) < 5 {
		t.Errorf("%d packets, %d different milliseconds, want %d and 5 or more", len(got), len(spread), n)
	}
}

func TestLinkReorder(t *testing.T) {
	got := cross(4, Way{Delay: 50 * ms, Reorder: 0.1, Late: 7 * ms}, 10000, 100, ms)
	late, highest := 0, 0
	for _, c := range got {
		switch took := c.at - time.Duration(c.n)*ms; took {
		case 50 * ms:
		case 57 * ms:
			late++
			if highest < c.n {
				t.Fatalf("packet %d was late and yet overtaken by none", c.n)
			}
		default:
			t.Fatalf("packet %d took %v", c.n, took)
		}
		highest = max(highest, c.n)
	}
	if len(got) != 10000 || late < 850 || late > 1150 {
		t.Errorf("%d packets of which %d late, want 10000 and about 1000", len(got), late)
	}
}

func TestLinkDuplicate(t *testing.T) {
	count := map[int]int{}
	for _, c := range cross(5, Way{Delay: ms, Duplicate: 0.2}, 10000, 100, ms) {
		count[c.n]++
	}
	twice := 0
	for i := range 10000 {
		if count[i] < 1 || count[i] > 2 {
			t.Fatalf("packet %d arrived %d times", i, count[i])
		}
		twice += count[i] - 1
	}
	if twice < 1800 || twice > 2200 {
		t.Errorf("%d of 10000 packets came twice, want about 2000", twice)
	}
}

func TestLinkCorrupt(t *testing.T) {
	p := NewPath(6, Link{AtoB: Way{Corrupt: 0.5}})
	sent := bytes.Repeat([]byte{0xa5}, 100)
	flipped, where := 0, map[int]bool{}
	for range 10000 {
		p.Send(start, AtoB, sent)
		pkt, _ := p.Receive(start)
		n := 0
		for i, b := range pkt.Data {
			if d := bits.OnesCount8(b ^ sent[i]); d > 0 {
				n += d
				where[i] = true
			}
		}
		if n > 1 || len(pkt.Data) != 100 {
			t.Fatalf("%d bits flipped of %d bytes", n, len(pkt.Data))
		}
		flipped += n
	}
	if flipped < 4700 || flipped > 5300 || len(where) != 100 {
		t.Errorf("%d packets of 10000 corrupt in %d places, want about 5000 in 100", flipped, len(where))
	}
}

// The share of time in the bad state is Enter/(Enter+Leave), and a stay lasts
// 1/Leave packets on average.
func TestLinkBurst(t *testing.T) {
	const n = 60000
	arrived := make([]bool, n)
	for _, c := range cross(7, Way{Burst: Gilbert{Enter: 0.01, Leave: 0.2}}, n, 10, ms) {
		arrived[c.n] = true
	}
	lost, bursts := 0, 0
	for i, ok := range arrived {
		if !ok {
			lost++
			if i == 0 || arrived[i-1] {
				bursts++
			}
		}
	}
	if want := n / 21; lost < want*8/10 || lost > want*12/10 {
		t.Errorf("lost %d of %d, want about %d", lost, n, want)
	}
	if length := float64(lost) / float64(bursts); length < 4.3 || length > 5.7 {
		t.Errorf("a burst has %.2f packets, want about 5", length)
	}
}

// What goes one way does not change the luck of the other.
func TestLinkWaysApart(t *testing.T) {
	run := func(noise int) (got string) {
		p := NewPath(8, Both(Way{Loss: 0.5}))
		for i := range 200 {
			for range noise {
				p.Send(start, BtoA, []byte{1})
			}
			p.Send(start, AtoB, []byte{byte(i)})
		}
		for {
			pkt, ok := p.Receive(start)
			if !ok {
				return got
			}
			if pkt.Dir == AtoB {
				got += string(pkt.Data)
			}
		}
	}
	if run(0) != run(3) {
		t.Error("packets of one way changed which are lost of the other")
	}
}

func TestLinkMark(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		for ecn := range byte(4) {
			in := testSegment{v6: v6, flags: wire.ACK, data: "x"}.packet()
			if v6 {
				in[1] |= ecn << 4
			} else {
				in[1] |= ecn
				in[10], in[11] = 0, 0
				sum := ^onesSum(in[:20])
				in[10], in[11] = byte(sum>>8), byte(sum)
			}
			p := NewPath(0, Link{AtoB: Way{Rate: 8000, Mark: 1}})
			p.Send(start, AtoB, in)
			p.Send(start, AtoB, in)
			marked := byte(3)
			if ecn == 0 {
				marked = 0
			}
			for i, want := range []byte{ecn, marked} {
				pkt, _ := p.Receive(start.Add(time.Hour))
				h, _, ok := wire.ParseIP(pkt.Data)
				if !ok || h.ECN() != want {
					t.Errorf("IPv6 %v, packet %d: ECN %d became %d (valid %v), want %d", v6, i, ecn, h.ECN(), ok, want)
				}
			}
		}
	}
}

func TestMTU(t *testing.T) {
	long := string(make([]byte, 1400))
	for _, v6 := range []bool{false, true} {
		in := testSegment{v6: v6, flags: wire.ACK, data: long}.packet()
		if out, back := through(t, MTU(len(in)), in); !bytes.Equal(out, in) || back != nil {
			t.Errorf("IPv6 %v: what fits did not pass alone", v6)
		}
		if out, back := through(t, SilentMTU(len(in)-1), in); out != nil || back != nil {
			t.Errorf("IPv6 %v: what does not fit passed or was reported", v6)
		}
		out, back := through(t, MTU(len(in)-1), in)
		h, body, ok := wire.ParseIP(back)
		if out != nil || !ok {
			t.Fatalf("IPv6 %v: passed %d bytes, returned % x", v6, len(out), back)
		}
		m, ok := wire.ParseICMP(h.Src, h.Dst, body)
		q, quoted := m.QuotedTCP()
		if !ok || !quoted || m.Kind != wire.PacketTooBig || m.MTU != uint32(len(in)-1) || q.Seq != clientSeq ||
			q.Src.Port() != 40000 || h.Dst != q.Src.Addr() {
			t.Errorf("IPv6 %v: got %+v quoting %+v", v6, m, q)
		}
	}
	if out, back := through(t, MTU(50), append(netip.MustParseAddr("::").AsSlice(), make([]byte, 50)...)); out != nil || back != nil {
		t.Error("what is no packet passed or was reported")
	}
}
