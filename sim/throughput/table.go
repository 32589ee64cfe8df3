package main

import (
	"fmt"
	"sync"
	"time"
)

const ms = time.Millisecond

// clean are paths without loss or reordering.
func clean() (all []cell) {
	for _, mbit := range []int{10, 50} {
		for _, rtt := range []time.Duration{1, 10, 30, 66, 100, 200, 300} {
			all = append(all, cell{rtt: rtt * ms, mbit: mbit})
		}
	}
	return all
}

// lossy are paths that lose packets.
func lossy() (all []cell) {
	for _, mbit := range []int{10, 50} {
		for _, rtt := range []time.Duration{1, 30, 100, 300} {
			for _, loss := range []float64{0.001, 0.01, 0.03} {
				all = append(all, cell{rtt: rtt * ms, mbit: mbit, loss: loss})
			}
		}
	}
	return all
}

// measured are paths on which Linux was measured too.
func measured() (all []cell) {
	for _, rtt := range []time.Duration{66, 100} {
		for _, c := range []cell{{loss: 0}, {loss: 0.0001}, {loss: 0.001}, {loss: 0.01}, {reorder: 0.01}, {loss: 0.001, reorder: 0.01}} {
			c.rtt, c.mbit = rtt*ms, 50
			all = append(all, c)
		}
	}
	return all
}

// mean returns the mean share over the seeds of a cell.
func mean(c cell) (float64, error) {
	n := c.seeds()
	total := 0.0
	for seed := range n {
		share, err := c.run(uint64(seed) + 1)
		if err != nil {
			return 0, err
		}
		total += share
	}
	return total / float64(n), nil
}

// means is mean of each cell, a few at a time.
func means(cells []cell, workers int) ([]float64, error) {
	shares, errs := make([]float64, len(cells)), make([]error, len(cells))
	next := make(chan int)
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for i := range next {
				shares[i], errs[i] = mean(cells[i])
			}
		})
	}
	for i := range cells {
		next <- i
	}
	close(next)
	work.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return shares, nil
}

// row is a line of the table.
func row(c cell, share float64) string {
	return fmt.Sprintf("%v  %5.1f%%", c, share*100)
}

// seeds is over how many runs the mean of a cell is taken.
func (c cell) seeds() int {
	switch {
	case c.loss == 0 && c.reorder == 0:
		return 1 // nothing is left to chance
	case c.loss == 0.0001:
		return 6 // with some ten losses in a run, runs differ a lot
	}
	return 3
}
