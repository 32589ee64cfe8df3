package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A Host is one network namespace: its own interfaces, routes, sysctls, TCP
// metrics and counters. Its methods may be called from any goroutine.
type Host struct {
	name string
	ns   netns.NsHandle
	nl   *netlink.Handle
	ends int // interfaces made on it, to name the next
}

// Self is the host that the process as a whole is, once [Isolate] has returned
// false.
func Self(t testing.TB) *Host {
	t.Helper()
	if !isolated(t) {
		t.Fatal("netns.Self: this process is not isolated, and a test must not touch the network of the machine: call netns.Isolate first")
	}
	ns, err := netns.GetFromPid(os.Getpid())
	return newHost(t, "self", ns, err)
}

// New makes another host, with the loopback device up and nothing else. It is
// gone at the end of the test, or of the process. The name is for messages.
func New(t testing.TB, name string) *Host {
	t.Helper()
	self := Self(t)
	var ns netns.NsHandle
	var err error
	self.Do(func() { // comes back from the namespace that it enters
		ns, err = netns.New()
	})
	h := newHost(t, name, ns, err)
	h.Do(func() { loopbackUp(t) })
	return h
}

func newHost(t testing.TB, name string, ns netns.NsHandle, err error) *Host {
	t.Helper()
	if err != nil {
		t.Fatalf("network namespace for host %s: %v", name, err)
	}
	t.Cleanup(func() { ns.Close() })
	nl, err := netlink.NewHandleAt(ns)
	if err != nil {
		t.Fatalf("netlink in host %s: %v", name, err)
	}
	t.Cleanup(nl.Close)
	return &Host{name: name, ns: ns, nl: nl}
}

// String returns the name the host was given.
func (h *Host) String() string { return h.name }

// Do runs f on the calling goroutine with its thread in the namespace of h.
// Sockets, TUN devices and processes that f makes belong to h and stay there.
// Goroutines that f starts are not in that namespace. f may end the test, and
// may itself use Do with another host.
func (h *Host) Do(f func()) {
	runtime.LockOSThread()
	before, err := netns.Get()
	if err == nil {
		err = netns.Set(h.ns)
	}
	if err != nil {
		panic(fmt.Sprintf("enter the network namespace of host %s: %v", h.name, err))
	}
	defer func() {
		err := netns.Set(before)
		before.Close()
		if err != nil {
			// The thread is still locked, so it ends with its goroutine
			// and no other ever runs in the wrong namespace.
			panic(fmt.Sprintf("leave the network namespace of host %s: %v", h.name, err))
		}
		runtime.UnlockOSThread()
	}()
	f()
}

// Sysctl sets a setting of h, given by its dotted name ("net.ipv4.tcp_fastopen").
func (h *Host) Sysctl(t testing.TB, name, value string) {
	t.Helper()
	h.Do(func() {
		if err := os.WriteFile(sysctlPath(name), []byte(value), 0); err != nil {
			t.Fatalf("host %s: set %s to %q: %v", h.name, name, value, err)
		}
	})
}

// ReadSysctl returns a setting of h without the newline at its end.
func (h *Host) ReadSysctl(t testing.TB, name string) string {
	t.Helper()
	var b []byte
	var err error
	h.Do(func() { b, err = os.ReadFile(sysctlPath(name)) })
	if err != nil {
		t.Fatalf("host %s: read %s: %v", h.name, name, err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

// A slash in a sysctl name stands for a dot within one of its parts, as in
// sysctl(8).
func sysctlPath(name string) string {
	swap := func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}
	return "/proc/sys/" + strings.Map(swap, name)
}

// Start starts cmd on h. The process is killed at the end of the test at the
// latest, or with this process. The function returned waits for it and gives
// the error of [exec.Cmd.Wait]; it may be called any number of times. Set
// cmd.Stdout and cmd.Stderr to writers: a pipe from cmd.StdoutPipe would be
// closed while it is still being read.
func (h *Host) Start(t testing.TB, cmd *exec.Cmd) (wait func() error) {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, ended := make(chan error), make(chan struct{})
	var result error
	go h.Do(func() { // the thread must outlive the child: see Pdeathsig
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			result = cmd.Wait()
		}
	})
	if err := <-started; err != nil {
		t.Fatalf("host %s: start %s: %v", h.name, cmd, err)
	}
	wait = func() error {
		<-ended
		return result
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("host %s: kill %s: %v", h.name, cmd, err)
		}
		wait()
	})
	return wait
}

// loopbackUp brings up the loopback device of the calling thread's namespace.
func loopbackUp(t testing.TB) {
	t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if errors.Is(err, unix.EPERM) {
		noNamespace(t, err)
	}
	if err != nil {
		t.Fatalf("bring up the loopback device: %v", err)
	}
}
