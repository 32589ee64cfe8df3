package netns

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// marker names the environment variable that tells a process that it runs one
// test inside a namespace made for it. Its value is the namespace the parent
// was in, a space and the name of the test.
const marker = "FASTOPEN_NETNS"

// Isolate runs the calling test again, alone, in a new process inside a new
// network namespace, and returns true once that has ended, with its output and
// its result (failure, skip) made those of t: the caller then returns. In the
// new process it brings the loopback device up and returns false: the caller
// goes on, and the whole process, all of its threads, is one host.
//
// Call it first in a top-level test. The namespace, and every other one made
// in it, goes with the process, and the process goes with its parent, so there
// is nothing to clean up. The flags of the parent (-test.v, -test.short, those
// of the package under test, subtests chosen by -test.run) hold in the child,
// its deadline is a little earlier than that of the parent so that it is the
// child that says where it hung, and its coverage is counted.
//
// Where namespaces are not permitted the test is skipped, or fails when the
// environment says FASTOPEN_CI=1.
func Isolate(t *testing.T) bool {
	t.Helper()
	if isolated(t) {
		loopbackUp(t)
		return false
	}
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		noNamespace(t, err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatalf("run the test again in a network namespace: %v", err)
	}
	cmd := exec.Command(program, childFlags(t)...)
	cmd.Env = append(os.Environ(), marker+"="+here+" "+t.Name(),
		// A program built with -race sleeps a second before it exits.
		strings.TrimSpace("GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=20"))
	cmd.SysProcAttr = freshNamespace()
	r := &relay{test: t.Name()}
	if testing.Verbose() {
		r.w = os.Stdout
	} else {
		r.w = &r.kept
	}
	cmd.Stdout, cmd.Stderr = r, r

	// The parent-death signal is sent when the thread that forked ends, not
	// the process (prctl(2), PR_SET_PDEATHSIG), so this thread must live as
	// long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		noNamespace(t, err)
	}
	err = cmd.Wait()
	r.flush()
	if err != nil {
		t.Fatalf("%s in its own network namespace: %v\n%s", t.Name(), err, r.kept.Bytes())
	}
	if r.skipped {
		t.Skipf("skipped in its own network namespace\n%s", r.kept.Bytes())
	}
	return true
}

// isolated reports whether this process was started by Isolate for this test.
func isolated(t testing.TB) bool {
	before, name, _ := strings.Cut(os.Getenv(marker), " ")
	if name != t.Name() && !strings.HasPrefix(t.Name(), name+"/") || name == "" {
		return false
	}
	if here, err := os.Readlink("/proc/self/ns/net"); err != nil || here == before {
		t.Fatalf("%s says that this process has a network namespace of its own, but it does not: unset %s", marker, marker)
	}
	return true
}

// unavailable ends a test that this machine or user does not permit.
func unavailable(t testing.TB, what string, err error, remedy string) {
	t.Helper()
	if os.Getenv("FASTOPEN_CI") == "1" {
		t.Fatalf("%s: %v, and FASTOPEN_CI=1 forbids to skip: %s", what, err, remedy)
	}
	t.Skipf("%s: %v: %s", what, err, remedy)
}

func noNamespace(t testing.TB, err error) {
	t.Helper()
	unavailable(t, "network namespace", err, "run as root or allow unprivileged user namespaces")
}

func freshNamespace() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Geteuid(); uid != 0 {
		a.Cloneflags |= unix.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return a
}

// childFlags are the flags set in this process, save those that name a file it
// writes itself, or choose what runs, or for how long.
func childFlags(t *testing.T) []string {
	own := []string{
		"test.run", "test.v", "test.timeout", "test.count", "test.cpu", "test.list", "test.bench", "test.shuffle",
		"test.testlogfile", "test.coverprofile", "test.cpuprofile", "test.memprofile", "test.blockprofile", "test.mutexprofile", "test.trace",
		"test.fuzz", "test.fuzzworker", "test.fuzzcachedir", "test.fuzztime", "test.fuzzminimizetime",
	}
	var flags []string
	chosen := ""
	verbose := "true"
	flag.Visit(func(f *flag.Flag) {
		switch {
		case f.Name == "test.run":
			chosen = f.Value.String()
		case f.Name == "test.v" && f.Value.String() != "false":
			verbose = f.Value.String()
		case !slices.Contains(own, f.Name):
			flags = append(flags, "-"+f.Name+"="+f.Value.String())
		}
	})
	flags = append(flags, "-test.run="+runPattern(t.Name(), chosen), "-test.v="+verbose, "-test.count=1",
		fmt.Sprintf("-test.cpu=%d", runtime.GOMAXPROCS(0)))
	if d, ok := t.Deadline(); ok {
		left := time.Until(d)
		flags = append(flags, fmt.Sprintf("-test.timeout=%v", max(left-min(left/10, 5*time.Second), time.Second)))
	}
	return flags
}

// runPattern selects the test called name and, of its subtests, those that the
// pattern chosen selects.
func runPattern(name, chosen string) string {
	var levels []string
	for part := range strings.SplitSeq(name, "/") {
		levels = append(levels, "^"+regexp.QuoteMeta(part)+"$")
	}
	// A slash within brackets does not divide levels, and a bar starts
	// another whole pattern: rare enough to run every subtest instead.
	if !strings.ContainsAny(chosen, "|[(") {
		if parts := strings.Split(chosen, "/"); len(parts) > len(levels) {
			levels = append(levels, parts[len(levels):]...)
		}
	}
	return strings.Join(levels, "/")
}

// A relay passes on what the child says, line by line, save what the parent
// says itself: that the test runs, and its overall result.
type relay struct {
	test    string
	w       io.Writer
	kept    bytes.Buffer
	line    []byte
	skipped bool
}

func (r *relay) Write(p []byte) (int, error) {
	r.line = append(r.line, p...)
	for {
		i := bytes.IndexByte(r.line, '\n')
		if i < 0 {
			return len(p), nil
		}
		if err := r.pass(r.line[:i+1]); err != nil {
			return 0, err
		}
		r.line = r.line[i+1:]
	}
}

func (r *relay) flush() error {
	if len(r.line) == 0 {
		return nil
	}
	defer func() { r.line = nil }()
	return r.pass(r.line)
}

func (r *relay) pass(line []byte) error {
	// 0x16 marks lines of the testing package under go test -json.
	said := strings.TrimSpace(strings.TrimPrefix(string(line), "\x16"))
	switch {
	case said == "PASS", said == "FAIL", strings.HasPrefix(said, "coverage: "),
		said == "=== RUN   "+r.test, said == "=== NAME  "+r.test,
		strings.HasPrefix(said, "--- PASS: "+r.test+" ("),
		strings.HasPrefix(said, "--- FAIL: "+r.test+" ("):
		return nil
	case strings.HasPrefix(said, "--- SKIP: "+r.test+" ("):
		r.skipped = true
		return nil
	}
	_, err := r.w.Write(line)
	return err
}
