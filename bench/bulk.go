package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

var background = context.Background()

// links are how the hosts of the workloads in process are joined.
var links = []struct {
	name, title string
	wiring
	times, cpu, lend float64 // goals next to gVisor: rate, processor time, rate when lending
}{
	{"1500", "MTU 1500, no offload", wiring{mtu: 1500}, 3, 1. / 3, 0},
	{"super", "MTU 1500, super-segments of 64 KiB", wiring{mtu: 1500, offload: true}, 1.5, 0.67, 2},
	{"65535", "MTU 65535", wiring{mtu: 65535}, 1.5, 0.67, 0},
}

func bulkWorkloads() (all []workload) {
	for _, l := range links {
		for _, streams := range []int{1, 8} {
			w := l.wiring
			w.buffers = 4 << 20
			if streams > 1 && l.name == "1500" {
				w.buffers = 256 << 10 // what serves gVisor best
			}
			stacks := []string{ours, gvisor, kernel}
			rate := metric{Key: "Gbit/s", Higher: true, Digits: 2, Goals: []goal{{ours, gvisor, l.times, 0}, {ours, kernel, 1, 2}}}
			if l.lend > 0 {
				stacks = []string{ours, lending, gvisor, kernel}
				rate.Goals = append(rate.Goals, goal{lending, gvisor, l.lend, 0})
			}
			all = append(all, workload{
				Name: fmt.Sprintf("bulk/%s/%d", l.name, streams), Title: fmt.Sprintf("bulk in process, %s, %d stream(s)", l.title, streams),
				Stacks: stacks, Cores: []int{2, 1},
				Metrics: []metric{
					rate,
					{Key: "CPU ns/byte", Digits: 3, Goals: []goal{{ours, gvisor, l.cpu, 0}}},
					{Key: "allocs/MB", Digits: 3, Goals: []goal{{ours, "", 0.1, 0}}},
					{Key: "bytes/MB", Digits: 1},
				},
				Run: func(stack string) (figures, error) { return bulk(stack, w, streams) },
			})
		}
	}
	return all
}

// chunk is how much is written and read at once.
const chunk = 64 << 10

// bulk sends as fast as it goes.
func bulk(stack string, w wiring, streams int) (figures, error) {
	p, err := newPair(stack, w)
	if err != nil {
		return nil, err
	}
	defer p.close()
	clients, servers, err := p.established(streams)
	if err != nil {
		return nil, err
	}
	return stream(clients, servers, stack == lending)
}

// counter counts what a stream has received, on a cache line of its own.
type counter struct {
	atomic.Int64
	_ [120]byte
}

// stream measures how fast all clients' data reaches the servers.
func stream(clients, servers []closeWriter, lend bool) (figures, error) {
	got := make([]counter, len(servers))
	var stopping atomic.Bool
	for i, s := range servers {
		go drain(s, &got[i].Int64, lend)
	}
	for _, c := range clients {
		go fill(c, &stopping, lend)
	}
	total := func() (n int64) {
		for i := range got {
			n += got[i].Load()
		}
		return n
	}
	time.Sleep(warmUp)
	m, before := startMeter(), total()
	time.Sleep(span)
	bytes := float64(total() - before)
	s := m.stop()
	stopping.Store(true) // and nobody waits: the process ends
	return perByte(s, bytes)
}

// perByte is what was spent on so many bytes.
func perByte(s spent, bytes float64) (figures, error) {
	if bytes == 0 {
		return nil, fmt.Errorf("nothing has arrived in %v", s.wall)
	}
	return figures{
		"Gbit/s":      bytes * 8 / float64(s.wall.Nanoseconds()),
		"CPU ns/byte": float64(s.cpu.Nanoseconds()) / bytes,
		"allocs/MB":   s.allocs / (bytes / 1e6),
		"bytes/MB":    s.bytes / (bytes / 1e6),
	}, nil
}

// fill writes until it is told to stop.
func fill(c closeWriter, stopping *atomic.Bool, lend bool) {
	defer c.CloseWrite()
	if lend {
		_, _ = c.(io.ReaderFrom).ReadFrom(source{stopping})
		return
	}
	b := make([]byte, chunk)
	for !stopping.Load() {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// drain counts what it reads.
func drain(c closeWriter, got *atomic.Int64, lend bool) {
	if lend {
		_, _ = c.(io.WriterTo).WriteTo(sink{got})
		return
	}
	b := make([]byte, chunk)
	for {
		n, err := c.Read(b)
		got.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// source is data that is there already wherever it is wanted, as when a
// program makes it in place.
type source struct{ stopping *atomic.Bool }

func (s source) Read(b []byte) (int, error) {
	if s.stopping.Load() {
		return 0, io.EOF
	}
	return len(b), nil
}

type sink struct{ got *atomic.Int64 }

func (s sink) Write(b []byte) (int, error) {
	s.got.Add(int64(len(b)))
	return len(b), nil
}
