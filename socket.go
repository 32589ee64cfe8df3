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

// takeError takes tc's pending error.
func takeError(tc *net.TCPConn) error {
	return onSocket(tc, sockopt.TakeError)
}

// answered says that the first SYN of a connection was answered, for good or
// bad.
func answered(i sockopt.Info) bool { return i.State != sockopt.SynSent }

// sendSYN opens tc, whose connect was deferred, with as much of b in its SYN
// as fits, and says how much that was.
func sendSYN(tc *net.TCPConn, b []byte) (n int, err error) {
	err = onSocket(tc, func(fd uintptr) error {
		n, err = sockopt.SendSYN(fd, b)
		return err
	})
	return n, err
}
