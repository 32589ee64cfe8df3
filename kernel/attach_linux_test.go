package kernel

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"golang.org/x/sys/unix"
)

// Requirement SRV-27. Fast Open is turned on in each socket of a server that
// was never asked, and off again.
func TestAttach(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	self.Sysctl(t, "net.core.somaxconn", "200")
	s := serve(t, self, nil, "tcp4/127.0.0.1:1000", "tcp4/127.0.0.1:1000", "tcp6/[::1]:1000", "mptcp4/127.0.0.1:1000", "mptcp/[::]:2000")
	ls := all(t)
	if len(ls) != 5 {
		t.Fatalf("got %v, want 5 listeners", ls)
	}
	for _, l := range ls {
		for _, c := range []struct{ ask, want int }{{0, 200}, {7, 7}, {1000, 200}} {
			if got, err := Attach(l, c.ask); err != nil || got != c.want {
				t.Errorf("%v: asked for %d: got %d, %v; want %d", l, c.ask, got, err, c.want)
			}
			wantQueues(t, map[uint64]int{l.Inode: c.want})
		}
	}
	for _, l := range ls {
		if err := Reach(l); err != nil {
			t.Errorf("%v: %v", l, err)
		}
		wantQueues(t, map[uint64]int{l.Inode: 200})
		if err := Detach(l); err != nil {
			t.Errorf("%v: %v", l, err)
		}
		wantQueues(t, map[uint64]int{l.Inode: 0})
	}
	if got, err := Attach(ls[0], -1); !errors.Is(err, fs.ErrInvalid) || got != 0 {
		t.Errorf("a queue of -1: got %d, %v", got, err)
	}

	// The server may have ended, or have done other things with the number of
	// the file, by the time that one has made up one's mind.
	gone := func(why string) {
		t.Helper()
		for _, l := range ls {
			_, err := Attach(l, 0)
			var a *AttachError
			if !errors.As(err, &a) || !errors.Is(err, fs.ErrNotExist) || a.Process.PID != s.pid || !strings.Contains(err.Error(), "ended or closed the socket") {
				t.Errorf("%s: %v: got %v", why, l, err)
			}
		}
	}
	before := ls
	s.does("reopen")
	gone("the server listens anew")
	ls = all(t)
	if len(ls) != 5 || !slices.EqualFunc(before, ls, func(a, b Listener) bool { return a.Local == b.Local }) {
		t.Fatalf("after opening anew: got %v, want %v", ls, before)
	}
	for _, l := range ls {
		if l.Queue != 0 {
			t.Errorf("%v: the queue of another socket is %d now", l, l.Queue)
		}
	}
	s.does("close")
	gone("the server has closed its sockets")
	s.ends()
	gone("the server has ended")
}

// wantQueues checks those of some listeners.
func wantQueues(t *testing.T, want map[uint64]int) {
	t.Helper()
	for _, l := range all(t) {
		if n, ok := want[l.Inode]; ok && l.Queue != n {
			t.Errorf("%v: the queue is %d, want %d", l, l.Queue, n)
		}
	}
}

// A server in another network namespace is reached all the same: the rights
// are those over processes.
func TestAttachElsewhere(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	other := netns.New(t, "other")
	serve(t, other, nil, "tcp4/127.0.0.1:1000")
	var ls []Listener
	other.Do(func() { ls = all(t) })
	if len(ls) != 1 || len(ls[0].Owners) != 1 {
		t.Fatalf("got %+v", ls)
	}
	if got, err := Attach(ls[0], 5); err != nil || got != 5 {
		t.Errorf("got %d, %v", got, err)
	}
	other.Do(func() { wantQueues(t, map[uint64]int{ls[0].Inode: 5}) })
}

