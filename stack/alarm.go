package stack

// alarms is the one structure of deadlines: a heap of four children a node.
//
// Most deadlines only ever move away, with every packet of a connection that
// lives. So moving one later is left for when it comes: it is then asked for its
// real one. That makes [Host.Deadline] early at times, and never late.
type alarms struct {
	heap []alarm
}

type alarm struct {
	at int64 // nanoseconds of the host's clock
	sleeper
}

// A sleeper has at most one place in the heap.
type sleeper interface {
	// place is where it keeps its index in the heap plus one; 0 is nowhere.
	place() *int32
	// wake is called when its time has come, and it is in the heap no more.
	wake(at int64)
}

// first is the earliest deadline.
func (a *alarms) first() (at int64, ok bool) {
	if len(a.heap) == 0 {
		return 0, false
	}
	return a.heap[0].at, true
}

// set wakes s at the given time or, if it is to wake before that already, then.
func (a *alarms) set(s sleeper, at int64) {
	p := s.place()
	if *p == 0 {
		a.heap = append(a.heap, alarm{at, s})
		*p = int32(len(a.heap))
	} else if i := *p - 1; a.heap[i].at <= at {
		return
	} else {
		a.heap[i].at = at
	}
	a.up(int(*p) - 1)
}

// drop takes s out.
func (a *alarms) drop(s sleeper) {
	p := s.place()
	if *p == 0 {
		return
	}
	i, last := int(*p)-1, len(a.heap)-1
	*p = 0
	moved := a.heap[last]
	a.heap[last] = alarm{}
	a.heap = a.heap[:last]
	if i == last {
		return
	}
	a.heap[i] = moved
	*moved.place() = int32(i + 1)
	a.up(i)
	a.down(int(*moved.place()) - 1)
}

// run wakes those whose time has come. One that sets itself anew to a time that
// has come, too, is woken again.
func (a *alarms) run(now int64) {
	for len(a.heap) > 0 && a.heap[0].at <= now {
		s := a.heap[0].sleeper
		a.drop(s)
		s.wake(now)
	}
}

func (a *alarms) up(i int) {
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

func (a *alarms) down(i int) {
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

func (a *alarms) put(i int, e alarm) {
	a.heap[i] = e
	*e.place() = int32(i + 1)
}
