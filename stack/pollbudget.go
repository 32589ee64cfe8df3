package stack

import "time"

// pollBudget is how long to poll. It goes by how long the last waits took, like
// the polling of Linux's KVM before it puts a virtual processor to sleep: a wait
// that polling a little longer would have met makes it grow, one that no polling
// would have met makes it shrink, soon to nothing. So nobody polls where packets
// are rare.
//
// https://docs.kernel.org/virt/kvm/halt-polling.html
//
// KVM knows whether anybody else wants the processor. Here it shows in what comes
// of it: waits that are longer than those that were slept through. Then polling is
// left alone for some time.
type pollBudget struct {
	budget time.Duration
	slept  time.Duration // how long short waits take without polling, smoothed
	blame  int           // for waits that polling has not made shorter
	polled int           // waits since the last rest
	rest   int           // short waits until the next attempt
	pause  int           // how long the last rest was for blame
}

const (
	leastPoll = 20 * time.Microsecond
	// An answer takes up to 60 µs if two processors are idle and have to be
	// woken for it, each as long as that of a sleeping virtual machine.
	mostPoll = 100 * time.Microsecond

	// Waits that were no shorter may be a third of all, but not more, except
	// for a few at a time, as the budget begins with.
	blameFailure = 2
	mostBlame    = 20
	// A rest is twice as long as the one before, unless things went well
	// between them for some time: that another program wants a processor
	// often passes soon.
	leastRest = 64
	mostRest  = 1024
	goodSpell = 500
	// How it goes without is to be known of late.
	mostPolled = 4000
	shortRest  = 50
)

// learn takes note of how long a wait took.
func (p *pollBudget) learn(took time.Duration) {
	short := took <= mostPoll
	if p.budget == 0 {
		if !short {
			return
		}
		if p.slept == 0 {
			p.slept = took
		}
		p.slept += (took - p.slept) / 16
		if p.rest > 0 {
			p.rest--
		} else {
			p.budget = leastPoll
		}
		return
	}
	if p.polled++; took <= p.slept {
		p.blame = max(p.blame-1, 0)
	} else {
		p.blame += blameFailure
	}
	switch {
	case p.blame > mostBlame:
		p.pause = min(2*p.pause, mostRest)
		if p.polled > goodSpell || p.pause == 0 {
			p.pause = leastRest
		}
		p.stop(p.pause)
	case p.polled == mostPolled:
		p.stop(shortRest)
	case took <= p.budget:
	case short:
		p.budget = min(2*p.budget, mostPoll)
	default:
		if p.budget /= 2; p.budget < leastPoll {
			p.budget = 0
		}
	}
}

// stop ends polling for so many short waits.
func (p *pollBudget) stop(waits int) {
	*p = pollBudget{slept: p.slept, pause: p.pause, rest: waits}
}
