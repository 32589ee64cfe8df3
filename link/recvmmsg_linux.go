package link

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Several packets of a socket are received by one call of the kernel, which
// takes a seventh to a third off what a small one costs.
type messages [portSlots]struct { // struct mmsghdr of sys/socket.h
	header unix.Msghdr
	size   uint32
}

// readMessages is read for sockets.
func (r *receiving) readMessages(fd uintptr) bool {
	for i := range r.messages {
		h, v := &r.messages[i].header, r.slots[i].vector()
		h.Iov = &v[0]
		h.SetIovlen(len(v))
	}
	for {
		want := min(portSlots, len(r.batch))
		k, _, err := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(r.messages)), uintptr(want), 0, 0, 0)
		switch err {
		case 0:
			for i := range int(k) {
				r.take(&r.slots[i], int(r.messages[i].size))
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
