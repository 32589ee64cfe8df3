package stack

import (
	"time"

	"github.com/fastopen-go/fastopen/tcp"
)

// waiting is a connection in TIME-WAIT that nobody owns any more: 96 bytes, and
// its place in a table. All wait equally long, so they end in the order in which
// they began; those that begin anew keep their place, and are put at the end when
// it is their turn.
type waiting struct {
	f flow
	tcp.Wait
	next *waiting
	over bool
}

func (w *waiting) flow() flow { return w.f }

func (h *Host) addWait(now time.Time, f flow, record tcp.Wait) {
	if _, there := h.waits.get(&f); there {
		return
	}
	h.stats.TimeWaits++
	w, ok := h.spares.Take()
	if !ok {
		some := make([]waiting, waitsAtOnce)
		for i := range some[1:] {
			h.spares.Put(&some[1+i])
		}
		w = &some[0]
	}
	w.f, w.Wait = f, record
	h.waits.add(w)
	h.enqueueWait(w)
}

func (h *Host) enqueueWait(w *waiting) {
	w.next = nil
	if h.newest == nil {
		h.oldest = w
		h.alarms.set((*waitEnd)(h), h.clock(w.Deadline()))
	} else {
		h.newest.next = w
	}
	h.newest = w
}

// endWait forgets w at once. It keeps its place among those that wait.
func (h *Host) endWait(w *waiting) {
	h.waits.remove(w)
	w.over = true
}

// waitEnd is the sleeper for the oldest in TIME-WAIT.
type waitEnd Host

func (e *waitEnd) place() *int32 { return &e.waitPlace }

func (e *waitEnd) wake(at int64) {
	h := (*Host)(e)
	for w := h.oldest; w != nil; w = h.oldest {
		// Deadlines are in milliseconds, so this may come one early.
		end := h.clock(w.Deadline())
		if !w.over && end > at {
			if w.next == nil || h.clock(w.next.Deadline()) >= end {
				h.alarms.set(e, end)
				return
			}
			// It began anew: behind the others.
			h.oldest = w.next
			h.enqueueWait(w)
			continue
		}
		h.oldest = w.next
		if h.oldest == nil {
			h.newest = nil
		}
		if !w.over {
			h.waits.remove(w)
		}
		h.dropWait(w)
	}
}

// dropWait keeps w, which nothing refers to any more, to be used again.
func (h *Host) dropWait(w *waiting) {
	*w = waiting{}
	if h.spares.Len() < sparesMost {
		h.spares.Put(w)
	}
}

const (
	// waitsAtOnce records are asked for together. They begin and end in the
	// same order, so what they lie in comes back as a whole.
	waitsAtOnce = 32
	// sparesMost is 100 kB of those that have ended and that others, which
	// begin soon after, are made of.
	sparesMost = 1024
)
