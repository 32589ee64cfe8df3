package stack

import (
	"math/bits"
	"time"
)

// blocks lends the buffers of all connections of a host: what was given back
// last is lent first, while it is still in the processor's caches. It implements
// [tcp.Memory].
type blocks struct {
	free [blockClasses][][]byte
	idle [blockClasses]int // how many of free, from the first, were not used since the last trim
	kept int               // bytes in free
	lent int               // blocks in use
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
	if list := m.free[class]; len(list) > 0 {
		b := list[len(list)-1]
		list[len(list)-1] = nil
		m.free[class] = list[:len(list)-1]
		m.idle[class] = min(m.idle[class], len(list)-1)
		m.kept -= len(b)
		return b
	}
	return make([]byte, 1<<class)
}

// Put takes a block back.
func (m *blocks) Put(b []byte) {
	m.lent--
	if m.kept+len(b) > keptMost {
		return
	}
	class := bits.Len(uint(len(b) - 1))
	m.free[class] = append(m.free[class], b)
	m.kept += len(b)
}

// trim leaves blocks that were not used since the last time to the garbage
// collector, large ones first.
func (m *blocks) trim() {
	for class := len(m.free) - 1; class >= 0; class-- {
		list := m.free[class]
		n := 0
		for ; n < m.idle[class] && m.kept > keptIdle; n++ {
			m.kept -= len(list[n])
		}
		rest := copy(list, list[n:])
		clear(list[rest:])
		m.free[class] = list[:rest]
		m.idle[class] = rest
	}
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
