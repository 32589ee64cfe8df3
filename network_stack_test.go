//go:build !plan9

package fastopen_test

import (
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/stack"
)

// joinStacks is twoHosts of package stack.
func joinStacks(t *testing.T, hops ...sim.Hop) *twoHosts {
	t.Helper()
	p := &pathInTime{path: sim.NewPath(1, hops...)}
	p.arrived = sync.NewCond(&p.mu)
	var stacks [2]*stack.Stack
	for i, a := range []string{"192.0.2.1/24", simServer.String() + "/24"} {
		l, err := link.FromDevice(&pathEnd{p: p, out: sim.Dir(i)})
		if err != nil {
			t.Fatal(err)
		}
		stacks[i], err = stack.New(stack.Config{Links: []stack.Link{l}, Addresses: []netip.Prefix{netip.MustParsePrefix(a)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := stacks[i].Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return &twoHosts{stacks[0], stacks[1], func() {
		stacks[0].Do(func(_ time.Time, h *stack.Host) {
			s := h.Settings()
			s.TCP.MinRTO, s.TCP.InitialRTO = 5*time.Second, 5*time.Second
			h.SetSettings(s)
		})
	}, func() (left int) {
		for _, s := range stacks {
			s.Do(func(_ time.Time, h *stack.Host) {
				n, _ := h.Sockets()
				left += n
			})
		}
		return left
	}}
}

// A pathInTime is a sim.Path whose clock is the bubble's.
type pathInTime struct {
	mu      sync.Mutex
	path    *sim.Path
	arrived *sync.Cond
	inbox   [2][][]byte // by the end: A, B
	closed  [2]bool
	timer   *time.Timer
}

// deliver takes what has arrived. p.mu is held.
func (p *pathInTime) deliver() {
	now := time.Now()
	for {
		pkt, ok := p.path.Receive(now)
		if !ok {
			break
		}
		to := pkt.Dir.Reverse() // end A is numbered as what it sends
		p.inbox[to] = append(p.inbox[to], append([]byte(nil), pkt.Data...))
		p.arrived.Broadcast()
	}
	if d := p.path.Deadline(); !d.IsZero() {
		if p.timer != nil {
			p.timer.Stop()
		}
		p.timer = time.AfterFunc(d.Sub(now), func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.deliver()
		})
	}
}

// A pathEnd is one end of it as a link.Device.
type pathEnd struct {
	p   *pathInTime
	out sim.Dir
}

func (e *pathEnd) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	in := &e.p.inbox[e.out]
	for len(*in) == 0 {
		if e.p.closed[e.out] {
			return 0, os.ErrClosed
		}
		e.p.arrived.Wait()
	}
	for n < len(bufs) && n < len(*in) {
		sizes[n] = copy(bufs[n][offset:], (*in)[n])
		n++
	}
	*in = (*in)[n:]
	return n, nil
}

func (e *pathEnd) Write(bufs [][]byte, offset int) (int, error) {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	for _, b := range bufs {
		e.p.path.Send(time.Now(), e.out, b[offset:])
	}
	e.p.deliver()
	return len(bufs), nil
}

func (e *pathEnd) MTU() (int, error) { return 1500, nil }
func (e *pathEnd) BatchSize() int    { return 16 }

func (e *pathEnd) Close() error {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	e.p.closed[e.out] = true
	e.p.arrived.Broadcast()
	return nil
}
