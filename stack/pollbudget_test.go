package stack

import (
	"testing"
	"time"
)

// A pollRun lets somebody wait again and again on a clock of its own, and adds up
// how long he polled.
type pollRun struct {
	now, polled time.Duration
	pollBudget
}

// wait is a wait that takes so long if it is polled through, and so long if not.
func (r *pollRun) wait(awake, asleep time.Duration) {
	took := asleep
	if r.budget >= awake {
		took = awake
	}
	r.polled += min(r.budget, took)
	r.now += took
	r.learn(took)
}

func (r *pollRun) waits(n int, awake, asleep time.Duration) {
	for range n {
		r.wait(awake, asleep)
	}
}

// ready is a run that has learnt to poll.
func ready() *pollRun {
	r := &pollRun{}
	r.waits(20, 15*time.Microsecond, 50*time.Microsecond)
	return r
}

func TestPollBudgetGrows(t *testing.T) {
	r := ready()
	if r.budget < 15*time.Microsecond {
		t.Fatalf("budget %v where each answer comes after 15 µs", r.budget)
	}
	r.polled, r.now = 0, 0
	r.waits(100, 15*time.Microsecond, 50*time.Microsecond)
	if want := 1500 * time.Microsecond; r.now != want {
		t.Errorf("100 answers took %v, want %v: none slept through", r.now, want)
	}
}

// Where packets are rare, polling ends for good, at whatever budget it was.
func TestPollBudgetShrinks(t *testing.T) {
	r := &pollRun{}
	r.budget = mostPoll
	r.waits(10, time.Second, time.Second)
	if r.budget != 0 {
		t.Errorf("budget %v after ten waits of a second", r.budget)
	}
	if r.polled >= 2*mostPoll {
		t.Errorf("polled for %v until it ended, want less than %v", r.polled, 2*mostPoll)
	}
	before := r.polled
	r.waits(1000, time.Second, time.Second)
	if r.polled != before {
		t.Errorf("polled for %v more in waits of a second", r.polled-before)
	}
}

// An answer that comes soon, now and then, does not make it poll for the others.
func TestPollBudgetOfMixedWaits(t *testing.T) {
	r := ready()
	r.polled = 0
	const n = 10000
	for range n {
		r.wait(15*time.Microsecond, 50*time.Microsecond)
		r.wait(time.Second, time.Second)
	}
	if each := r.polled / n; each > 5*time.Microsecond {
		t.Errorf("polled for %v in each wait of a second", each)
	}
}

// On a processor that others want, the answer comes only after polling has ended.
func TestPollBudgetInTheWay(t *testing.T) {
	r := &pollRun{}
	const n, asleep = 100000, 20 * time.Microsecond
	for range n {
		took := asleep + r.budget
		r.polled += r.budget
		r.now += took
		r.learn(took)
	}
	if r.polled > r.now/20 {
		t.Errorf("polled for %v of %v, in vain", r.polled, r.now)
	}
}

// Where polling gets answers later than sleeping it stops.
func TestPollBudgetWithoutGain(t *testing.T) {
	r := &pollRun{}
	for range 100000 {
		took := 16 * time.Microsecond
		if r.budget > 0 {
			took = 31 * time.Microsecond
		}
		r.polled += min(r.budget, took)
		r.now += took
		r.learn(took)
	}
	if r.polled > r.now/20 {
		t.Errorf("polled for %v of %v, though waits take 31 µs with it and 16 without", r.polled, r.now)
	}
}

// The comparison is with how it goes now: every so often it sleeps again.
func TestPollBudgetAsksAgain(t *testing.T) {
	r := ready()
	slept := r.slept
	r.waits(mostPolled+shortRest, 15*time.Microsecond, 80*time.Microsecond)
	if r.slept <= slept {
		t.Errorf("takes sleep to last %v, as it did at first", r.slept)
	}
	r.waits(10, 15*time.Microsecond, 80*time.Microsecond)
	if r.budget < 15*time.Microsecond {
		t.Errorf("budget %v after that", r.budget)
	}
}
