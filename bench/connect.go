package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

func connectWorkloads() (all []workload) {
	for _, at := range []int{1, 64} {
		all = append(all, workload{
			Name: fmt.Sprintf("connect/%d", at), Title: fmt.Sprintf("connect + 64 B + 64 B + close in process, %d at once", at),
			Stacks: []string{ours, fast, gvisor, kernel, fastKern}, Cores: []int{2, 1},
			Metrics: []metric{
				{Key: "conn/s", Higher: true, Goals: []goal{{ours, gvisor, 3, 0}, {fast, gvisor, 3, 0}}},
				{Key: "CPU µs", Digits: 1, Goals: []goal{{ours, gvisor, 1. / 3, 0}}},
				{Key: "allocs", Digits: 1, Goals: []goal{{ours, "", 5, 0}}},
				{Key: "bytes", Goals: []goal{{ours, "", 1024, 0}}},
				{Key: "segments", Digits: 1},
				{Key: "early", Digits: 2},
			},
			Run: func(stack string) (figures, error) { return connects(stack, at) },
		})
	}
	return all
}

// connects opens connections for a while, so many at once, each for one
// question of 64 bytes and one answer.
func connects(stack string, at int) (figures, error) {
	// gVisor makes more connections over its queue.
	p, err := newPair(stack, wiring{mtu: 1500, offload: stack != gvisor, timeWait: true})
	if err != nil {
		return nil, err
	}
	defer p.close()
	early := stack == fast || stack == fastKern
	l, err := p.listen(80, early)
	if err != nil {
		return nil, err
	}
	var inSYN atomic.Int64
	for range 2 * at {
		go answerAll(l, &inSYN)
	}
	ask := func(b []byte) error { return exchange(p, early, b) }
	return rate(at, ask, p.segments, func() float64 { return float64(inSYN.Load()) })
}

// rate repeats something for a while, so many at once.
func rate(at int, ask func(b []byte) error, segments, early func() float64) (figures, error) {
	var asked atomic.Int64
	var stopping atomic.Bool
	var failed atomic.Pointer[error]
	var work sync.WaitGroup
	for range at {
		work.Go(func() {
			b := make([]byte, 64)
			for !stopping.Load() {
				if err := ask(b); err != nil {
					first := err // err itself would be allocated each time
					failed.CompareAndSwap(nil, &first)
					return
				}
				asked.Add(1)
			}
		})
	}
	// The first SYN may meet a device that is not up yet, and take a second.
	for limit := time.Now().Add(5 * time.Second); asked.Load() == 0 && failed.Load() == nil && time.Now().Before(limit); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(warmUp)
	m, before, segs, syns := startMeter(), asked.Load(), segments(), early()
	time.Sleep(span)
	n := float64(asked.Load() - before)
	segs, syns = segments()-segs, early()-syns
	s := m.stop()
	stopping.Store(true)
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	if n == 0 {
		return nil, fmt.Errorf("nothing was answered in %v", s.wall)
	}
	work.Wait()
	return figures{
		"conn/s": n / s.wall.Seconds(), "CPU µs": micros(s.cpu) / n, "allocs": s.allocs / n, "bytes": s.bytes / n,
		"segments": segs / n, "early": syns / n,
	}, nil
}

// exchange is one connection of the client's. It allocates nothing itself.
func exchange(p *pair, early bool, b []byte) error {
	var c net.Conn
	var err error
	if early {
		c, err = p.dialEarly(80, b)
	} else if c, err = p.dial(80); err == nil {
		_, err = c.Write(b)
	}
	if err != nil {
		return err
	}
	if _, err = io.ReadFull(c, b); err != nil {
		return err
	}
	return c.Close()
}

// answerAll answers one connection after the other, and counts those that began
// in a SYN.
func answerAll(l net.Listener, early *atomic.Int64) {
	b := make([]byte, 64)
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if e, ok := c.(interface{ Early() bool }); ok && e.Early() {
			early.Add(1)
		}
		answerOne(c, b)
	}
}

// answerOne sends back 64 bytes and waits for the end.
func answerOne(c net.Conn, b []byte) {
	defer c.Close()
	if _, err := io.ReadFull(c, b); err != nil {
		return
	}
	if _, err := c.Write(b); err == nil {
		_, _ = c.Read(b)
	}
}
