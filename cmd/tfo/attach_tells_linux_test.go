package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// listening listens on h, as this process.
func listening(t *testing.T, h *netns.Host, address string) {
	t.Helper()
	var l net.Listener
	var err error
	h.Do(func() { l, err = net.Listen("tcp", address) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

// nobody runs tfo on h as an ordinary user.
func nobody(t *testing.T, h *netns.Host, args ...string) (r result) {
	t.Helper()
	if !isRoot() {
		t.Skip("needs root, to become somebody else")
	}
	var out, errs bytes.Buffer
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "tfo"
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	h.Start(t, cmd)()
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// me is the name of this process, which tests listen as.
func me() string {
	name, _ := os.ReadFile("/proc/self/comm")
	return strings.TrimSpace(string(name))
}

var (
	number = regexp.MustCompile(`(pid|process) \d+`)
	spaces = regexp.MustCompile(` +`)
)

// want checks what a command has said, with N for the number of a process and
// one space between columns.
func (r result) want(t *testing.T, why string, code int, out, errs string) {
	t.Helper()
	if r.code != code {
		t.Errorf("%s: exit code %d, want %d", why, r.code, code)
	}
	for _, c := range []struct{ name, got, want string }{{"stdout", r.out, out}, {"stderr", r.err, errs}} {
		if got := spaces.ReplaceAllString(strings.ReplaceAll(number.ReplaceAllString(c.got, "$1 N"), me()+" (", "tfo.test ("), " "); got != spaces.ReplaceAllString(c.want, " ") {
			t.Errorf("%s: %s is\n%s\nwant\n%s", why, c.name, c.got, c.want)
		}
	}
}

// Everything that a person should know is said, once, and nothing else.
func TestAttachTells(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	h.Sysctl(t, "net.core.somaxconn", "300")
	listening(t, h, "127.0.0.1:1000")
	listening(t, h, "[::1]:1000")
	off := fmt.Sprintf("This has no effect yet: the kernel has Fast Open off for servers here (net.ipv4.tcp_fastopen is 1: on for clients, off for servers). Turn it on with: %s\n",
		asRoot("sysctl -w net.ipv4.tcp_fastopen=3"))
	const lasts = "This lasts until the server is restarted. To keep it: add --watch.\n"

	tfoOn(t, h, "attach", "--port", "1000", "--dry-run").want(t, "dry run", 0, `LISTENER         SERVER             BACKLOG   FAST OPEN BEFORE   WOULD BE
127.0.0.1:1000   tfo.test (pid N)   300       off                on, queue 300
[::1]:1000       tfo.test (pid N)   300       off                on, queue 300
`, strings.Replace(off, "This has", "This would have", 1)+"Nothing was changed (--dry-run).\n")
	tfoOn(t, h, "attach", "--port", "1000", "--dry-run", "--queue", "5000").want(t, "dry run of a long queue", 0, `LISTENER         SERVER             BACKLOG   FAST OPEN BEFORE   WOULD BE
127.0.0.1:1000   tfo.test (pid N)   300       off                on, queue 300
[::1]:1000       tfo.test (pid N)   300       off                on, queue 300
`, strings.Replace(off, "This has", "This would have", 1)+"The kernel would cut the queue from 5000 to 300, which is as much as net.core.somaxconn allows. For more: "+asRoot("sysctl -w net.core.somaxconn=5000")+", and attach again.\nNothing was changed (--dry-run).\n")
	tfoOn(t, h, "attach", "--port", "1000,2000").want(t, "attach", 1, `LISTENER         SERVER             BACKLOG   FAST OPEN BEFORE   AFTER
127.0.0.1:1000   tfo.test (pid N)   300       off                on, queue 300
[::1]:1000       tfo.test (pid N)   300       off                on, queue 300
`, "tfo attach: nobody listens on port 2000\n"+off+lasts)
	h.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	tfoOn(t, h, "attach", "--process", me()).want(t, "again", 0, `LISTENER         SERVER             BACKLOG   FAST OPEN BEFORE   AFTER
127.0.0.1:1000   tfo.test (pid N)   300       on, queue 300      on, queue 300 (as before)
[::1]:1000       tfo.test (pid N)   300       on, queue 300      on, queue 300 (as before)
`, "")
	tfoOn(t, h, "attach", "--all", "--queue", "5000").want(t, "a long queue", 0, `LISTENER         SERVER             BACKLOG   FAST OPEN BEFORE   AFTER
127.0.0.1:1000   tfo.test (pid N)   300       on, queue 300      on, queue 300 (as before)
[::1]:1000       tfo.test (pid N)   300       on, queue 300      on, queue 300 (as before)
`, "The kernel has cut the queue from 5000 to 300, which is as much as net.core.somaxconn allows. For more: "+asRoot("sysctl -w net.core.somaxconn=5000")+", and attach again.\n")
	tfoOn(t, h, "detach", "--pid", fmt.Sprint(os.Getpid())).want(t, "detach", 0, `LISTENER         SERVER             BACKLOG   FAST OPEN BEFORE   AFTER
127.0.0.1:1000   tfo.test (pid N)   300       on, queue 300      off
[::1]:1000       tfo.test (pid N)   300       on, queue 300      off
`, "")
	idle := exec.Command("sleep", "60")
	h.Start(t, idle)
	tfoOn(t, h, "attach", "--pid", fmt.Sprint(idle.Process.Pid)).want(t, "a process that does not listen", 1, "",
		"tfo attach: process N does not listen: see who does with: ss -ltnp\n")
}

// Without the right nothing changes, and it is said whose right is missing.
func TestAttachRefused(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	h.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	listening(t, h, "127.0.0.1:1000")
	listening(t, h, "127.0.0.1:2000")
	const why = "its socket was made by root, and this user may not see which process holds it: run this as root\n"
	table := `LISTENER         SERVER           BACKLOG   FAST OPEN BEFORE   AFTER
127.0.0.1:1000   another user's   4096      off                failed
`
	nobody(t, h, "attach", "--port", "1000").want(t, "by port", 1, table, "tfo attach: cannot change Fast Open at 127.0.0.1:1000: "+why)
	nobody(t, h, "attach", "--all").want(t, "all", 1, table+"127.0.0.1:2000   another user's   4096      off                failed\n",
		"tfo attach: cannot change Fast Open at 127.0.0.1:1000 and 127.0.0.1:2000: "+why)
	nobody(t, h, "attach", "--port", "1000", "--watch").want(t, "watch", 1, "", "tfo attach: cannot change Fast Open at 127.0.0.1:1000: "+why)
	nobody(t, h, "attach", "--process", me()).want(t, "by name", 1, "",
		"tfo attach: no process called tfo.test listens here: what processes of other users listen on is seen by root only, so run it as root\n")
	nobody(t, h, "detach", "--pid", fmt.Sprint(os.Getpid())).want(t, "by pid", 1, "",
		"tfo detach: may not look at the network namespace of process N, which is another user's or has more rights: run this as root, outside of containers\n")
	for _, l := range listeners(t, h) {
		if l.Queue != 0 {
			t.Errorf("%v has the queue %d", l, l.Queue)
		}
	}
}

// attach --watch waits for a server that is not there, tells what others do,
// and when the kernel's own switch is in the way.
func TestAttachWatchTells(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	w := watching(t, h, "--port", "1000", "--interval", "0.02", "--queue", "7")
	h.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	listening(t, h, "127.0.0.1:1000")
	w.next("attached", 0).want(t, "a new server", event{"listener": "127.0.0.1:1000", "before": 0, "after": 7})
	if r := tfoOn(t, h, "detach", "--port", "1000"); r.code != 0 {
		t.Fatalf("detach: %s%s", r.out, r.err)
	}
	w.next("turned-off", 0).want(t, "by hand", event{"before": 7, "after": 0})
	if r := tfoOn(t, h, "attach", "--port", "1000", "--queue", "9"); r.code != 0 {
		t.Fatalf("attach: %s%s", r.out, r.err)
	}
	w.next("turned-on", 0).want(t, "by hand", event{"before": 0, "after": 9})
	w.signal(syscall.SIGTERM)
	if err := w.wait(); err != nil || w.stderr.Len() > 0 {
		t.Errorf("got %v\n%s", err, w.stderr)
	}
	w.next("ineffective", 0).want(t, "at first", event{"remedy": asRoot("sysctl -w net.ipv4.tcp_fastopen=3")})
	w.next("effective", 0)
	if ls := listeners(t, h); ls[0].Queue != 9 {
		t.Errorf("without --detach-on-exit the queue is %d after the watch, want 9", ls[0].Queue)
	}
}
