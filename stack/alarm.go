package stack

// alarms is the structure of deadlines: a heap of four children a node. A host has
// one for connections, of 16 bytes each, and one for all else.
//
// Most deadlines only ever move away, with every packet of a connection that
// lives. So moving one later is left for when it comes: it is then asked for its
// real one. That makes [Host.Deadline] early at times, and never late.
type alarms[S sleeper] struct {
	heap []alarm[S]
}

type alarm[S sleeper] struct {
	at int64 // nanoseconds of the host's clock
	s  S
}

// A sleeper has at most one place in the heap.
type sleeper interface {
	// place is where it keeps its index in the heap plus one; 0 is nowhere.
	place() *int32
	// wake is called when its time has come, and it is in the heap no more.
	wake(at int64)
}

// first is the earliest deadline.
func (a *alarms[S]) first() (at int64, ok bool) {
	if len(a.heap) == 0 {
		return 0, false
	}
	return a.heap[0].at, true
}

// set wakes s at the given time or, if it is to wake before that already, then.
func (a *alarms[S]) set(s S, at int64) {
	p := s.place()
	if *p == 0 {
		a.heap = append(a.heap, alarm[S]{at, s})
		*p = int32(len(a.heap))
	} else if i := *p - 1; a.heap[i].at <= at {
		return
	} else {
		a.heap[i].at = at
	}
	a.up(int(*p) - 1)
}

// drop takes s out.
func (a *alarms[S]) drop(s S) {
	p := s.place()
	if *p == 0 {
		return
	}
	i, last := int(*p)-1, len(a.heap)-1
	*p = 0
	moved := a.heap[last]
	a.heap[last] = alarm[S]{}
	a.heap = a.heap[:last]
	if i == last {
		return
	}
	a.heap[i] = moved
	*moved.s.place() = int32(i + 1)
	a.up(i)
	a.down(int(*moved.s.place()) - 1)
}

// run wakes those whose time has come. One that sets itself anew to a time that
// has come, too, is woken again.
func (a *alarms[S]) run(now int64) {
	for len(a.heap) > 0 && a.heap[0].at <= now {
		s := a.heap[0].s
		a.drop(s)
		s.wake(now)
	}
}

func (a *alarms[S]) up(i int) {
	e := a.heap[i]
	for i > 0 {
		parent := (i - 1) / 4
		if a.heap[parent].at <= e.at {
			break
		}
		a.put(i, a.heap[parent])
		i = parent
	}
	a.put(i, e)
}

func (a *alarms[S]) down(i int) {
	e := a.heap[i]
	for {
		least := 4*i + 1
		if least >= len(a.heap) {
			break
		}
		for c := least + 1; c < min(4*i+5, len(a.heap)); c++ {
			if a.heap[c].at < a.heap[least].at {
				least = c
			}
		}
		if a.heap[least].at >= e.at {
			break
		}
		a.put(i, a.heap[least])
		i = least
	}
	a.put(i, e)
}

func (a *alarms[S]) put(i int, e alarm[S]) {
	a.heap[i] = e
	*e.s.place() = int32(i + 1)
}

// first is the earliest deadline of a host.
func (h *Host) first() (at int64, ok bool) {
	at, ok = h.timers.first()
	if other, too := h.alarms.first(); too && (!ok || other < at) {
		return other, true
	}
	return at, ok
}
