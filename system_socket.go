package fastopen

import (
	"net"
	"syscall"

	"github.com/fastopen-go/fastopen/internal/sockopt"
)

// control runs f on c's descriptor and returns f's error, or that of
// reaching the descriptor.
func control(c syscall.RawConn, f func(fd uintptr) error) error {
	var failed error
	if err := c.Control(func(fd uintptr) { failed = f(fd) }); err != nil {
		return err
	}
	return failed
}

// onSocket is control for a whole connection or listener.
func onSocket(c syscall.Conn, f func(fd uintptr) error) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return control(rc, f)
}

// inspect reads what the operating system knows of tc's beginning.
func inspect(tc *net.TCPConn) (info sockopt.Info, err error) {
	err = onSocket(tc, func(fd uintptr) error {
		info, err = sockopt.Inspect(fd)
		return err
	})
	return info, err
}
