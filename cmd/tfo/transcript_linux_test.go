package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// TestTranscripts runs the commands of testdata/host on hosts whose network
// and whose files of settings are their own, and compares all that they print.
// A line that begins with "$ " is a command for the shell; what it prints
// follows, and its exit code if that is not 0. Before it comes what it is for.
func TestTranscripts(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	names, err := filepath.Glob("testdata/host/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			if strings.HasSuffix(name, "nobody.txt") && exec.Command("setpriv", "--reuid", "65534", "true").Run() != nil {
				t.Skip("there is nobody to become: run as root")
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			onOwnHost(t, func() { got = replay(t, string(text)) })
			if *update && !t.Failed() {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			gots, wants := strings.Split(got, "\n"), strings.Split(string(text), "\n")
			for i := range max(len(gots), len(wants)) {
				if i >= len(gots) || i >= len(wants) || gots[i] != wants[i] {
					some := func(lines []string) string {
						return strings.Join(lines[min(i, len(lines)):min(i+5, len(lines))], "\n")
					}
					t.Fatalf("%s:%d: got\n%s\nwant\n%s", name, i+1, some(gots), some(wants))
				}
			}
		})
	}
}

// onOwnHost runs f on a thread of its own, which ends with it, in a network
// namespace and a mount namespace of its own. There is nothing in the
// directories of settings there, and /run says that systemd runs.
func onOwnHost(t *testing.T, f func()) {
	t.Helper()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: nothing else runs on it
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWNET)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		for _, dir := range []string{"/run", "/etc/sysctl.d", "/usr/local/lib", "/usr/lib/sysctl.d"} {
			if err == nil {
				err = unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755")
			}
		}
		if _, missing := os.Stat("/etc/sysctl.conf"); missing == nil && err == nil {
			err = unix.Mount(empty, "/etc/sysctl.conf", "", unix.MS_BIND, "")
		}
		if err == nil {
			err = os.MkdirAll("/run/systemd/system", 0o755)
		}
		if err != nil {
			t.Errorf("a host with files of its own: %v", err)
			return
		}
		f()
	}()
	<-done
}

// replay runs the commands of a transcript and returns the new one.
func replay(t *testing.T, text string) string {
	var b strings.Builder
	printed := false // what stands here was printed by the command before
	for line := range strings.Lines(text) {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			// An empty line ends what a command printed.
			if printed = printed && line != "\n"; !printed {
				b.WriteString(line)
			}
			continue
		}
		printed = true
		b.WriteString(line)
		b.WriteString(shell(t, strings.TrimSpace(command)))
	}
	return b.String()
}

// shell runs a command and returns all that it prints.
func shell(t *testing.T, command string) string {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = "/run"
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=20", "NO_COLOR=1", "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		fmt.Fprintf(&out, "(exit code %d)\n", exit.ExitCode())
	} else if err != nil {
		t.Errorf("%s: %v", command, err)
	}
	return namespaceNumber.ReplaceAllString(out.String(), "netns-N")
}

// namespaceNumber is another one in each run.
var namespaceNumber = regexp.MustCompile(`netns-[0-9]+`)
