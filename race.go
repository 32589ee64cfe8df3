package fastopen

import (
	"context"
	"time"
)

// A try is one attempt of a race. alone says that no other attempt is under
// way at its start.
type try[T any] func(ctx context.Context, alone bool) (T, error)

// race starts the first try at once, and every further one when the one
// before it has gone delay without an answer or one has failed (RFC 8305,
// section 5). It returns the first success; what succeeds after that goes to
// drop. If all fail, race returns the error of the first try, as package net
// does.
//
// The second try starts after head, if no reason to start it comes before: the
// first may have been under way for a while.
func race[T any](ctx context.Context, head, delay time.Duration, tries []try[T], drop func(T)) (winner T, err error) {
	type result struct {
		i    int
		conn T
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result)
	next, running := 0, 0
	start := func() {
		i, alone := next, running == 0
		next, running = next+1, running+1
		go func() {
			conn, err := tries[i](ctx, alone)
			results <- result{i, conn, err}
		}()
	}
	start()
	timer := time.NewTimer(head)
	defer timer.Stop()
	first := -1
	for running > 0 {
		select {
		case <-timer.C:
		case r := <-results:
			running--
			if r.err == nil {
				go func(left int) {
					for range left {
						if r := <-results; r.err == nil {
							drop(r.conn)
						}
					}
				}(running)
				return r.conn, nil
			}
			if first < 0 || r.i < first {
				first, err = r.i, r.err
			}
		}
		if next < len(tries) && ctx.Err() == nil {
			start()
			timer.Reset(delay)
		}
	}
	return winner, err
}
