package kernel

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"golang.org/x/sys/unix"
)

// listenOn listens with the options given, as any program would.
func listenOn(t testing.TB, network, address string, mptcp bool, options ...int) *net.TCPListener {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if cerr := c.Control(func(fd uintptr) {
			for _, o := range options {
				err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, o, 1)
			}
		}); cerr != nil {
			return cerr
		}
		return err
	}}
	lc.SetMultipathTCP(mptcp)
	l, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// inodeOf returns the inode of a listener of this process, and its file
// descriptor.
func inodeOf(t testing.TB, l *net.TCPListener) (inode uint64, fd int) {
	t.Helper()
	rc, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	var failed error
	if err := rc.Control(func(f uintptr) { fd = int(f); failed = unix.Fstat(fd, &st) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return st.Ino, fd
}

// all returns the listeners of the calling thread's namespace.
func all(t testing.TB) []Listener {
	t.Helper()
	ls, err := Listeners()
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

func TestListeners(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self, other := netns.Self(t), netns.New(t, "other")
	self.Sysctl(t, "net.core.somaxconn", "128")
	if ls := all(t); len(ls) != 0 {
		t.Fatalf("nobody listens, and got %v", ls)
	}
	var elsewhere *net.TCPListener
	other.Do(func() { elsewhere = listenOn(t, "tcp4", "127.0.0.1:5000", false) })
	for _, c := range []struct {
		network, address string
		mptcp            bool
		want             Listener
	}{
		{"tcp4", "127.0.0.1:1000", false, Listener{}},
		{"tcp4", "0.0.0.0:1001", true, Listener{MPTCP: true}},
		{"tcp6", "[::1]:1002", false, Listener{V6Only: true}},
		{"tcp6", "[::]:1003", true, Listener{V6Only: true, MPTCP: true}},
		{"tcp", "[::]:1004", false, Listener{}},
	} {
		l := listenOn(t, c.network, c.address, c.mptcp)
		inode, fd := inodeOf(t, l)
		ls := all(t)
		i := slices.IndexFunc(ls, func(l Listener) bool { return l.Inode == inode })
		if i < 0 {
			t.Fatalf("%s is not among %v", c.address, ls)
		}
		got := ls[i]
		if got.Local != netip.MustParseAddrPort(c.address) || got.Backlog != 128 || got.Waiting != 0 || got.Queue != 0 ||
			got.V6Only != c.want.V6Only || got.MPTCP != c.want.MPTCP || got.UID != uint32(os.Getuid()) || got.Device != "" {
			t.Errorf("%s: got %+v, want %+v", c.address, got, c.want)
		}
		if len(got.Owners) != 1 || got.Owners[0].PID != os.Getpid() || !slices.Equal(got.Owners[0].FDs, []int{fd}) ||
			!slices.Equal(got.Owners[0].Command, os.Args) || !strings.HasPrefix(os.Args[0][strings.LastIndex(os.Args[0], "/")+1:], got.Owners[0].Name) {
			t.Errorf("%s: got owners %+v, want this process, %d, with fd %d", c.address, got.Owners, os.Getpid(), fd)
		}
	}
	// By port, and those of another namespace not at all.
	ls := all(t)
	if len(ls) != 5 || !slices.IsSortedFunc(ls, func(a, b Listener) int { return int(a.Local.Port()) - int(b.Local.Port()) }) {
		t.Errorf("got %v, want the five of this namespace by port", ls)
	}
	// Their owner need not be in the namespace that one asks about.
	other.Do(func() {
		inode, _ := inodeOf(t, elsewhere)
		if ls := all(t); len(ls) != 1 || ls[0].Inode != inode || len(ls[0].Owners) != 1 || ls[0].Owners[0].PID != os.Getpid() {
			t.Errorf("other namespace: got %+v, want the one with inode %d, held by this process", ls, inode)
		}
	})
}

// Sockets that share an address are listed one by one, with who waits in the
// queue of each, and a device where they are bound to one.
func TestListenersShared(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	inodes := map[uint64]bool{}
	for range 3 {
		inode, _ := inodeOf(t, listenOn(t, "tcp4", "127.0.0.1:1000", false, unix.SO_REUSEPORT))
		inodes[inode] = true
	}
	const calls = 5
	for range calls {
		c, err := net.Dial("tcp", "127.0.0.1:1000")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	waiting := 0
	for _, l := range all(t) {
		if !inodes[l.Inode] {
			t.Errorf("%v has inode %d, which is none of %v or comes twice", l, l.Inode, inodes)
		}
		delete(inodes, l.Inode)
		waiting += l.Waiting
	}
	if len(inodes) > 0 || waiting != calls {
		t.Errorf("inodes %v are missing, or %d of %d connections wait", inodes, waiting, calls)
	}

	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), "lo") })
		return err
	}}
	l, err := lc.Listen(t.Context(), "tcp4", "127.0.0.1:1001")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ls := all(t)
	if got := ls[len(ls)-1].String(); got != "127.0.0.1:1001%lo" {
		t.Errorf("got %s, want 127.0.0.1:1001%%lo", got)
	}
}

// Requirement SRV-27: the queue is read without touching the socket, also one
// of MPTCP.
func TestListenersQueue(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	for i, mptcp := range []bool{false, true} {
		l := listenOn(t, "tcp", "127.0.0.1:1000", mptcp, unix.SO_REUSEPORT)
		rc, err := l.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		inode, _ := inodeOf(t, l)
		for _, queue := range []int{0, 1, 4096, 0} {
			rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN, queue) })
			if err != nil {
				t.Fatal(err)
			}
			ls := all(t)
			j := slices.IndexFunc(ls, func(l Listener) bool { return l.Inode == inode })
			if len(ls) != i+1 || j < 0 || ls[j].Queue != queue || ls[j].MPTCP != mptcp {
				t.Errorf("MPTCP %t, queue %d: got %+v", mptcp, queue, ls)
			}
		}
	}
}
