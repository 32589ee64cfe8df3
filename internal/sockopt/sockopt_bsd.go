//go:build darwin || freebsd

package sockopt

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Enable lets a listener grant cookies and accept data in SYNs. How many
// connections may at one time be without a finished handshake is the
// kernel's affair: any queue above 0 means on.
func Enable(fd uintptr, queue int) error {
	return set(fd, unix.TCP_FASTOPEN, min(queue, 1))
}

// gone says that a connection is so dead that the kernel tells nothing of it
// any more: it has detached the protocol from the socket.
func gone(err error) bool {
	return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EINVAL)
}
