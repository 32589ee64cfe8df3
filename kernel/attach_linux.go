package kernel

import (
	"errors"
	"io/fs"
	"os"

	"github.com/fastopen-go/fastopen/internal/sockopt"
	"golang.org/x/sys/unix"
)

// Attach turns Fast Open on in a listener of another process, at once and
// without its help, as if that process had set the socket option TCP_FASTOPEN:
// up to queue connections with data in their SYN may then be pending. It
// returns the queue that the kernel has made of it, which is cut to
// net.core.somaxconn of the listener's network namespace. Queue 0 stands for
// the listener's backlog.
//
// The option stays until the socket is closed or [Detach] takes it back. Alone
// it does nothing: the kernel must have Fast Open on for servers too, see
// [Bits.Server].
//
// Linux 5.6 and the right to trace the process are needed, so in general root;
// l is one of those that [Listeners] returned. After an error, which is an
// [*AttachError], the listener is as it was.
func Attach(l Listener, queue int) (int, error) {
	switch {
	case queue < 0:
		return l.Queue, sentencef(fs.ErrInvalid, "a Fast Open queue of %d is less than none: use 1 or more", queue)
	case queue == 0:
		queue = max(l.Backlog, 1)
	}
	return setQueue(l, queue)
}

// Detach turns Fast Open off in a listener of another process, whoever turned
// it on. Connections that are there are not touched. See [Attach].
func Detach(l Listener) error {
	_, err := setQueue(l, 0)
	return err
}

// Reach returns the error that [Attach] and [Detach] would return, and changes
// nothing.
func Reach(l Listener) error {
	return borrow(l, func(uintptr) error { return nil })
}

func setQueue(l Listener, queue int) (got int, err error) {
	err = borrow(l, func(fd uintptr) error {
		if err := sockopt.Enable(fd, queue); err != nil {
			return err
		}
		got, err = sockopt.Queue(fd)
		return err
	})
	if err != nil {
		return l.Queue, err
	}
	return got, nil
}

// borrow calls f with a file descriptor of l, got from any of the processes
// that hold it.
func borrow(l Listener, f func(fd uintptr) error) error {
	var first error
	for _, p := range l.Owners {
		for _, fd := range p.FDs {
			err := borrowFrom(p.PID, fd, l.Inode, f)
			if err == nil {
				return nil
			}
			// A process that has ended matters only if all have.
			if first == nil || errors.Is(first, errGone) && !errors.Is(err, errGone) {
				first = explainAttach(l, p, err)
			}
		}
	}
	if first == nil {
		return explainAttach(l, Process{}, errNoOwner)
	}
	return first
}

var (
	// errGone says that the process does not hold the socket any more.
	errGone = fs.ErrNotExist
	// errNoOwner says that no process is known that holds it.
	errNoOwner = errors.New("no process that holds the socket can be seen")
)

// borrowFrom calls f with a duplicate of a process's file descriptor, if that
// still is the socket that was listed: the process may have closed it
// meanwhile and opened another file under the same number, or have ended and
// left its number to another process.
func borrowFrom(pid, fd int, inode uint64, f func(fd uintptr) error) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return errGone
	}
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer unix.Close(pidfd)
	own, err := unix.PidfdGetfd(pidfd, fd, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EBADF) {
		return errGone
	}
	if err != nil {
		return os.NewSyscallError("pidfd_getfd", err)
	}
	defer unix.Close(own)
	var st unix.Stat_t
	if err := unix.Fstat(own, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || st.Ino != inode {
		return errGone
	}
	if listens, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listens == 0 {
		return errGone // it has been shut down
	}
	return f(uintptr(own))
}
