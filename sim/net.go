package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Epoch is when the clock of every [Net] starts.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A Net is any number of hosts on one virtual clock, joined by paths. The same
// seed and the same calls give the same run, to the nanosecond. It is not safe
// for concurrent use, and starts no goroutine.
type Net struct {
	// Log, if not nil, is told of each packet that a host sends or receives
	// and of what applications say, one line each, in the order of events.
	Log func(line string)

	seed  uint64
	now   time.Time
	hosts []*Host
	wires []*strand
	names names
	tasks []task // in the order of their times
}

// task is something to be done at a time.
type task struct {
	at time.Time
	do func()
}

// A node is what a path ends at: a [Host] or a [Balancer].
type node interface {
	// arrive takes a packet that came over the path that end is the end of.
	// The packet is valid during the call.
	arrive(e *end, packet []byte)
	addrs() []netip.Addr
	attach(e *end)
}

// strand is a path in use, and what is at its ends: A, B.
type strand struct {
	path *Path
	ends [2]end
}

// end is where a node sends into a path.
type end struct {
	strand *strand
	dir    Dir // of what is sent here
	node   node
}

func (e *end) peer() node { return e.strand.ends[e.dir.Reverse()].node }

// NewNet returns a net without hosts. All chance in it comes from seed.
func NewNet(seed uint64) *Net {
	return &Net{seed: seed, now: Epoch}
}

// Join lays a path of the given hops between a and b, who are its ends A and B,
// and returns it. Each sends to the other's addresses over it, and what it
// knows no other path for over the first path it was joined by.
func (n *Net) Join(a, b node, hops ...Hop) *Path {
	s := &strand{path: NewPath(n.seed<<8+uint64(len(n.wires)), hops...)}
	s.ends = [2]end{{s, AtoB, a}, {s, BtoA, b}}
	n.wires = append(n.wires, s)
	a.attach(&s.ends[0])
	b.attach(&s.ends[1])
	return s.path
}

// Now is the time.
func (n *Net) Now() time.Time { return n.now }

// Rand returns a source of chance for purposes outside of the net, such as what
// applications do, so that they depend on the seed alone.
func (n *Net) Rand() *rand.Rand { return rand.New(rand.NewPCG(n.seed, 1<<40)) }

// At does something at a time to come, and then lets every host see to its
// connections.
func (n *Net) At(t time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(n.tasks, t, func(x task, t time.Time) int {
		if x.at.After(t) {
			return 1
		}
		return -1
	})
	n.tasks = slices.Insert(n.tasks, i, task{t, do})
}

// Deadline is when something happens next; zero for never.
func (n *Net) Deadline() time.Time {
	var first time.Time
	earliest := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, s := range n.wires {
		earliest(s.path.Deadline())
	}
	if len(n.tasks) > 0 {
		earliest(n.tasks[0].at)
	}
	for _, h := range n.hosts {
		earliest(h.deadline())
	}
	return first
}

// Step goes on to the next thing that happens, if that is not after limit, and
// reports whether there was one.
func (n *Net) Step(limit time.Time) bool {
	d := n.Deadline()
	if d.IsZero() || d.After(limit) {
		return false
	}
	if d.After(n.now) {
		n.now = d
	}
	for _, s := range n.wires {
		for !s.path.Deadline().IsZero() && !s.path.Deadline().After(n.now) {
			pkt, ok := s.path.Receive(n.now)
			if !ok {
				break
			}
			e := &s.ends[pkt.Dir.Reverse()]
			e.node.arrive(e, pkt.Data)
		}
	}
	for len(n.tasks) > 0 && !n.tasks[0].at.After(n.now) {
		do := n.tasks[0].do
		n.tasks = slices.Delete(n.tasks, 0, 1)
		do()
		for _, h := range n.hosts {
			h.Attend()
		}
	}
	for _, h := range n.hosts {
		h.wake()
	}
	return true
}

// Run goes on until nothing is left to happen, or for d at most, which is then
// the time that has passed.
func (n *Net) Run(d time.Duration) {
	limit := n.now.Add(d)
	for n.Step(limit) {
	}
	if !n.Deadline().IsZero() {
		n.now = limit
	}
}

// Wait lets d pass, whatever happens meanwhile.
func (n *Net) Wait(d time.Duration) {
	limit := n.now.Add(d)
	for n.Step(limit) {
	}
	n.now = limit
}

// Logf adds a line to the log, with the time.
func (n *Net) Logf(format string, args ...any) {
	if n.Log != nil {
		n.Log(fmt.Sprintf("%9.3f ", float64(n.now.Sub(Epoch))/float64(time.Millisecond)) + fmt.Sprintf(format, args...))
	}
}
