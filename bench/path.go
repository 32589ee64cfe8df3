package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/sim"
)

// roundTrip is that of the path in the first workload.
const roundTrip = 100 * time.Millisecond

func pathWorkloads() []workload {
	all := []workload{{
		Name: "first-byte", Title: "time to the first byte of the answer over a path of 100 ms, in round trips",
		Stacks: []string{ours, fast, gvisor, kernel, fastKern}, Cores: []int{2}, Once: true, Netns: true,
		Metrics: []metric{{Key: "round trips", Digits: 3, Goals: []goal{{ours, "", 2.03, 0}, {fast, "", 1.02, 0}}}},
		Run:     firstByte,
	}}
	for _, x := range []struct {
		name string
		rtt  time.Duration
		way  sim.Way
	}{
		{"66ms-0.01%", 66 * time.Millisecond, sim.Way{Loss: 0.0001}},
		{"66ms-0.1%", 66 * time.Millisecond, sim.Way{Loss: 0.001}},
		{"66ms-1%", 66 * time.Millisecond, sim.Way{Loss: 0.01}},
		{"100ms-0.1%", 100 * time.Millisecond, sim.Way{Loss: 0.001}},
		{"66ms-reorder", 66 * time.Millisecond, sim.Way{Reorder: 0.01}},
	} {
		const rate = 200_000_000
		x.way.Rate, x.way.Delay, x.way.Queue = rate, x.rtt/2, int(rate/8*x.rtt.Seconds())
		all = append(all, workload{
			Name: "recovery/" + x.name, Title: fmt.Sprintf("bulk over a path of %v and 200 Mbit/s, loss %.2g %%, reordering %.2g %%", x.rtt, x.way.Loss*100, x.way.Reorder*100),
			Stacks: []string{ours, gvisor, kernel}, Cores: []int{2}, Netns: true,
			Metrics: []metric{{Key: "Mbit/s", Higher: true, Digits: 1, Goals: []goal{{ours, kernel, 1, 0}, {ours, gvisor, 1, 0}}}},
			Run: func(stack string) (figures, error) {
				back := x.way
				back.Loss, back.Reorder = 0, 0
				return recovery(stack, sim.Link{AtoB: x.way, BtoA: back})
			},
		})
	}
	return all
}

// pairOver is a pair joined by a path, in real time.
func pairOver(stack string, w wiring, hops ...sim.Hop) (*pair, error) {
	path := sim.NewPath(rand.Uint64(), hops...)
	if isKernel(stack) {
		return kernelPairOver(w, path)
	}
	var near [2]link.Link
	var far [2]link.Device
	for i := range near {
		a, b, err := link.NewPipe(link.PipeConfig{MTU: w.mtu})
		if err != nil {
			return nil, err
		}
		if far[i], err = link.ToDevice(b); err != nil {
			return nil, err
		}
		near[i] = a
	}
	if _, err := sim.NewBridge(far[0], far[1], path); err != nil {
		return nil, err
	}
	if stack != gvisor {
		return ourPairOn(near[0], near[1], w)
	}
	a, err := gvisorOver(near[0])
	if err != nil {
		return nil, err
	}
	b, err := gvisorOver(near[1])
	if err != nil {
		return nil, err
	}
	return gvisorPairOn(a, b, w)
}

// kernelPairOver is two namespaces with a path between their TUN devices.
func kernelPairOver(w wiring, path *sim.Path) (*pair, error) {
	a, err := ownNamespace()
	if err != nil {
		return nil, err
	}
	b, err := newNamespace()
	if err != nil {
		return nil, err
	}
	var devices [2]*link.TUN
	for i, n := range []*namespace{a, b} {
		if err := n.do(func() (err error) {
			devices[i], err = link.OpenTUN(link.TUNConfig{Name: "path0", MTU: w.mtu})
			return err
		}); err != nil {
			return nil, err
		}
	}
	if err := a.up("path0", clientAddr); err != nil {
		return nil, err
	}
	if err := b.up("path0", serverAddr); err != nil {
		return nil, err
	}
	if _, err := sim.NewBridge(devices[0], devices[1], path); err != nil {
		return nil, err
	}
	return kernelPairIn(a, b, w), nil
}

// firstByte measures how long a question takes on a connection that is not
// there yet, of a client that has been to the server before.
func firstByte(stack string) (figures, error) {
	p, err := pairOver(stack, wiring{mtu: 1500}, sim.Delay(roundTrip/2))
	if err != nil {
		return nil, err
	}
	early := stack == fast || stack == fastKern
	l, err := p.listen(80, early)
	if err != nil {
		return nil, err
	}
	var inSYN atomic.Int64
	go answerAll(l, &inSYN)
	var took []time.Duration
	for range 6 {
		began := time.Now()
		var b [64]byte
		var c net.Conn
		if early {
			// With a cookie, both the kernel's write and ours return when
			// the data is on its way, or the handshake is done.
			c, err = p.dialEarly(80, b[:])
		} else if c, err = p.dial(80); err == nil {
			_, err = c.Write(b[:])
		}
		if err != nil {
			return nil, err
		}
		if _, err = io.ReadFull(c, b[:1]); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		c.Close()
		time.Sleep(2 * roundTrip) // so that the close of one does not meet the next
	}
	took = took[1:] // the first has asked for the cookie
	slices.Sort(took)
	return figures{"round trips": float64(took[len(took)/2]) / float64(roundTrip)}, nil
}

// recovery measures what a transfer makes of a path that harms it, without its
// first two seconds.
func recovery(stack string, hop sim.Hop) (figures, error) {
	p, err := pairOver(stack, wiring{mtu: 1500, buffers: 6 << 20, lossy: true}, hop)
	if err != nil {
		return nil, err
	}
	clients, servers, err := p.established(1)
	if err != nil {
		return nil, err
	}
	var got atomic.Int64
	var stopping atomic.Bool
	go drain(servers[0], &got, false)
	go fill(clients[0], &stopping, false)
	time.Sleep(2 * time.Second)
	began, before := time.Now(), got.Load()
	time.Sleep(8 * time.Second)
	return figures{"Mbit/s": float64(got.Load()-before) * 8 / time.Since(began).Seconds() / 1e6}, nil
}
