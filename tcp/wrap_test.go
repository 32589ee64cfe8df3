package tcp

import (
	"testing"
	"time"
)

// Sequence numbers and timestamps pass their half and their end within a transfer, with
// losses around that, as at any other place (RFC 9293 section 3.4, RFC 7323 section 5.2).
func TestWrapAround(t *testing.T) {
	for name, number := range map[string]func(p *pair) (is uint32, unit time.Duration){
		"client's sequence numbers": func(p *pair) (uint32, time.Duration) {
			return p.cfg[0].isn(p.now, clientAddr, serverAddr), isnTick
		},
		"server's sequence numbers": func(p *pair) (uint32, time.Duration) {
			return p.cfg[1].isn(p.now.Add(p.delay), serverAddr, clientAddr), isnTick
		},
		"client's timestamps": func(p *pair) (uint32, time.Duration) {
			return p.cfg[0].timestampBase(p.now, clientAddr.Addr(), serverAddr.Addr()), p.cfg[0].tick()
		},
		"server's timestamps": func(p *pair) (uint32, time.Duration) {
			return p.cfg[1].timestampBase(p.now.Add(p.delay), serverAddr.Addr(), clientAddr.Addr()), p.cfg[1].tick()
		},
	} {
		for _, edge := range []uint32{0, 1 << 31} {
			for seed := range uint64(12) {
				p := newPair(t, seed)
				p.loss = []float64{0, 0.02, 0.1}[seed%3]
				p.mix = []float64{0, 0.05}[seed%2]
				p.cfg[0].NoSACK = seed%4 == 3
				// So far ahead of the edge that it lies in the transfer.
				before := []uint32{1, 2, 60, 150, 1500, 50_000}[seed%6]
				is, unit := number(p)
				p.now = p.now.Add(time.Duration(edge-before-is) * unit)
				if is, _ := number(p); edge-is > before+1 {
					t.Fatalf("%s: begin %d before the edge, want %d", name, edge-is, before)
				}
				p.end[0].send, p.end[1].send = stream(0, 150_000), stream(7, 120_000)
				p.start(ListenConfig{}, nil)
				p.run(10 * time.Minute)
				p.whole()
				if t.Failed() {
					t.Fatalf("%s around %#x, seed %d", name, edge, seed)
				}
			}
		}
	}
}
