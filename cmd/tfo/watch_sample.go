package main

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

// A sample is what was counted by one moment.
type sample struct {
	at         time.Time
	namespaces []namespaceSample
}

// A namespaceSample is what was counted in one network namespace.
type namespaceSample struct {
	name      string
	id        kernel.NamespaceID
	bits      kernel.Bits
	bitsErr   error
	counters  kernel.Counters
	listeners []kernel.Listener
	pending   []int // at each of the listeners; nil if it could not be told

	listenersErr error
}

// find returns the sample of a namespace, and whether there is one.
func (s *sample) find(id kernel.NamespaceID) (namespaceSample, bool) {
	if s != nil {
		for _, n := range s.namespaces {
			if n.id == id {
				return n, true
			}
		}
	}
	return namespaceSample{}, false
}

// A rate is what was counted between two samples.
type rate struct {
	over  time.Duration // 0 for the first sample, which has no rate
	since kernel.Counters
}

// rateOf returns what a namespace has counted since the sample before. One
// that is new has counted all it has since then.
func rateOf(now sample, n namespaceSample, before *sample) rate {
	if before == nil {
		return rate{}
	}
	earlier, _ := before.find(n.id)
	return rate{now.at.Sub(before.at), n.counters.Sub(earlier.counters)}
}

// perSecond is a number of the rate for each second.
func (r rate) perSecond(n uint64) float64 {
	if r.over <= 0 {
		return 0
	}
	return float64(n) / r.over.Seconds()
}

// A sampler takes samples of the namespaces that were chosen.
type sampler struct {
	one    kernel.Namespace // unless all
	all    bool
	known  map[kernel.NamespaceID][]kernel.Listener
	looked int
}

func newSampler(f *namespaceFlags, cmd *cobra.Command) (*sampler, error) {
	n, err := f.one(cmd)
	if err != nil {
		return nil, err
	}
	s := &sampler{one: n, all: f.all, known: map[kernel.NamespaceID][]kernel.Listener{}}
	if _, err := s.take(time.Now()); err != nil { // what cannot be done at all is said at once
		return nil, err
	}
	return s, nil
}

// ownersEvery is how many samples the owners of listeners are remembered for.
const ownersEvery = 10

// take takes a sample. A namespace that cannot be entered, or is gone, is
// left out if there are others to look at.
func (s *sampler) take(now time.Time) (sample, error) {
	list := []kernel.Namespace{s.one}
	if s.all {
		var err error
		if list, _, err = kernel.Namespaces(); err != nil {
			return sample{}, err
		}
	}
	if s.looked%ownersEvery == 0 {
		clear(s.known)
	}
	s.looked++
	r := sample{at: now}
	for i, n := range list {
		x := namespaceSample{name: n.String(), id: n.ID()}
		err := n.Do(func() error { return s.here(&x) })
		switch {
		case err == nil:
			r.namespaces = append(r.namespaces, x)
		case i == 0 || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return sample{}, err
		}
	}
	return r, nil
}

// here samples the namespace of the calling thread. The counters are what it
// cannot do without.
func (s *sampler) here(x *namespaceSample) (err error) {
	if x.counters, err = kernel.ReadCounters(); err != nil {
		return err
	}
	x.bits, x.bitsErr = kernel.FastOpen()
	x.listeners, x.listenersErr = kernel.ListenersAgain(s.known[x.id])
	if x.listenersErr != nil {
		return nil
	}
	s.known[x.id] = x.listeners
	if pending, err := kernel.Pending(); err == nil {
		x.pending = kernel.PendingOf(x.listeners, pending)
	}
	return nil
}

// A joint is all the sockets that a program has at one address, such as one for
// each of its threads: to people and to Prometheus they are one thing.
type joint struct {
	address                                   string
	owners                                    []kernel.Process
	sockets, queue, backlog, waiting, pending int
}

// joints joins the listeners of a namespace.
func (n namespaceSample) joints() (list []joint) {
	for i, l := range n.listeners {
		address := l.String()
		at := slices.IndexFunc(list, func(j joint) bool { return j.address == address && j.process() == processOf(l.Owners) })
		if at < 0 {
			at = len(list)
			list = append(list, joint{address: address, owners: l.Owners})
		}
		j := &list[at]
		j.sockets++
		j.queue += l.Queue
		j.backlog += l.Backlog
		j.waiting += l.Waiting
		if n.pending != nil {
			j.pending += n.pending[i]
		}
	}
	return list
}

// process is the name of the program, "" if it is not known.
func (j joint) process() string { return processOf(j.owners) }

func processOf(owners []kernel.Process) string {
	if len(owners) == 0 {
		return ""
	}
	return owners[0].Name
}
