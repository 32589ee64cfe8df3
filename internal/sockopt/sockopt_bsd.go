//go:build darwin || freebsd

package sockopt

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Enable lets a listener grant cookies and accept data in SYNs. How many
// connections may at one time be without a finished handshake is the
// kernel's affair: any queue above 0 means on.
func Enable(fd uintptr, queue int) error {
	return set(fd, unix.TCP_FASTOPEN, min(queue, 1))
}

// Queue reads what [Enable] has set: not 0 means on.
func Queue(fd uintptr) (int, error) {
	n, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN)
	return n, explain("getsockopt", err)
}

// TakeError returns and clears the socket's pending error, nil if it has none.
func TakeError(fd uintptr) error {
	n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return explain("getsockopt", err)
	}
	if n == 0 {
		return nil
	}
	return os.NewSyscallError("connect", unix.Errno(n))
}

func set(fd uintptr, option, value int) error {
	return explain("setsockopt", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, value))
}

// explain sorts the errnos by which a kernel says that it has no Fast Open,
// or may not use it, from the rest.
func explain(call string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOPROTOOPT):
		return errors.ErrUnsupported
	case errors.Is(err, errDisabled):
		return ErrDisabled
	}
	return os.NewSyscallError(call, err)
}

// gone says that a connection is so dead that the kernel tells nothing of it
// any more: it has detached the protocol from the socket.
func gone(err error) bool {
	return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EINVAL)
}
