package fastopen

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRace runs races on a virtual clock (RFC 8305, section 5).
func TestRace(t *testing.T) {
	const delay = 300 * time.Millisecond
	failed := errors.New("refused")
	type contestant struct {
		takes time.Duration
		err   error
	}
	for _, c := range []struct {
		name        string
		delay       time.Duration
		contestants []contestant
		winner      int // -1: failed
		at          time.Duration
		starts      []time.Duration
		alone       []bool
	}{
		{"the first answers in time", delay, []contestant{{100 * time.Millisecond, nil}, {0, nil}},
			0, 100 * time.Millisecond, []time.Duration{0}, []bool{true}},
		{"the first is slow", delay, []contestant{{time.Second, nil}, {100 * time.Millisecond, nil}},
			1, 400 * time.Millisecond, []time.Duration{0, delay}, []bool{true, false}},
		{"the first answers while the second is under way", delay, []contestant{{350 * time.Millisecond, nil}, {time.Second, nil}},
			0, 350 * time.Millisecond, []time.Duration{0, delay}, []bool{true, false}},
		{"the first fails: the second starts at once, alone", delay, []contestant{{10 * time.Millisecond, failed}, {100 * time.Millisecond, nil}},
			1, 110 * time.Millisecond, []time.Duration{0, 10 * time.Millisecond}, []bool{true, true}},
		{"one fails beside another: the third starts at once", delay, []contestant{{time.Second, nil}, {10 * time.Millisecond, failed}, {20 * time.Millisecond, nil}},
			2, 330 * time.Millisecond, []time.Duration{0, delay, 310 * time.Millisecond}, []bool{true, false, false}},
		{"all fail: the first error counts", delay, []contestant{{500 * time.Millisecond, failed}, {0, errors.New("other")}},
			-1, 500 * time.Millisecond, []time.Duration{0, delay}, []bool{true, false}},
		{"never side by side", never, []contestant{{time.Hour, failed}, {0, nil}},
			1, time.Hour, []time.Duration{0, time.Hour}, []bool{true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var mu sync.Mutex
				var starts []time.Duration
				var alone []bool
				var tries []try[int]
				for i, who := range c.contestants {
					tries = append(tries, func(ctx context.Context, a bool) (int, error) {
						mu.Lock()
						starts = append(starts, time.Since(begin))
						alone = append(alone, a)
						mu.Unlock()
						select {
						case <-time.After(who.takes):
							return i, who.err
						case <-ctx.Done():
							return 0, ctx.Err()
						}
					})
				}
				got, err := race(t.Context(), c.delay, c.delay, tries, func(i int) { t.Errorf("dropped %d", i) })
				if c.winner < 0 {
					if err != failed {
						t.Errorf("got %d, %v, want the first error", got, err)
					}
				} else if got != c.winner || err != nil {
					t.Errorf("got %d, %v, want %d", got, err, c.winner)
				}
				if took := time.Since(begin); took != c.at {
					t.Errorf("took %v, want %v", took, c.at)
				}
				synctest.Wait()
				if !slices.Equal(starts, c.starts) || !slices.Equal(alone, c.alone) {
					t.Errorf("started at %v, alone %v; want %v, %v", starts, alone, c.starts, c.alone)
				}
			})
		})
	}
	t.Run("a winner too late is dropped", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var dropped []int
			deaf := func(i int, d time.Duration) try[int] {
				return func(context.Context, bool) (int, error) { time.Sleep(d); return i, nil }
			}
			got, err := race(t.Context(), delay, delay, []try[int]{deaf(0, time.Second), deaf(1, 100*time.Millisecond)},
				func(i int) { dropped = append(dropped, i) })
			if got != 1 || err != nil {
				t.Errorf("got %d, %v", got, err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if !slices.Equal(dropped, []int{0}) {
				t.Errorf("dropped %v, want [0]", dropped)
			}
		})
	})
	t.Run("the context ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			n := 0
			_, err := race(ctx, delay, delay, slices.Repeat([]try[int]{func(ctx context.Context, _ bool) (int, error) {
				n++
				<-ctx.Done()
				return 0, ctx.Err()
			}}, 3), func(int) {})
			if !errors.Is(err, context.DeadlineExceeded) || n != 1 {
				t.Errorf("%d tries, %v", n, err)
			}
		})
	})
}

func TestTakeTurns(t *testing.T) {
	for in, want := range map[string]string{
		"[]":                          "[]",
		"[::1 ::2 192.0.2.1]":         "[::1 192.0.2.1 ::2]",
		"[192.0.2.1 192.0.2.2 ::1]":   "[192.0.2.1 ::1 192.0.2.2]",
		"[192.0.2.1 192.0.2.2]":       "[192.0.2.1 192.0.2.2]",
		"[::1 ::2 ::3 192.0.2.1 ::4]": "[::1 192.0.2.1 ::2 ::3 ::4]",
	} {
		if got := fmt.Sprint(takeTurns(addrs(in))); got != want {
			t.Errorf("takeTurns(%s) = %s, want %s", in, got, want)
		}
	}
}

func addrs(list string) (ips []netip.Addr) {
	for _, s := range strings.Fields(strings.Trim(list, "[]")) {
		ips = append(ips, netip.MustParseAddr(s))
	}
	return ips
}
