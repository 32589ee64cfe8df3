package sim

import "time"

// A Link is a hop that takes time. The zero Link takes none and loses nothing.
type Link struct {
	AtoB, BtoA Way
}

// Way is what a link does to packets in one direction.
type Way struct {
	// Delay is how long a packet takes. Zero or negative: no time at all.
	Delay time.Duration
	// Loss is the chance of a packet to be lost, from 0, none, to 1, all.
	Loss float64
}

// Delay returns a link that takes d each way.
func Delay(d time.Duration) Link {
	return Link{AtoB: Way{Delay: d}, BtoA: Way{Delay: d}}
}

func (l Link) join(p *Path, i int) passer {
	ways := [...]Way{AtoB: l.AtoB, BtoA: l.BtoA}
	return func(d Dir, packet []byte) {
		w := &ways[d]
		if w.Loss > 0 && p.rng.Float64() < w.Loss {
			p.free = append(p.free, packet)
			return
		}
		if w.Delay <= 0 {
			p.pass(d, next(d, i), packet)
			return
		}
		p.count++
		p.flying.push(flyer{at: p.now.Add(w.Delay), order: p.count, dir: d, next: next(d, i), packet: packet})
	}
}
