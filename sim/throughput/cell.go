package main

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tcp"
)

// cell is a kind of path: of the table, one row.
type cell struct {
	rtt     time.Duration
	mbit    int     // rate both ways, in Mbit/s
	loss    float64 // chance of each packet with data
	reorder float64 // chance of each packet with data to be late by a twentieth of the round trip
}

func (c cell) String() string {
	return fmt.Sprintf("%6s %4d Mbit/s  loss %5s  reordered %3s", strings.Replace(c.rtt.String(), "ms", " ms", 1), c.mbit, percent(c.loss), percent(c.reorder))
}

func percent(x float64) string { return fmt.Sprintf("%g%%", x*100) }

// path is the path with data from A to B. Its queue holds what the path does,
// and a hundred packets at least.
func (c cell) path() sim.Link {
	rate := c.mbit * 1_000_000
	queue := max(int(c.rtt.Seconds()*float64(rate)/8), 150_000)
	way := sim.Way{Rate: rate, Queue: queue, Delay: c.rtt / 2}
	data := way
	data.Loss, data.Reorder = c.loss, c.reorder
	return sim.Link{AtoB: data, BtoA: way}
}

// What counts is what is received from the fifth second of a transfer to the
// twenty-fifth: slow start is over by then on any of these paths.
const (
	warm    = 5 * time.Second
	measure = 20 * time.Second
)

// share is what part of the rate the received bytes are, with the headers of
// the packets that brought them.
func (c cell) share(received int) float64 {
	const payload, packet = 1448, 1500
	return float64(received) * packet / payload * 8 / measure.Seconds() / float64(c.mbit) / 1e6
}

// run makes the transfer between two hosts of package tcp.
func (c cell) run(seed uint64) (share float64, err error) {
	n := sim.NewNet(seed)
	a, b := n.Host("sender", netip.MustParseAddr("10.77.0.1")), n.Host("receiver", netip.MustParseAddr("10.77.0.2"))
	n.Join(a, b, c.path())
	data := sim.Pattern{Seed: seed, N: math.MaxInt}
	to := netip.AddrPortFrom(b.Addr(), 5001)
	var got *sim.Stream
	b.Listen(to, tcp.ListenConfig{}, func(*tcp.Conn) sim.App {
		got = &sim.Stream{In: data}
		return got.Run
	})
	send := &sim.Stream{Out: data}
	a.Dial(to, nil, send.Run)
	n.Wait(warm)
	if got == nil {
		return 0, fmt.Errorf("%v, seed %d: not connected after %v", c, seed, warm)
	}
	before := got.Got
	n.Wait(measure)
	if got.Wrong != "" || got.Err != nil || send.Err != nil {
		return 0, fmt.Errorf("%v, seed %d: %s, sender's error %v, receiver's %v", c, seed, got.Wrong, send.Err, got.Err)
	}
	return c.share(got.Got - before), nil
}
