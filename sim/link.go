package sim

import (
	"math/rand/v2"
	"time"
)

// A Link is a hop that takes time and loses things. The zero Link takes no time
// and loses nothing.
type Link struct {
	AtoB, BtoA Way
}

// Way is what a link does to packets in one direction, in the order of its
// fields: what is lost is lost before it takes up any of the rate. Each chance
// is from 0, never, to 1, always.
type Way struct {
	// Loss is the chance of a packet to be lost, each on its own.
	Loss float64
	// Burst loses packets in bursts.
	Burst Gilbert
	// Corrupt is the chance that one bit of a packet, anywhere, is flipped.
	Corrupt float64
	// Duplicate is the chance that a packet is sent twice.
	Duplicate float64
	// Rate is how many bits leave in a second. Zero: no limit.
	Rate int
	// Queue and QueuePackets are how many bytes and packets may wait to
	// leave, with the one that is leaving; what comes when there is no room
	// is dropped. Zero: no limit. One packet always has room.
	Queue, QueuePackets int
	// Mark is how many bytes have to be waiting for a packet to be marked
	// "congestion experienced" if it is able to (RFC 3168). Zero: none is.
	Mark int
	// Delay is how long a packet takes. Zero or negative: no time at all.
	Delay time.Duration
	// Jitter is by how much more at most, evenly spread. No packet overtakes
	// another by that.
	Jitter time.Duration
	// Reorder is the chance of a packet to take Late longer, while those
	// behind it overtake it.
	Reorder float64
	// Late is for Reorder. Zero: a tenth of Delay, and a millisecond if that
	// is zero.
	Late time.Duration
}

// Delay returns a link that takes d each way.
func Delay(d time.Duration) Link { return Both(Way{Delay: d}) }

// Both returns a link that is the same each way.
func Both(w Way) Link { return Link{AtoB: w, BtoA: w} }

func (l Link) join(p *Path, i int) passer {
	ways := [...]*way{AtoB: newWay(p, l.AtoB, i, AtoB), BtoA: newWay(p, l.BtoA, i, BtoA)}
	return func(d Dir, packet []byte) { ways[d].take(p, packet) }
}

// way is one direction of a link in use.
type way struct {
	Way
	dir, to int // to is the next hop
	rng     *rand.Rand
	burst   bool
	queue   queue
	last    time.Time // when the latest packet is due that has not been reordered
}

// newWay gives each way chances of its own, so that what goes one way does not
// change the luck of what goes the other.
func newWay(p *Path, w Way, i int, d Dir) *way {
	if w.Late <= 0 {
		w.Late = w.Delay / 10
	}
	if w.Late <= 0 {
		w.Late = time.Millisecond
	}
	return &way{Way: w, dir: int(d), to: next(d, i), rng: rand.New(rand.NewPCG(p.seed, uint64(i)<<1|uint64(d)))}
}

func (w *way) chance(x float64) bool { return x > 0 && w.rng.Float64() < x }

func (w *way) take(p *Path, packet []byte) {
	if w.chance(w.Loss) || w.Burst.lose(&w.burst, w.rng) {
		p.free = append(p.free, packet)
		return
	}
	if w.chance(w.Corrupt) && len(packet) > 0 {
		bit := w.rng.IntN(8 * len(packet))
		packet[bit/8] ^= 1 << (bit % 8)
	}
	if w.chance(w.Duplicate) {
		w.launch(p, append(p.buffer(), packet...))
	}
	w.launch(p, packet)
}

// launch puts a packet on the link.
func (w *way) launch(p *Path, packet []byte) {
	leaves, ok := w.queue.enter(p.now, &w.Way, packet)
	if !ok {
		p.free = append(p.free, packet)
		return
	}
	at := leaves.Add(max(w.Delay, 0))
	if w.Jitter > 0 {
		at = at.Add(time.Duration(w.rng.Int64N(int64(w.Jitter) + 1)))
	}
	if at.Before(w.last) {
		at = w.last
	}
	if w.chance(w.Reorder) {
		at = at.Add(w.Late)
	} else {
		w.last = at
	}
	if !at.After(p.now) {
		p.pass(Dir(w.dir), w.to, packet)
		return
	}
	p.count++
	p.flying.push(flyer{at: at, order: p.count, dir: Dir(w.dir), next: w.to, packet: packet})
}

// Gilbert is the model of Gilbert and Elliott: a link is in a good state, in
// which it loses nothing, or in a bad one. For each packet the state may
// change. The zero value is always good.
type Gilbert struct {
	Enter float64 // chance to become bad
	Leave float64 // chance to become good again; zero: 1/4
	Loss  float64 // chance of a packet to be lost in the bad state; zero: 1
}

func (g *Gilbert) lose(bad *bool, rng *rand.Rand) bool {
	if g.Enter <= 0 {
		return false
	}
	x := rng.Float64()
	if *bad {
		leave := g.Leave
		if leave == 0 {
			leave = 0.25
		}
		*bad = x >= leave
	} else {
		*bad = x < g.Enter
	}
	return *bad && (g.Loss == 0 || rng.Float64() < g.Loss)
}
