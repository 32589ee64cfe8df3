package main

import (
	"io"
	"slices"
	"time"
)

func pingWorkloads() []workload {
	return []workload{{
		Name: "ping", Title: "64 B there and back on an open connection, in process",
		Stacks: []string{ours, gvisor, kernel}, Cores: []int{2, 1},
		Metrics: []metric{
			{Key: "p50 µs", Digits: 1, Goals: []goal{{ours, gvisor, 0.5, 2}, {ours, gvisor, 0.25, 1}}},
			{Key: "p99 µs", Digits: 1, Goals: []goal{{ours, gvisor, 0.5, 0}}},
			{Key: "CPU µs", Digits: 1, Goals: []goal{{ours, gvisor, 0.5, 2}, {ours, gvisor, 0.25, 1}}},
			{Key: "allocs", Digits: 2, Goals: []goal{{ours, "", 0.01, 0}}},
			{Key: "segments", Digits: 2, Goals: []goal{{ours, "", 2.01, 0}}},
		},
		Run: func(stack string) (figures, error) {
			p, err := newPair(stack, wiring{mtu: 1500, offload: true})
			if err != nil {
				return nil, err
			}
			defer p.close()
			clients, servers, err := p.established(1)
			if err != nil {
				return nil, err
			}
			go echo(servers[0])
			return pingPong(clients[0], p.segments)
		},
	}}
}

// echo sends back what comes.
func echo(c closeWriter) {
	var b [64]byte
	for {
		if _, err := io.ReadFull(c, b[:]); err != nil {
			return
		}
		if _, err := c.Write(b[:]); err != nil {
			return
		}
	}
}

// pingPong measures how long each answer takes.
func pingPong(c closeWriter, segments func() float64) (figures, error) {
	took := make([]time.Duration, 0, 1<<21)
	var b [64]byte
	run := func(d time.Duration) error {
		for began, now := time.Now(), time.Now(); now.Sub(began) < d && len(took) < cap(took); {
			if _, err := c.Write(b[:]); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, b[:]); err != nil {
				return err
			}
			then := time.Now()
			took, now = append(took, then.Sub(now)), then
		}
		return nil
	}
	if err := run(warmUp); err != nil {
		return nil, err
	}
	took = took[:0]
	m, segs := startMeter(), segments()
	if err := run(span); err != nil {
		return nil, err
	}
	segs = segments() - segs
	s := m.stop()
	slices.Sort(took)
	n := float64(len(took))
	return figures{
		"p50 µs": micros(took[len(took)/2]), "p99 µs": micros(took[len(took)*99/100]),
		"CPU µs": micros(s.cpu) / n, "allocs": s.allocs / n, "segments": segs / n,
	}, nil
}
