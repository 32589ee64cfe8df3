package link

import (
	"sync"
	"unsafe"

	"github.com/fastopen-go/fastopen/wire"
	"golang.org/x/sys/unix"
)

// receiving is the state of a call of receive, and the memory that is lent by it.
// Long packets come in buffers that may be exchanged; short ones are put
// together, so that many of them fit into one call.
type receiving struct {
	mu    sync.Mutex
	ready func(fd uintptr) bool // bound once, so that a call allocates nothing
	lower int

	slots [portSlots]slot
	next  int // the first slot that is free
	small []byte
	used  int // of small

	messages *messages // of sockets
	batch    []wire.Packet
	n        int
	err      error
}

// A slot is where the kernel puts a packet: its virtio header, then the packet
// itself into a buffer, and what a buffer has no room for.
type slot struct {
	header [vnetLen]byte
	buffer *wire.Buffer
	tail   [portLongest - wire.BufferSize]byte
	iov    [3]unix.Iovec
}

const (
	// portSlots is how many long packets are lent by one call. Together they are
	// to be no larger than what stays in a second-level cache, for the next who
	// reads them is to find them there.
	portSlots = 8
	// Packets of up to smallPacket bytes are moved to where they take no slot.
	smallPacket = 2 << 10
	smallArena  = 128 << 10
	// The longest packet: 64 KiB of IPv6 payload, with all headers.
	portLongest = 14 + 40 + maxPacket
)

func (r *receiving) init(lower int, socket bool) {
	r.lower = lower
	if r.ready = r.read; socket {
		r.ready, r.messages = r.readMessages, new(messages)
	}
}

// begin readies everything for a call.
func (r *receiving) begin(batch []wire.Packet) {
	if r.small == nil {
		r.small = make([]byte, smallArena)
		for i := range r.slots {
			r.slots[i].buffer = wire.NewBuffer()
		}
	}
	r.batch, r.n, r.next, r.used, r.err = batch, 0, 0, 0, nil
}

// end is what the call returns.
func (r *receiving) end(err error) (int, error) {
	r.batch = nil
	if err == nil {
		err = r.err
	}
	return r.n, err
}

// vector is where the kernel is to put the next packet of a slot. The buffer may be
// another than the last time.
func (s *slot) vector() *[3]unix.Iovec {
	for i, b := range [...][]byte{s.header[:], s.buffer.Memory, s.tail[:]} {
		s.iov[i].Base = &b[0]
		s.iov[i].SetLen(len(b))
	}
	return &s.iov
}

// read is called when there may be packets; false asks to be called again when
// there are more.
func (r *receiving) read(fd uintptr) bool {
	for r.n < len(r.batch) && r.next < portSlots {
		s := &r.slots[r.next]
		size, _, err := unix.Syscall(unix.SYS_READV, fd, uintptr(unsafe.Pointer(s.vector())), uintptr(len(s.iov)))
		switch err {
		case 0:
			if r.take(s, int(size)) {
				r.next++
			}
		case unix.EINTR:
		case unix.EAGAIN:
			return r.n > 0
		default:
			if r.n == 0 {
				r.err = err
			}
			return true
		}
	}
	return true
}

// take adds what has been read into a slot to the batch, and reports whether it is
// still there.
func (r *receiving) take(s *slot, size int) (stays bool) {
	size -= vnetLen
	if size <= r.lower {
		return false
	}
	p := &r.batch[r.n]
	*p = wire.Packet{}
	switch {
	case size > wire.BufferSize:
		p.Head = append(append(make([]byte, 0, size), s.buffer.Memory...), s.tail[:size-wire.BufferSize]...)
	case size <= smallPacket && size <= len(r.small)-r.used:
		p.Head = r.pack(s.buffer.Memory[:size])
	default:
		p.Head, stays = s.buffer.Memory[:size], true
		if size >= wire.KeepLeast {
			p.Buffer = &s.buffer
		}
	}
	if !parseVnet(s.header[:], p) {
		return false
	}
	r.n++
	return stays
}

// pack moves a short packet to where it takes no slot.
func (r *receiving) pack(b []byte) []byte {
	to := r.small[r.used:][:len(b):len(b)]
	copy(to, b)
	// The next begins on a cache line of its own.
	r.used = min(r.used+(len(b)+63)&^63, len(r.small))
	return to
}
