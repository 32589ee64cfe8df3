package main

import (
	"fmt"
	"net"
	"time"

	"github.com/fastopen-go/fastopen/link"
)

func tunWorkloads() (all []workload) {
	stacks := []string{ours, gvisor}
	cores := []int{2, 1}
	for _, d := range []struct{ name, title, far string }{{"out", "to the kernel", "sink"}, {"in", "from the kernel", "source"}} {
		for _, streams := range []int{1, 8} {
			all = append(all, workload{
				Name: fmt.Sprintf("tun/%s/%d", d.name, streams), Title: fmt.Sprintf("bulk over TUN with virtio headers %s, %d stream(s); own CPU", d.title, streams),
				Stacks: stacks, Cores: cores, Netns: true,
				Metrics: []metric{
					{Key: "Gbit/s", Higher: true, Digits: 2, Goals: []goal{{ours, gvisor, 1.25, 0}}},
					{Key: "CPU ns/byte", Digits: 3, Goals: []goal{{ours, gvisor, 0.7, 0}}},
					{Key: "allocs/MB", Digits: 2},
				},
				Run: func(stack string) (figures, error) { return tunBulk(stack, d.far, streams) },
			})
		}
	}
	for _, at := range []int{1, 64} {
		times := 2.
		if at > 1 {
			times = 1.5
		}
		all = append(all, workload{
			Name: fmt.Sprintf("tun/connect/%d", at), Title: fmt.Sprintf("connect + 64 B + 64 B + close over TUN to the kernel, %d at once; own CPU", at),
			Stacks: stacks, Cores: cores, Netns: true,
			Metrics: []metric{
				{Key: "conn/s", Higher: true, Goals: []goal{{ours, gvisor, times, 0}}},
				{Key: "CPU µs", Digits: 1}, {Key: "allocs", Digits: 1}, {Key: "segments", Digits: 1},
			},
			Run: func(stack string) (figures, error) {
				p, err := tunPair(stack, "answer", wiring{mtu: 1500, timeWait: true})
				if err != nil {
					return nil, err
				}
				return rate(at, func(b []byte) error { return exchange(p, false, b) }, p.segments, func() float64 { return 0 })
			},
		})
	}
	return append(all, workload{
		Name: "tun/ping", Title: "64 B there and back over TUN to the kernel; own CPU", Stacks: stacks, Cores: cores, Netns: true,
		Metrics: []metric{
			{Key: "p50 µs", Digits: 1, Goals: []goal{{ours, gvisor, 0.34, 1}, {ours, gvisor, 0.5, 2}}},
			{Key: "p99 µs", Digits: 1}, {Key: "CPU µs", Digits: 1}, {Key: "allocs", Digits: 2}, {Key: "segments", Digits: 2},
		},
		Run: func(stack string) (figures, error) {
			p, err := tunPair(stack, "echo", wiring{mtu: 1500})
			if err != nil {
				return nil, err
			}
			c, err := p.dial(80)
			if err != nil {
				return nil, err
			}
			return pingPong(c.(closeWriter), p.segments)
		},
	})
}

// tunPair is a stack on a TUN device, and the kernel's end in another process.
// Both stacks have the same link.
func tunPair(stack, far string, w wiring) (*pair, error) {
	own, err := ownNamespace()
	if err != nil {
		return nil, err
	}
	queues, err := link.OpenTUNQueues(link.TUNConfig{Name: "bench0", MTU: w.mtu}, 1)
	if err != nil {
		return nil, err
	}
	if err := own.up("bench0", clientAddr); err != nil {
		return nil, err
	}
	if err := startFarEnd(far); err != nil {
		return nil, err
	}
	if stack == gvisor {
		over, err := gvisorOver(queues[0])
		if err != nil {
			return nil, err
		}
		s, err := gvisorStack(over, serverAddr, w)
		if err != nil {
			return nil, err
		}
		return &pair{
			dial:     func(port uint16) (net.Conn, error) { return gvisorDial(s, clientAddr, port) },
			segments: func() float64 { return float64(s.Stats().TCP.SegmentsSent.Value()) + outSegments(own) },
		}, nil
	}
	s, err := ourStack(queues[0], serverAddr, w)
	if err != nil {
		return nil, err
	}
	return &pair{
		dial:     func(port uint16) (net.Conn, error) { return s.Dial("tcp", address(clientAddr, port)) },
		segments: func() float64 { return float64(s.Stats().SegmentsOut) + outSegments(own) },
	}, nil
}

// tunBulk sends or receives as fast as it goes.
func tunBulk(stack, far string, streams int) (figures, error) {
	p, err := tunPair(stack, far, wiring{mtu: 1500, buffers: 4 << 20})
	if err != nil {
		return nil, err
	}
	return toKernel(p, far, streams)
}

// toKernel is bulk, with a far end that takes or gives as much as it can.
func toKernel(p *pair, far string, streams int) (figures, error) {
	var conns []closeWriter
	for range streams {
		c, err := p.dial(80)
		if err != nil {
			return nil, err
		}
		conns = append(conns, c.(closeWriter))
	}
	if far == "source" {
		return stream(nil, conns, false)
	}
	done := make([]counter, streams)
	for i, c := range conns {
		go func() {
			b := make([]byte, chunk)
			for {
				n, err := c.Write(b)
				done[i].Add(int64(n))
				if err != nil {
					return
				}
			}
		}()
	}
	total := func() (n int64) {
		for i := range done {
			n += done[i].Load()
		}
		return n
	}
	time.Sleep(warmUp)
	m, before := startMeter(), total()
	time.Sleep(span)
	bytes := float64(total() - before)
	return perByte(m.stop(), bytes)
}
