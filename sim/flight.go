package sim

import "time"

// A flyer is a packet on a link, due at the hop after it.
type flyer struct {
	at     time.Time
	order  uint64 // among those due at the same time
	dir    Dir
	next   int
	packet []byte
}

func (f *flyer) before(g *flyer) bool {
	if c := f.at.Compare(g.at); c != 0 {
		return c < 0
	}
	return f.order < g.order
}

// flight is a heap of flyers, the earliest first. It is not container/heap
// because that allocates for each push.
type flight []flyer

func (f *flight) push(x flyer) {
	h := append(*f, x)
	*f = h
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(&h[up]) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (f *flight) pop() flyer {
	h := *f
	last := len(h) - 1
	first := h[0]
	h[0] = h[last]
	h[last] = flyer{}
	h = h[:last]
	*f = h
	for i := 0; ; {
		least := i
		for down := 2*i + 1; down <= 2*i+2 && down < last; down++ {
			if h[down].before(&h[least]) {
				least = down
			}
		}
		if least == i {
			return first
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
