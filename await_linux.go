package fastopen

import (
	"context"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/internal/sockopt"
)

// await waits until the socket's state satisfies until, and returns it.
//
// It waits on a duplicate of the descriptor, which has deadlines of its own
// and does not hold the lock that a Write on tc needs. The poller's edge for
// writing fires at every change of the TCP state (tcp_finish_connect,
// tcp_rcv_state_process and tcp_reset all wake writers).
func await(ctx context.Context, tc *net.TCPConn, until func(sockopt.Info) bool) (info sockopt.Info, err error) {
	if info, err = inspect(tc); err != nil || until(info) {
		return info, err
	}
	f, err := duplicate(tc)
	if err != nil {
		return info, err
	}
	defer f.Close()
	return awaitFile(ctx, f, until)
}

func awaitFile(ctx context.Context, f *os.File, until func(sockopt.Info) bool) (info sockopt.Info, err error) {
	stop := context.AfterFunc(ctx, func() { f.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	rc, err := f.SyscallConn()
	if err != nil {
		return info, err
	}
	var failed error
	err = rc.Write(func(fd uintptr) bool {
		info, failed = sockopt.Inspect(fd)
		return failed != nil || until(info)
	})
	if isDeadline(err) {
		return info, context.Cause(ctx)
	}
	if err == nil {
		err = failed
	}
	return info, err
}

// duplicate returns a second descriptor for tc's socket.
func duplicate(tc *net.TCPConn) (*os.File, error) {
	rc, err := tc.SyscallConn()
	if err != nil {
		return nil, err
	}
	dup := -1
	var failed error
	err = rc.Control(func(fd uintptr) {
		dup, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, os.NewSyscallError("fcntl", failed)
	}
	return os.NewFile(uintptr(dup), "tcp"), nil
}

// finish keeps tc's socket alive after tc is closed until its handshake is
// done, so that the bytes which were written to it still reach the peer.
func finish(tc *net.TCPConn) {
	f, err := duplicate(tc)
	if err != nil {
		return
	}
	go func() {
		awaitFile(context.Background(), f, func(i sockopt.Info) bool { return i.State != sockopt.SynSent })
		f.Close()
	}()
}
