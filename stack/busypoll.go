package stack

import (
	"runtime"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// A pollable link can be asked for what has come while somebody else waits in its
// Receive, though not while what that has received is still lent.
type pollable interface {
	// Poll gives deliver what has come, if there is anything, and does not
	// wait. What the packets show is good until deliver returns.
	Poll(batch []wire.Packet, deliver func([]wire.Packet)) (n int, err error)
	// Done gives back what the last Receive has lent, as the next does.
	Done()
}

// busyPoll lets a goroutine that waits for an answer look for it on the links
// itself for some time before it sleeps, as SO_BUSY_POLL does in Linux. If the
// answer comes in that time, nobody has to be woken: neither the thread that
// sleeps in the network poller, nor the goroutine that reads the link, nor by that
// the one that waits. That is where most of the time of a short exchange goes, some
// 25 µs for a processor that has to be woken from idleness.
//
// Only one goroutine polls at a time, and nobody on a single processor, where the
// answer could not be made meanwhile.
type busyPoll struct {
	links []polled
	batch []wire.Packet
	busy  bool
	worth pollBudget
}

// polled is a link and what takes its packets.
type polled struct {
	pollable
	deliver func([]wire.Packet)
}

// pollLink makes a link one that is polled, if it can be.
func (t *Stack) pollLink(i int, l Link) {
	if p, ok := l.(pollable); ok {
		t.polls.links = append(t.polls.links, polled{p, func(batch []wire.Packet) { t.take(i, batch) }})
	}
}

// sleep gives the lock up until b is called.
func (t *Stack) sleep(b *blocked, read bool) time.Time {
	calls := b.calls.Load()
	if len(t.polls.links) == 0 || t.polls.busy {
		b.side(read).Wait()
		return time.Now()
	}
	began := time.Now()
	if budget := t.polls.worth.budget; budget > 0 {
		t.poll(b, calls, began, budget)
	}
	if b.calls.Load() == calls {
		b.side(read).Wait()
	}
	now := time.Now()
	took := now.Sub(began)
	if t.polls.worth.budget > 0 || took <= mostPoll && runtime.GOMAXPROCS(0) > 1 && runtime.NumCPU() > 1 {
		t.polls.worth.learn(took)
	}
	return now
}

// poll looks at the links until b has been called, or the budget is spent.
func (t *Stack) poll(b *blocked, calls uint32, began time.Time, budget time.Duration) {
	p := &t.polls
	if p.batch == nil {
		p.batch = make([]wire.Packet, batchSize)
	}
	p.busy = true
	t.mu.Unlock()
	for b.calls.Load() == calls && time.Since(began) < budget {
		n := 0
		for _, l := range p.links {
			k, _ := l.Poll(p.batch, l.deliver) // Receive hears of errors
			n += k
		}
		if n > 0 && b.calls.Load() == calls {
			// It was for others, who may have been woken.
			runtime.Gosched()
		}
	}
	t.mu.Lock()
	p.busy = false
}
