package stack

import (
	"math/bits"
	"time"

	"github.com/fastopen-go/fastopen/internal/pile"
	"github.com/fastopen-go/fastopen/wire"
)

// blocks lends the buffers of all connections of a host: what was given back
// last is lent first, while it is still in the processor's caches. It implements
// [tcp.Memory].
type blocks struct {
	free    [blockClasses]pile.Pile[[]byte]
	buffers pile.Pile[*wire.Buffer]
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
	if b, ok := m.free[class].Take(); ok {
		m.kept -= len(b)
		return b
	}
	return make([]byte, 1<<class)
}

// Put takes a block back.
func (m *blocks) Put(b []byte) {
	m.lent--
	if m.kept+len(b) <= keptMost {
		m.free[bits.Len(uint(len(b)-1))].Put(b)
		m.kept += len(b)
	}
}

// GetBuffer lends a buffer.
func (m *blocks) GetBuffer() *wire.Buffer {
	m.lent++
	if b, ok := m.buffers.Take(); ok {
		m.kept -= wire.BufferSize
		return b
	}
	return wire.NewBuffer()
}

// PutBuffer takes a buffer back.
func (m *blocks) PutBuffer(b *wire.Buffer) {
	m.lent--
	if m.kept+wire.BufferSize <= keptMost {
		m.buffers.Put(b)
		m.kept += wire.BufferSize
	}
}

// trim leaves what was not used since the last time to the garbage collector,
// large blocks first.
func (m *blocks) trim() {
	excess := func(size int) int { return (m.kept - keptIdle + size - 1) / size }
	for class := len(m.free) - 1; class >= 0; class-- {
		m.kept -= m.free[class].Trim(excess(1<<class)) << class
	}
	m.kept -= m.buffers.Trim(excess(wire.BufferSize)) * wire.BufferSize
}

// keepsMuch reports whether more is kept than is for good.
func (h *Host) keepsMuch() bool { return h.memory.kept > keptIdle || h.pool.KeepsMuch() }

// memoryTrim is the sleeper that gives it back.
type memoryTrim Host

func (t *memoryTrim) place() *int32 { return &t.trimPlace }

func (t *memoryTrim) wake(at int64) {
	t.memory.trim()
	t.pool.Trim()
	if (*Host)(t).keepsMuch() {
		t.alarms.set(t, at+int64(trimEvery))
	}
}
