package tcp

import (
	"math/bits"

	"github.com/fastopen-go/fastopen/wire"
)

// Memory lends what buffers are made of. Get returns a block whose length is a
// power of two, at least n, and Put takes it back; GetBuffer and PutBuffer do the
// same with what is exchanged for received packets. A pool shared by connections
// that run on several goroutines must do its own locking.
type Memory interface {
	Get(n int) []byte
	Put(b []byte)
	GetBuffer() *wire.Buffer
	PutBuffer(b *wire.Buffer)
}

// onHeap is the Memory of a Config that names none: blocks go back to the
// garbage collector.
type onHeap struct{}

func (onHeap) Get(n int) []byte { return make([]byte, 1<<bits.Len(uint(n-1))) }
func (onHeap) Put([]byte)       {}

func (onHeap) GetBuffer() *wire.Buffer { return wire.NewBuffer() }
func (onHeap) PutBuffer(*wire.Buffer)  {}

const minBlock = 2048

// ring is a byte queue in one block whose size is a power of two. It holds a
// block only as long as it holds bytes. Bytes past the end may be put in place
// before those in front of them have come; extend then makes them part of the
// queue.
//
// It remembers how many bytes the last block came to hold, so that a queue that is
// emptied and filled again and again does not grow to its size by copying each
// time.
type ring struct {
	b    []byte
	n    int    // bytes in the queue
	head uint32 // index of the first byte
	most uint32 // bytes reserved in this block so far, or in the last one
}

// reserve makes room for total bytes counted from the first.
func (r *ring) reserve(m Memory, total int) {
	most := r.most
	r.most = max(r.most, uint32(total))
	if total <= len(r.b) {
		return
	}
	if r.b == nil {
		r.b, r.head = m.Get(max(total, int(most), minBlock)), 0
		r.most = uint32(total)
		return
	}
	// Everything, not only n bytes: bytes past the end may be in place.
	b := m.Get(total)
	k := copy(b, r.b[r.head:])
	copy(b[k:], r.b[:r.head])
	m.Put(r.b)
	r.b, r.head = b, 0
}

// put copies p to offset off, which may lie past the end. The room must have
// been reserved.
func (r *ring) put(off int, p []byte) {
	i := (int(r.head) + off) & (len(r.b) - 1)
	k := copy(r.b[i:], p)
	copy(r.b, p[k:])
}

// append adds p to the end.
func (r *ring) append(m Memory, p []byte) {
	if len(p) == 0 {
		return
	}
	r.reserve(m, r.n+len(p))
	r.put(r.n, p)
	r.n += len(p)
}

// extend makes the k bytes after the end part of the queue.
func (r *ring) extend(k int) { r.n += k }

// view is the n bytes from offset off, in two parts where the ring wraps.
func (r *ring) view(off, n int) (a, b []byte) {
	if n == 0 {
		return nil, nil
	}
	i := (int(r.head) + off) & (len(r.b) - 1)
	if k := len(r.b) - i; k < n {
		return r.b[i:len(r.b):len(r.b)], r.b[: n-k : n-k]
	}
	return r.b[i : i+n : i+n], nil
}

// discard drops the first k bytes. An empty ring gives its block back unless
// bytes past the end are in place (keep).
func (r *ring) discard(m Memory, k int, keep bool) {
	r.n -= k
	if r.n == 0 && !keep {
		r.release(m)
		return
	}
	r.head = (r.head + uint32(k)) & uint32(len(r.b)-1)
}

// tail is a part of the reserved room behind the end, of n bytes at most.
func (r *ring) tail(n int) []byte {
	i := (int(r.head) + r.n) & (len(r.b) - 1)
	n = min(n, len(r.b)-i)
	return r.b[i : i+n : i+n]
}

func (r *ring) release(m Memory) {
	if r.b != nil {
		m.Put(r.b)
	}
	*r = ring{most: r.most}
}
