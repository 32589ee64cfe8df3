package link

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Several packets of a socket are received by one call of the kernel, which
// takes a seventh to a third off what a small one costs. Each has room for the
// longest, so there are not many: what is received is to stay in the cache.
const mmsgSlots = 8

// mmsghdr is struct mmsghdr of sys/socket.h.
type mmsghdr struct {
	header unix.Msghdr
	size   uint32
}

// slots are where recvmmsg puts packets.
type slots struct {
	messages [mmsgSlots]mmsghdr
	iov      [mmsgSlots]unix.Iovec
}

// mmsgStride is the distance of packets in the arena.
const mmsgStride = (portLongest + 63) &^ 63

func newSlots(arena []byte) *slots {
	s := new(slots)
	for i := range s.messages {
		s.iov[i].Base = &arena[i*mmsgStride]
		s.iov[i].SetLen(portLongest)
		s.messages[i].header.Iov = &s.iov[i]
		s.messages[i].header.SetIovlen(1)
	}
	return s
}

// readMessages is read for sockets.
func (r *receiving) readMessages(fd uintptr) bool {
	for {
		want := min(mmsgSlots, len(r.batch))
		k, _, err := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.slots.messages[0])), uintptr(want), 0, 0, 0)
		switch err {
		case 0:
			for i := range int(k) {
				at := i * mmsgStride
				size := int(r.slots.messages[i].size)
				r.take(r.arena[at : at+size : at+size])
			}
			if r.n > 0 {
				return true
			}
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			r.err = err
			return true
		}
	}
}
