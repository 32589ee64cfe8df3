package tcp

import "github.com/fastopen-go/fastopen/wire"

// An inbox is what was received and not read, in two parts: first the buffers of
// a chain, which came from a link with the data in them, then a ring, where small
// segments are put together and what comes out of order finds its place.
//
//	chain: [buffer]→[buffer]→[buffer]   ring: [·······|  bytes past the end
//	        read here        small segments            are in place ahead of
//	                         are added to the last     those before them
//
// While there is a chain, what comes in order is added to it; the ring then holds
// nothing in order, except what followed a gap.
type inbox struct {
	ring
	last *wire.Buffer // of the chain: its Next is the first, its Total all bytes
}

// spillMost is how much is moved out of the ring for the sake of a buffer that
// could be kept behind it.
const spillMost = wire.BufferSize

func (q *inbox) len() int { return q.chained() + q.n }

// chained is how many bytes are in the chain.
func (q *inbox) chained() int {
	if q.last == nil {
		return 0
	}
	return q.last.Total
}

// add appends p. Nothing past the end may be in place. If p lies in a buffer that
// may be kept, that is at from.
func (q *inbox) add(m Memory, p []byte, from **wire.Buffer) {
	switch {
	case from != nil && len(p) >= wire.KeepLeast && q.spill(m):
		b := *from
		*from = m.GetBuffer()
		b.Data = p
		q.link(b)
	case q.last != nil && q.n == 0:
		q.fill(m, p)
	default:
		q.ring.append(m, p)
	}
}

// link makes b the last of the chain, with what is in it.
func (q *inbox) link(b *wire.Buffer) {
	b.Total = q.chained() + len(b.Data)
	if q.last == nil {
		b.Next = b
	} else {
		b.Next, q.last.Next = q.last.Next, b
	}
	q.last = b
}

// fill adds p to the chain by copying it.
func (q *inbox) fill(m Memory, p []byte) {
	for len(p) > 0 {
		if q.last == nil || len(q.last.Data) == cap(q.last.Data) {
			b := m.GetBuffer()
			b.Data = b.Memory[:0]
			q.link(b)
		}
		k := min(cap(q.last.Data)-len(q.last.Data), len(p))
		q.last.Data = append(q.last.Data, p[:k]...)
		q.last.Total += k
		p = p[k:]
	}
}

// spill empties the ring into the chain, if that is worth while.
func (q *inbox) spill(m Memory) bool {
	if q.n == 0 {
		return true
	}
	if q.n > spillMost {
		return false
	}
	x, y := q.view(0, q.n)
	q.fill(m, x)
	q.fill(m, y)
	q.ring.discard(m, q.n, false)
	return true
}

// read moves bytes from the front to p; ahead says that bytes past the end are in
// place.
func (q *inbox) read(m Memory, p []byte, ahead bool) (n int) {
	for n < len(p) && q.last != nil {
		k := copy(p[n:], q.last.Next.Data)
		q.discard(m, k, ahead)
		n += k
	}
	if k := min(len(p)-n, q.n); k > 0 {
		x, y := q.view(0, k)
		copy(p[n+copy(p[n:], x):], y)
		q.ring.discard(m, k, ahead)
		n += k
	}
	return n
}

// peek copies bytes from the front to p.
func (q *inbox) peek(p []byte) (n int) {
	if q.last != nil {
		for b := q.last.Next; ; b = b.Next {
			n += copy(p[n:], b.Data)
			if b == q.last {
				break
			}
		}
	}
	x, y := q.view(0, q.n)
	n += copy(p[n:], x)
	return n + copy(p[n:], y)
}

// discard drops the first k bytes.
func (q *inbox) discard(m Memory, k int, ahead bool) {
	for k > 0 && q.last != nil {
		b := q.last.Next
		n := min(k, len(b.Data))
		b.Data = b.Data[n:]
		q.last.Total -= n
		k -= n
		if len(b.Data) == 0 {
			q.unlink(b)
			m.PutBuffer(b)
		}
	}
	if k > 0 {
		q.ring.discard(m, k, ahead)
	}
}

// unlink takes b, the first, out of the chain.
func (q *inbox) unlink(b *wire.Buffer) {
	if q.last == b {
		q.last = nil
	} else {
		q.last.Next = b.Next
	}
	b.Next, b.Data = nil, nil
}

// detach takes the whole chain out; the last Next of what it returns is nil.
func (q *inbox) detach() (first *wire.Buffer) {
	if q.last != nil {
		first, q.last.Next = q.last.Next, nil
	}
	q.last = nil
	return first
}

func (q *inbox) release(m Memory) {
	putChain(m, q.detach())
	q.ring.release(m)
}

// putChain gives back a chain that was detached.
func putChain(m Memory, b *wire.Buffer) {
	for b != nil {
		next := b.Next
		b.Next, b.Data = nil, nil
		m.PutBuffer(b)
		b = next
	}
}
