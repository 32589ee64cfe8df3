// Package pile keeps what is free to be used again, and knows how much of it was
// not used lately.
package pile

import "slices"

// A Pile is what is free of one kind. What was put last is taken first, while it
// is still in the processor's caches. The zero Pile is empty.
type Pile[T any] struct {
	list []T
	idle int // how many of the first were not used since the last Trim
}

// Len is how many there are.
func (p *Pile[T]) Len() int { return len(p.list) }

// Take takes one, if there is any.
func (p *Pile[T]) Take() (x T, ok bool) {
	n := len(p.list) - 1
	if n < 0 {
		return x, false
	}
	var none T
	x, p.list[n] = p.list[n], none
	p.list = p.list[:n]
	p.idle = min(p.idle, n)
	return x, true
}

// Put puts one back.
func (p *Pile[T]) Put(x T) { p.list = append(p.list, x) }

// Trim leaves at most so many of those that were not used since the last Trim to
// the garbage collector, the longest unused first, and returns how many.
func (p *Pile[T]) Trim(most int) (dropped int) {
	dropped = max(min(p.idle, most), 0)
	p.list = slices.Delete(p.list, 0, dropped)
	p.idle = len(p.list)
	return dropped
}
