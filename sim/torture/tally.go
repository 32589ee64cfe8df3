package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// perSeed is how many connections one seed for each cell makes: each story is
// told with and without Fast Open.
func perSeed() (n int) {
	for range cases(1) {
		n += 2 * connections
	}
	return n
}

// tally is what came out so far.
type tally struct {
	total, workers int
	began          time.Time

	mu       sync.Mutex
	made     int
	failed   int // stories
	failures []string
	outcomes map[string]int
	rows     map[string]*row // by what they are about
}

// row sums the time that connections took which ended well in both stories.
type row struct {
	n             int
	with, without time.Duration
}

func newTally(total int) *tally {
	return &tally{total: total, began: time.Now(), outcomes: map[string]int{}, rows: map[string]*row{}}
}

// run tells every story with the given number of seeds for each cell.
func (t *tally) run(seeds, workers int) {
	t.workers = workers
	next := make(chan testCase)
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for c := range next {
				t.try(c)
			}
		})
	}
	for c := range cases(seeds) {
		next <- c
	}
	close(next)
	work.Wait()
}

// try tells one story with and without Fast Open, and counts.
func (t *tally) try(c testCase) {
	without := c
	without.plain = true
	a, b := tell(c, nil), tell(without, nil)
	var failures []string
	for _, w := range append(a.check(), a.compare(b)...) {
		failures = append(failures, fmt.Sprintf("%v: %s", c, w))
	}
	for _, w := range b.check() {
		failures = append(failures, fmt.Sprintf("%v: %s", without, w))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.made += len(a.conns) + len(b.conns)
	if failures != nil {
		t.failed++
		t.failures = append(t.failures, failures...)
	}
	for i, x := range a.conns {
		y := b.conns[i]
		t.outcomes[outcome(x.outcome)]++
		if x.client.Err != nil || y.client.Err != nil || x.breaks() || !x.client.EOF || !y.client.EOF {
			continue
		}
		for _, about := range []string{"box " + c.box, "fast " + c.fast, "network " + c.net} {
			r := t.rows[about]
			if r == nil {
				r = &row{}
				t.rows[about] = r
			}
			r.n++
			r.with += x.took()
			r.without += y.took()
			if a.b.kills {
				break // it would drown what the others do
			}
		}
	}
}

func outcome(o tfo.Outcome) string {
	if o.Cause == tfo.NoCause {
		return name(o.Status)
	}
	return name(o.Status) + ", " + name(o.Cause)
}

func name(v interface{ MarshalText() ([]byte, error) }) string {
	b, _ := v.MarshalText()
	return string(b)
}

// report says now and then how far it is, and each failure once.
func (t *tally) report(w io.Writer, every time.Duration) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		told := 0
		say := func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			for ; told < len(t.failures); told++ {
				fmt.Fprintln(w, "FAIL", t.failures[told])
			}
			rate := float64(t.made) / time.Since(t.began).Seconds()
			left := time.Duration(float64(t.total-t.made)/max(rate, 1)) * time.Second
			fmt.Fprintf(w, "%d of %d connections, %.0f a second, %v left, %d stories failed\n", t.made, t.total, rate, left, t.failed)
		}
		for {
			select {
			case <-tick.C:
				say()
			case <-done:
				say()
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// summary is the tables: how connections ended, and what Fast Open saved.
func (t *tally) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d connections in %v with %d at a time, %d stories failed\n\n", t.made, time.Since(t.began).Round(time.Second), t.workers, t.failed)
	for _, o := range sorted(t.outcomes) {
		fmt.Fprintf(&b, "%9d %s\n", t.outcomes[o], o)
	}
	fmt.Fprintf(&b, "\n%-28s %9s %12s %12s\n", "mean time of a connection", "number", "with", "without")
	for _, table := range [][]string{prefixed("fast ", names(fasts)), prefixed("network ", names(networks)), prefixed("box ", names(boxes))} {
		for _, about := range table {
			if r := t.rows[about]; r != nil {
				fmt.Fprintf(&b, "%-28s %9d %10.1fms %10.1fms\n", about, r.n, r.mean(r.with), r.mean(r.without))
			}
		}
	}
	return b.String()
}

func (r *row) mean(d time.Duration) float64 {
	return float64(d) / float64(r.n) / float64(time.Millisecond)
}
