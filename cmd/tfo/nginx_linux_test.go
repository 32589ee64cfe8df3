package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/kernel"
	"golang.org/x/sys/unix"
)

// program returns where a server of the distribution is. Without it, or
// without the rights of root that it wants, the test is skipped, or fails
// when the environment says FASTOPEN_CI=1.
func program(t *testing.T, name string) string {
	t.Helper()
	err := error(nil)
	if !isRoot() {
		err = errors.New("only root can start it as the distribution does")
	}
	path := ""
	if err == nil {
		path, err = exec.LookPath(name)
	}
	if err == nil {
		return path
	}
	if os.Getenv("FASTOPEN_CI") == "1" {
		t.Fatalf("%s: %v, and FASTOPEN_CI=1 forbids to skip: install the package %s", name, err, name)
	}
	t.Skipf("%s: %v", name, err)
	return ""
}

// isRoot reports whether this is root, and not only in a user namespace of its
// own, where there is nobody else.
func isRoot() bool {
	users, err := os.ReadFile("/proc/self/uid_map")
	f := strings.Fields(string(users))
	return os.Getuid() == 0 && err == nil && len(f) == 3 && len(f[2]) > 5
}

// inRoom starts a shell script on h, as the first process of a container of
// its own: it sees the files of the machine, but what it mounts is seen by it
// alone, and all processes that it leaves behind end with it.
func inRoom(t *testing.T, h *netns.Host, script string) (stop func()) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "set -e\n"+script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Unshareflags: unix.CLONE_NEWNS}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	wait := h.Start(t, cmd)
	t.Cleanup(func() {
		if t.Failed() && out.Len() > 0 {
			t.Logf("%s\n%s", script, &out)
		}
	})
	return func() {
		t.Helper()
		cmd.Process.Kill()
		wait()
	}
}

// startNginx starts the distribution's nginx on h as the distribution does,
// with its own configuration; before is what is done to the files first. It
// returns when as many sockets listen as are wanted.
func startNginx(t *testing.T, h *netns.Host, before string, sockets int) (stop func()) {
	t.Helper()
	stop = inRoom(t, h, "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /var/log/nginx\n"+before+"\n"+program(t, "nginx")+"\nexec sleep infinity")
	await(t, h, "nginx listens", func(ls []kernel.Listener) bool { return len(ls) == sockets && len(ls[0].Owners) > 1 })
	return stop
}

// await looks at the listeners of h until they are as wanted, and returns them.
func await(t *testing.T, h *netns.Host, what string, ok func([]kernel.Listener) bool) (ls []kernel.Listener) {
	t.Helper()
	for start := time.Now(); ; {
		ls = listeners(t, h)
		if ok(ls) {
			return ls
		}
		if time.Since(start) > patience {
			t.Fatalf("%s: not in %v; there are %+v", what, patience, ls)
		}
	}
}

func listeners(t *testing.T, h *netns.Host) (ls []kernel.Listener) {
	t.Helper()
	var err error
	h.Do(func() { ls, err = kernel.Listeners() })
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

// masters returns the processes that are nginx's masters, and workers the
// others.
func nginxProcesses(ls []kernel.Listener) (masters, workers []int) {
	for _, l := range ls {
		for _, p := range l.Owners {
			list := &workers
			if strings.HasPrefix(strings.Join(p.Command, " "), "nginx: master") {
				list = &masters
			}
			if !slices.Contains(*list, p.PID) {
				*list = append(*list, p.PID)
			}
		}
	}
	return masters, workers
}

func send(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("send %v to process %d: %v", s, pid, err)
	}
}

// watching starts tfo attach --watch on h.
func watching(t *testing.T, h *netns.Host, args ...string) *served {
	t.Helper()
	s := &served{t: t, stderr: new(bytes.Buffer), news: make(chan struct{})}
	s.cmd = exec.Command("tfo", append([]string{"attach", "--json", "--watch"}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s, s.stderr
	s.wait = h.Start(t, s.cmd)
	s.next("start", 0)
	return s
}
