package stack

import "math/bits"

// blocks lends the buffers of all connections of a host: what was given back
// last is lent first, while it is still in the processor's caches. It implements
// [tcp.Memory].
type blocks struct {
	free [blockClasses][][]byte
	kept int // bytes in free
	lent int // blocks in use
}

const (
	blockClasses = 32
	// keptMost is how many bytes that nobody uses are kept.
	keptMost = 32 << 20
)

// Get lends a block of at least n bytes, a power of two of them.
func (m *blocks) Get(n int) []byte {
	m.lent++
	class := bits.Len(uint(n - 1))
	if list := m.free[class]; len(list) > 0 {
		b := list[len(list)-1]
		list[len(list)-1] = nil
		m.free[class] = list[:len(list)-1]
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
