package wire

// BufferSize is how long the memory of a Buffer is: it has room for the longest
// IPv4 packet, and for any IPv6 packet that is not a jumbogram.
const BufferSize = 1 << 16

// KeepLeast is how much data is worth keeping a Buffer for: less is copied, so
// that what waits does not take more than twice its own length of memory.
const KeepLeast = BufferSize / 2

// A Buffer is memory for one long packet that changes hands together with what is
// in it: a link receives into it, and whoever receives the packet may keep the
// Buffer, data and all, if they leave another in its place. So data of
// super-segments waits to be read where the link has put it.
type Buffer struct {
	Memory []byte // BufferSize bytes
	// These are for whoever has the Buffer: a part of Memory, and a list.
	Data  []byte
	Next  *Buffer
	Total int
}

// NewBuffer makes a Buffer.
func NewBuffer() *Buffer { return &Buffer{Memory: make([]byte, BufferSize)} }