// Where the rights are missing, a sentence says whose they are and what else
// can be done, and nothing has changed.
func TestAttachForbidden(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	if os.Getuid() != 0 || !mayBecome(t) {
		t.Skip("needs root")
	}
	self := netns.Self(t)
	serve(t, self, nil, "tcp4/127.0.0.1:1000")
	someone := serve(t, self, &syscall.Credential{Uid: 12345, Gid: 12345}, "tcp4/127.0.0.1:2000")
	hidden := serve(t, self, &syscall.Credential{Uid: 12345, Gid: 12345}, "tcp4/127.0.0.1:3000")
	hidden.does("hide")
	seenByRoot := all(t)
	as(t, 12345, func() {
		ls := all(t)
		for i, l := range ls {
			if !l.Hidden {
				t.Errorf("%v: nothing is hidden", l)
			}
			_, err := Attach(l, 0)
			switch l.Local.Port() {
			case 2000: // of its own
				if err != nil || len(l.Owners) != 1 || l.Owners[0].PID != someone.pid {
					t.Errorf("its own: %+v: %v", l, err)
				}
			default:
				if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "run this as root") || len(l.Owners) > 0 {
					t.Errorf("%+v: got %v", l, err)
				}
				// As in a race with the loss of a right.
				if _, err := Attach(seenByRoot[i], 0); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "another user's or protected") ||
					!strings.Contains(err.Error(), "sysctl -w net.ipv4.tcp_fastopen=1027") {
					t.Errorf("%+v: got %v", l, err)
				}
			}
		}
	})
	for _, l := range all(t) {
		if want := map[uint16]int{2000: l.Backlog}[l.Local.Port()]; l.Queue != want {
			t.Errorf("%v: the queue is %d, want %d", l, l.Queue, want)
		}
	}
}

// On an older kernel, or behind a filter of system calls, it is the call that
// is named, and the server's own setting.
func TestAttachFiltered(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	serve(t, netns.Self(t), nil, "tcp4/127.0.0.1:1000")
	l := all(t)[0]
	for _, c := range []struct {
		call  uint32
		errno unix.Errno
		says  string
	}{
		{unix.SYS_PIDFD_OPEN, unix.ENOSYS, "there is no pidfd_open here, since the kernel is older than Linux 5.6 or a filter of system calls (seccomp) hides it: "},
		{unix.SYS_PIDFD_GETFD, unix.ENOSYS, "there is no pidfd_getfd here"},
		{unix.SYS_PIDFD_GETFD, unix.EPERM, "may not reach into"},
	} {
		lacking(t, c.call, c.errno, func() {
			_, err := Attach(l, 0)
			if !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "sysctl -w net.ipv4.tcp_fastopen=1027") {
				t.Errorf("%v: got %v, want %q in it", c.errno, err, c.says)
			}
			if c.errno == unix.ENOSYS != errors.Is(err, errors.ErrUnsupported) || c.errno == unix.EPERM != errors.Is(err, fs.ErrPermission) {
				t.Errorf("%v is not told apart: %v", c.errno, err)
			}
		})
	}
	wantQueues(t, map[uint64]int{l.Inode: 0})
}

// A socket whose owner is not to be seen, and not for want of rights, is in
// another container.
func TestAttachErrors(t *testing.T) {
	l := Listener{MPTCP: true}
	nginx, other := Process{PID: 7, Name: "nginx"}, Process{PID: 8, Name: "a\x1b[31m"}
	for _, c := range []struct {
		process Process
		err     error
		says    []string
	}{
		{Process{}, errNoOwner, []string{"no process to be seen from here", "outside of the container", "sysctl -w net.ipv4.tcp_fastopen="}},
		{nginx, os.NewSyscallError("pidfd_getfd", unix.ENOSYS), []string{"no pidfd_getfd here", "Linux 5.6", "add fastopen=256 to one listen line"}},
		{nginx, os.NewSyscallError("pidfd_getfd", unix.EPERM), []string{"nginx (pid 7)", "add fastopen=256"}},
		{Process{PID: 9, Name: "haproxy"}, os.NewSyscallError("pidfd_getfd", unix.EPERM), []string{"add tfo to the bind lines"}},
		{other, os.NewSyscallError("setsockopt", unix.EOPNOTSUPP), []string{"Linux 6.2", "GODEBUG=multipathtcp=0"}},
		{other, os.NewSyscallError("pidfd_open", unix.EMFILE), []string{"too many files are open", "ulimit -n"}},
		{other, os.NewSyscallError("fstat", unix.EIO), []string{"fstat of a?[31m (pid 8) failed: input/output error"}},
		{other, errGone, []string{"a?[31m (pid 8) has ended or closed"}},
	} {
		err := explainAttach(l, c.process, c.err)
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%v: got %q, want %q in it", c.err, err, says)
			}
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%q does not wrap %v", err, c.err)
		}
	}
}

// mayBecome reports whether this user namespace has other users.
func mayBecome(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(text))
	return len(f) == 3 && len(f[2]) > 5
}
