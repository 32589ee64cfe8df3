package main

import (
	"math/rand/v2"
	"time"

	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/wire"
)

// plan is what the applications of one connection do. It depends on the seed
// alone, so that a story without Fast Open has the same.
type plan struct {
	request, response      sim.Pattern
	early                  int
	answer                 bool
	clientLast, serverLast bool
	stall                  time.Duration // of the client
	chunk                  int
	cutClient, cutServer   int
	pause                  time.Duration // before the next connection begins
}

// breaks reports whether an application ends the connection before its time.
func (p *plan) breaks() bool { return p.cutClient > 0 || p.cutServer > 0 }

var sizes = []int{0, 1, 50, 200, 500, 1300, 1420, 1461, 3000, 9000, 20000, 70000}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func newPlan(rng *rand.Rand, i int) plan {
	p := plan{
		request:  sim.Pattern{Seed: rng.Uint64(), N: pick(rng, sizes...)},
		response: sim.Pattern{Seed: rng.Uint64(), N: pick(rng, sizes...)},
		answer:   rng.IntN(3) > 0,
		pause:    pick(rng, 0, 10*ms, time.Second, 70*time.Second),
	}
	p.early = min(p.request.N, pick(rng, 0, 100, 1<<14, 1<<14, 1<<14))
	switch rng.IntN(4) {
	case 0:
		p.clientLast = true
	case 1:
		p.serverLast = true
	}
	if rng.IntN(20) == 0 {
		p.stall, p.chunk = pick(rng, 300*ms, 2*time.Second), pick(rng, 1000, 8192)
		p.response.N = min(p.response.N, 9000*p.chunk/1000)
	}
	switch rng.IntN(25) {
	case 0:
		p.cutClient = 1 + rng.IntN(20000)
	case 1:
		p.cutServer = 1 + rng.IntN(20000)
	}
	return p
}

// client and server are the two applications.
func (p *plan) client(n *sim.Net) *sim.Stream {
	return &sim.Stream{Out: p.request, In: p.response, Early: p.early, Last: p.clientLast,
		Stall: p.stall, Chunk: p.chunk, Net: n, Cut: p.cutClient}
}

func (p *plan) server() *sim.Stream {
	return &sim.Stream{Out: p.response, In: p.request, Answer: p.answer, Last: p.serverLast, Cut: p.cutServer}
}

// configure draws what the two ends negotiate.
func configure(rng *rand.Rand, cfg *tcp.Config) {
	one := func(n int) bool { return rng.IntN(n) == 0 }
	cfg.NoSACK, cfg.NoTimestamps, cfg.NoWindowScale = one(8), one(4), one(10)
	cfg.ECN = one(2)
	cfg.NoDelay = one(3)
	if one(5) {
		cfg.Congestion = tcp.NewReno
	}
	if one(5) {
		cfg.ReceiveBuffer, cfg.MaxReceiveBuffer = 5000, 5000
	}
	if one(5) {
		cfg.DelayedACK = -1
	}
	if one(5) {
		cfg.Offload = 1 << 16
	}
	if one(6) {
		cfg.InitialWindow = 2
	}
}

// counted is a [tcp.Memory] that knows how much it has lent.
type counted struct{ lent int }

func (c *counted) Get(n int) []byte {
	size := 1
	for size < n {
		size *= 2
	}
	c.lent += size
	return make([]byte, size)
}

func (c *counted) Put(b []byte) { c.lent -= cap(b) }

func (c *counted) GetBuffer() *wire.Buffer {
	c.lent += wire.BufferSize
	return wire.NewBuffer()
}

func (c *counted) PutBuffer(*wire.Buffer) { c.lent -= wire.BufferSize }
