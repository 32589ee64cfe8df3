//go:build darwin || freebsd || linux

package sockopt

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Queue reads what [Enable] has set; but for Linux, not 0 means on.
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
