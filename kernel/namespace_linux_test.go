package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// dweller starts a process that lives in h until the test is over.
func dweller(t *testing.T, h *netns.Host) (pid int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	t.Cleanup(func() { w.Close() })
	cmd := exec.Command("cat")
	cmd.Stdin = r
	h.Start(t, cmd)
	return cmd.Process.Pid
}

// named makes a folder such as that of ip netns, in which name is the
// namespace of a process.
func named(t *testing.T, name string, pid int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Symlink(fmt.Sprintf("/proc/%d/ns/net", pid), filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What one reads inside of Do is the other namespace's, and this one's again
// after it.
func TestNamespaceDo(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	other := netns.New(t, "other")
	other.Sysctl(t, Name, "1027")
	here, err := CurrentNamespace()
	if err != nil {
		t.Fatal(err)
	}
	if got := here.String(); got != "this namespace" {
		t.Errorf("a namespace that is not the host's is called %q", got)
	}
	there, err := NamespaceOf(dweller(t, other))
	if err != nil {
		t.Fatal(err)
	}
	if here.ID() == there.ID() || !strings.HasSuffix(there.String(), " (cat)") {
		t.Fatalf("here %v, %v; there %v, %v", here, here.ID(), there, there.ID())
	}
	marker := errors.New("marker")
	for _, c := range []struct {
		n    Namespace
		want Bits
	}{{here, 1}, {there, 1027}, {here, 1}} {
		err := c.n.Do(func() error {
			if got, err := FastOpen(); got != c.want || err != nil {
				t.Errorf("in %v: got %v, %v; want %v", c.n, got, err, c.want)
			}
			inside, err := CurrentNamespace()
			if err != nil || inside.ID() != c.n.ID() {
				t.Errorf("in %v: it says that it is %v, %v", c.n, inside, err)
			}
			if unix.Gettid() == os.Getpid() {
				t.Errorf("in %v: on the first thread of the process", c.n)
			}
			return marker
		})
		if !errors.Is(err, marker) {
			t.Errorf("in %v: got %v, want the error of the function", c.n, err)
		}
	}
}

// A namespace that is entered from within another one, and the way back.
func TestNamespaceNested(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	other := netns.New(t, "other")
	home, _ := CurrentNamespace()
	there, err := NamespaceOf(dweller(t, other))
	if err != nil {
		t.Fatal(err)
	}
	err = there.Do(func() error {
		inside, err := CurrentNamespace()
		if err != nil {
			return err
		}
		return home.Do(func() error {
			return inside.Do(func() error {
				if at, err := CurrentNamespace(); err != nil || at.ID() != there.ID() {
					t.Errorf("got %v, %v, want %v", at, err, there)
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// No thread of the process is left in another namespace, however many
// goroutines go there at a time, and also when one ends there.
func TestNamespaceLeavesNoThreadBehind(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	there, err := NamespaceOf(dweller(t, netns.New(t, "other")))
	if err != nil {
		t.Fatal(err)
	}
	before := threadsIn(t, there) // one waits for the other process
	const n = 16
	ended := make(chan error, n)
	for i := range n {
		go func() {
			err := errors.New("ended early")
			defer func() { ended <- err }()
			err = there.Do(func() error {
				if i%4 == 0 {
					runtime.Goexit()
				}
				return nil
			})
		}()
	}
	early := 0
	for range n {
		if err := <-ended; err != nil {
			early++
		}
	}
	if early != n/4 {
		t.Errorf("%d of %d functions ended their goroutine, want %d", early, n, n/4)
	}
	if after := threadsIn(t, there); !slices.Equal(after, before) {
		t.Errorf("threads %v are in the other namespace, want %v", after, before)
	}
}

// threadsIn returns the threads of this process that are in n.
func threadsIn(t *testing.T, n Namespace) (list []string) {
	t.Helper()
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, path := range threads {
		if at, err := NamespaceAt(path + "/ns/net"); err == nil && at.ID() == n.ID() {
			list = append(list, path)
		}
	}
	return list
}

// A panic comes to who called Do, whose deferred functions run.
func TestNamespacePanic(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	there := mustNamespace(t, dweller(t, netns.New(t, "other")))
	before := threadsIn(t, there)
	func() {
		defer func() {
			if r := fmt.Sprint(recover()); !strings.Contains(r, "the reason, in "+there.String()) || !strings.Contains(r, "TestNamespacePanic") {
				t.Errorf("got %s", r)
			}
		}()
		there.Do(func() error { panic("the reason") })
	}()
	if after := threadsIn(t, there); !slices.Equal(after, before) {
		t.Errorf("threads %v are in the other namespace, want %v", after, before)
	}
}

// All of them once, each by the best name that it has.
func TestNamespaces(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	web, db := dweller(t, netns.New(t, "web")), dweller(t, netns.New(t, "db"))
	dir := named(t, "web", web)
	if err := os.WriteFile(filepath.Join(dir, "leftover"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := CurrentNamespace()
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := namespacesIn(procDir, dir, here)
	if err != nil {
		t.Fatal(err)
	}
	names, seen := map[string]int{}, map[NamespaceID]bool{}
	for i, n := range list {
		names[n.String()] = i
		if seen[n.ID()] {
			t.Errorf("%v is listed twice", n)
		}
		seen[n.ID()] = true
	}
	if list[0] != here {
		t.Errorf("%v comes first, want %v", list[0], here)
	}
	if i, ok := names["netns web"]; !ok || i != 1 {
		t.Errorf("netns web is number %d of %v", i, list)
	}
	// By the name of another process if that has a thread there.
	if n, err := NamespaceOf(db); err != nil || !seen[n.ID()] {
		t.Errorf("the namespace of process %d is not in %v: %v", db, list, err)
	}
	if public, _, err := Namespaces(); err != nil || public[0].ID() != here.ID() {
		t.Errorf("Namespaces: %v, %v", public, err)
	}
	if got := namesIn(dir); len(got) != 1 || got[list[1].ID()] != "web" {
		t.Errorf("names: %v", got)
	}
}

// Each way in which there is no namespace has its sentence.
func TestNamespaceErrors(t *testing.T) {
	dir := named(t, "web", os.Getpid())
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	zombie := exec.Command("true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	// WNOWAIT: tell when it has ended and leave it a zombie.
	if err := unix.Waitid(unix.P_PID, zombie.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	defer zombie.Wait()
	first := func(n Namespace, err error) error { return err }
	for _, c := range []struct {
		err  error
		is   error
		want string
	}{
		{first(namedIn(dir, "wbe")), fs.ErrNotExist, "kernel: there is no network namespace named wbe: there are plain, web; one without"},
		{first(namedIn(filepath.Join(dir, "none"), "web")), fs.ErrNotExist, "no namespace here has a name"},
		{first(namedIn(dir, "plain")), errNotNamespace, "is no network namespace, but a leftover of one: remove it with ip netns delete"},
		{first(namedIn(dir, "..")), fs.ErrInvalid, `".." is no name of a network namespace`},
		{first(namedIn(dir, "a\x1b[31mb")), fs.ErrNotExist, "named a?[31mb"},
		{first(NamespaceAt(plain)), errNotNamespace, plain + " is no network namespace"},
		{first(NamespaceAt(fifo)), errNotNamespace, "fifo is no network namespace"},
		{first(NamespaceAt("/proc/self/ns/uts")), errNotNamespace, "/proc/self/ns/uts is no network namespace"},
		{first(NamespaceAt("/none")), fs.ErrNotExist, "there is no file /none"},
		{first(NamespaceOf(gone.Process.Pid)), fs.ErrNotExist, fmt.Sprintf("there is no process %d: it may have ended", gone.Process.Pid)},
		{first(NamespaceOf(zombie.Process.Pid)), fs.ErrNotExist, fmt.Sprintf("process %d has ended", zombie.Process.Pid)},
		{Namespace{}.Do(nil), fs.ErrInvalid, "no network namespace was named"},
		{first(Namespace{}, Namespace{id: NamespaceID{1, 2}, name: "pid 7 (x)", path: "/proc/self/ns/net"}.Do(nil)),
			fs.ErrNotExist, "the network namespace of pid 7 (x) is gone"},
		{first(Namespace{}, Namespace{name: "pid 7 (x)", path: "/none"}.Do(nil)), fs.ErrNotExist, "the network namespace of pid 7 (x) is gone"},
	} {
		if c.err == nil || !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want %v with %q", c.err, c.is, c.want)
		}
	}
}

// Who is not root may look at their own namespace, and learns what other ones
// take.
func TestNamespaceWithoutRights(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	there := dweller(t, netns.New(t, "other"))
	dir := named(t, "other", there)
	host, err := NamespaceOf(there)
	if err != nil {
		t.Fatal(err)
	}
	here, err := CurrentNamespace()
	if err != nil {
		t.Fatal(err)
	}
	// As a container runtime's file, which everybody can open. /proc/self/fd
	// leads to the file itself, not to the path it was opened by.
	f, err := openNet(host.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	// Without the C library a user is a property of a thread. This one is
	// thrown away: it is locked oftener than visit unlocks it.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 4 {
			runtime.LockOSThread()
		}
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Error(errno)
			return
		}
		if err := host.visit(func() error { t.Error("was called"); return nil }); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("entering: got %v", err)
		}
		if err := here.visit(func() error { return nil }); err != nil {
			t.Errorf("staying: got %v", err)
		}
		readable := Namespace{id: host.id, name: host.name, path: fmt.Sprintf("/proc/thread-self/fd/%d", f.Fd())}
		if err := readable.visit(func() error { t.Error("was called"); return nil }); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "CAP_SYS_ADMIN") {
			t.Errorf("entering by a file that can be opened: got %v", err)
		}
		if _, err := namedIn(dir, "other"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("another user's: got %v", err)
		}
		if _, err := NamespaceOf(there); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "run this as root") {
			t.Errorf("another user's process: got %v", err)
		}
		list, hidden, err := Namespaces()
		if err != nil || len(list) == 0 || hidden == 0 {
			t.Errorf("another user: got %v, %d hidden, %v", list, hidden, err)
		}
	}()
	<-ended
}
