package kernel

import (
	"syscall"

	"github.com/fastopen-go/fastopen/internal/sockopt"
)

// Queue returns how many connections with data in their SYN may be pending on
// a listening socket at one time, 0 if Fast Open is off there. It can be less
// than what was asked for: the kernel cuts it to net.core.somaxconn.
func Queue(listener syscall.Conn) (n int, err error) {
	rc, err := listener.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	if err := rc.Control(func(fd uintptr) { n, failed = sockopt.Queue(fd) }); err != nil {
		return 0, err
	}
	return n, failed
}
