package stack

import (
	"math/bits"
	"slices"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// blocks lends the buffers of all connections of a host: what was given back
// last is lent first, while it is still in the processor's caches. It implements
// [tcp.Memory].
type blocks struct {
	free    [blockClasses]pile[[]byte]
	buffers pile[*wire.Buffer]
	kept    int // bytes in all of these
	lent    int // blocks and buffers in use
}

const (
	blockClasses = 32
	// keptMost is how many bytes that nobody uses are kept: enough for eight
	// receive buffers of 4 MiB that fill and empty in turn, with the smaller
	// blocks that they grow through.
	keptMost = 64 << 20
	// keptIdle of them are kept for good, and the others until they were not
	// used for trimEvery to twice that.
	keptIdle  = 1 << 20
	trimEvery = 30 * time.Second
)

// Get lends a block of at least n bytes, a power of two of them.
func (m *blocks) Get(n int) []byte {
	m.lent++
	class := bits.Len(uint(n - 1))
	if b, ok := m.free[class].pop(); ok {
		m.kept -= len(b)
		return b
	}
	return make([]byte, 1<<class)
}

// Put takes a block back.
func (m *blocks) Put(b []byte) {
	m.lent--
	if m.kept+len(b) <= keptMost {
		m.free[bits.Len(uint(len(b)-1))].push(b)
		m.kept += len(b)
	}
}

// GetBuffer lends a buffer.
func (m *blocks) GetBuffer() *wire.Buffer {
	m.lent++
	if b, ok := m.buffers.pop(); ok {
		m.kept -= wire.BufferSize
		return b
	}
	return wire.NewBuffer()
}

// PutBuffer takes a buffer back.
func (m *blocks) PutBuffer(b *wire.Buffer) {
	m.lent--
	if m.kept+wire.BufferSize <= keptMost {
		m.buffers.push(b)
		m.kept += wire.BufferSize
	}
}

// trim leaves what was not used since the last time to the garbage collector,
// large blocks first.
func (m *blocks) trim() {
	for class := len(m.free) - 1; class >= 0; class-- {
		m.kept -= m.free[class].trim(1<<class, m.kept-keptIdle)
	}
	m.kept -= m.buffers.trim(wire.BufferSize, m.kept-keptIdle)
}

// A pile is what is free of one size.
type pile[T any] struct {
	list []T
	idle int // how many of the first were not used since the last trim
}

func (p *pile[T]) pop() (b T, ok bool) {
	n := len(p.list) - 1
	if n < 0 {
		return b, false
	}
	var none T
	b, p.list[n] = p.list[n], none
	p.list = p.list[:n]
	p.idle = min(p.idle, n)
	return b, true
}

func (p *pile[T]) push(b T) { p.list = append(p.list, b) }

// trim drops what is idle, of size bytes each, until excess bytes are dropped, and
// returns how many were.
func (p *pile[T]) trim(size, excess int) (dropped int) {
	n := 0
	for ; n < p.idle && dropped < excess; n++ {
		dropped += size
	}
	p.list = slices.Delete(p.list, 0, n)
	p.idle = len(p.list)
	return dropped
}

// memoryTrim is the sleeper for that, while more is kept than is for good.
type memoryTrim Host

func (t *memoryTrim) place() *int32 { return &t.trimPlace }

func (t *memoryTrim) wake(at int64) {
	t.memory.trim()
	if t.memory.kept > keptIdle {
		t.alarms.set(t, at+int64(trimEvery))
	}
}
