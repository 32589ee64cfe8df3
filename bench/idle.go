package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func idleWorkloads() (all []workload) {
	for _, n := range []int{10_000, 100_000} {
		stacks := []string{ours, gvisor, kernel}
		if n > 10_000 {
			stacks = []string{ours, gvisor} // the kernel would need 200,000 descriptors
		}
		all = append(all, workload{
			Name: fmt.Sprintf("idle/%d", n), Title: fmt.Sprintf("%d connections in process that were used once", n),
			Stacks: stacks, Cores: []int{2}, Once: true,
			Metrics: []metric{
				{Key: "bytes/end", Goals: []goal{{ours, "", 1024, 0}}},
				{Key: "slab/end"},
				{Key: "goroutines", Goals: []goal{{ours, "", 0, 0}}},
			},
			Run: func(stack string) (figures, error) { return idle(stack, n) },
		})
	}
	return append(all, workload{
		Name: "time-wait", Title: "10000 connections in TIME-WAIT",
		Stacks: []string{ours, gvisor}, Cores: []int{2}, Once: true,
		Metrics: []metric{{Key: "bytes", Goals: []goal{{ours, "", 128, 0}}}},
		Run:     func(stack string) (figures, error) { return timeWaits(stack, 10_000) },
	})
}

// ports are how many a server listens on, so that there are enough four-tuples.
const ports = 8

// opener opens connections, uses each once, and returns both ends.
func opener(p *pair) (func(n int) ([]net.Conn, error), error) {
	var listeners []net.Listener
	for i := range ports {
		l, err := p.listen(uint16(80+i), false)
		if err != nil {
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return func(n int) ([]net.Conn, error) {
		conns := make([]net.Conn, 0, 2*n)
		for i := range n {
			c, err := p.dial(uint16(80 + i%ports))
			if err != nil {
				return nil, fmt.Errorf("connection %d: %w", i, err)
			}
			s, err := listeners[i%ports].Accept()
			if err != nil {
				return nil, err
			}
			var b [64]byte
			for _, way := range [][2]net.Conn{{c, s}, {s, c}} {
				if _, err = way[0].Write(b[:]); err == nil {
					_, err = io.ReadFull(way[1], b[:])
				}
				if err != nil {
					return nil, err
				}
			}
			conns = append(conns, c, s)
		}
		return conns, nil
	}, nil
}

// idle measures what connections take that nothing happens on.
func idle(stack string, n int) (figures, error) {
	if isKernel(stack) { // two descriptors for each
		most, err := manyFiles()
		if err != nil {
			return nil, err
		}
		n = min(n, most/2-200)
	}
	p, err := newPair(stack, wiring{mtu: 1500, offload: true})
	if err != nil {
		return nil, err
	}
	defer p.close()
	open, err := opener(p)
	if err != nil {
		return nil, err
	}
	first, err := open(100) // what there is once for all
	if err != nil {
		return nil, err
	}
	before, slabs, goroutines := heap(), slab(), runtime.NumGoroutine()
	conns, err := open(n)
	if err != nil {
		return nil, err
	}
	time.Sleep(500 * time.Millisecond) // the last acknowledgements
	f := figures{
		"bytes/end":  (heap() - before - float64(32*n)) / float64(2*n),
		"goroutines": float64(runtime.NumGoroutine() - goroutines),
	}
	if isKernel(stack) {
		f["slab/end"] = (slab() - slabs) / float64(2*n)
	}
	runtime.KeepAlive(conns)
	runtime.KeepAlive(first)
	return f, nil
}

// timeWaits measures what is kept of connections that the client has closed.
func timeWaits(stack string, n int) (figures, error) {
	p, err := newPair(stack, wiring{mtu: 1500, offload: true})
	if err != nil {
		return nil, err
	}
	defer p.close()
	open, err := opener(p)
	if err != nil {
		return nil, err
	}
	use := func(n int) error {
		for range n / 100 {
			conns, err := open(100)
			if err != nil {
				return err
			}
			for i, c := range conns { // the client first: the server waits for its end
				if i%2 == 1 {
					if _, err := c.Read(make([]byte, 1)); err != io.EOF {
						return fmt.Errorf("at the end of a connection: %w", err)
					}
				}
				if err := c.Close(); err != nil {
					return err
				}
			}
		}
		time.Sleep(time.Second)
		return nil
	}
	if err := use(500); err != nil {
		return nil, err
	}
	before := heap()
	if err := use(n); err != nil {
		return nil, err
	}
	return figures{"bytes": (heap() - before) / float64(n)}, nil
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// slab is how many bytes the kernel's own objects take, of the whole machine.
func slab() float64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Slab:" {
			n, _ := strconv.ParseFloat(f[1], 64)
			return n * 1024
		}
	}
	return 0
}

// manyFiles raises the limit of open files as far as it goes, and returns it.
func manyFiles() (int, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	l.Cur = l.Max
	return int(min(l.Max, 1<<20)), unix.Setrlimit(unix.RLIMIT_NOFILE, &l)
}
