package netns

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestIsolate(t *testing.T) {
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if Isolate(t) {
		after, err := os.Readlink("/proc/self/ns/net")
		if err != nil || after != before {
			t.Fatalf("the parent is in %s (%v), want still %s", after, err, before)
		}
		return
	}
	if outside, _, _ := strings.Cut(os.Getenv(marker), " "); before == outside {
		t.Fatalf("still in the namespace of the parent, %s", outside)
	}
	ifs, err := net.Interfaces()
	if err != nil || len(ifs) != 1 || ifs[0].Name != "lo" || ifs[0].Flags&net.FlagUp == 0 {
		t.Fatalf("interfaces %v (%v), want lo alone, up", ifs, err)
	}
	t.Run("sub", func(t *testing.T) {
		if Isolate(t) {
			t.Fatal("isolated a second time")
		}
	})
}

// The child's result is that of the test. The inner process is asked to run
// tests that end badly; they pass when nobody asks.
func TestIsolateResult(t *testing.T) {
	const ask = "NETNS_TEST_RESULT"
	for _, c := range []struct{ ask, want string }{
		{"fail", "--- FAIL: TestIsolateBadly"},
		{"skip", "--- SKIP: TestIsolateBadly"},
		{"crash", "panic: on purpose"},
		{"pass", "--- PASS: TestIsolateBadly"},
		{"ci", "FASTOPEN_CI=1 forbids"},
	} {
		t.Run(c.ask, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestIsolateBadly$", "-test.v")
			cmd.Env = append(os.Environ(), ask+"="+c.ask)
			out, err := cmd.CombinedOutput()
			bad := c.ask != "skip" && c.ask != "pass"
			if (err != nil) != bad || !bytes.Contains(out, []byte(c.want)) {
				t.Fatalf("asked to %s: %v, want %q in\n%s", c.ask, err, c.want, out)
			}
			if n := bytes.Count(out, []byte("TestIsolateBadly (")); n != 1 {
				t.Fatalf("asked to %s: %d results, want 1, in\n%s", c.ask, n, out)
			}
		})
	}
}

func TestIsolateBadly(t *testing.T) {
	ask := os.Getenv("NETNS_TEST_RESULT")
	if ask == "ci" {
		t.Setenv("FASTOPEN_CI", "1")
		noNamespace(t, unix.EPERM)
	}
	if ask == "" || Isolate(t) {
		return
	}
	switch ask {
	case "fail":
		t.Error("on purpose")
	case "skip":
		t.Skip("on purpose")
	case "crash":
		panic("on purpose")
	}
}

// A subtest may be isolated by itself.
func TestIsolateSubtest(t *testing.T) {
	for _, name := range []string{"a", "b/c"} {
		t.Run(name, func(t *testing.T) {
			if Isolate(t) {
				return
			}
			t.Run("sub", func(t *testing.T) { New(t, "h").Do(func() {}) })
		})
	}
}

func TestRunPattern(t *testing.T) {
	for _, c := range []struct{ name, chosen, want string }{
		{"TestA", "", "^TestA$"},
		{"TestA", "TestA", "^TestA$"},
		{"TestA", "A/v4/x", "^TestA$/v4/x"},
		{"TestA/v4", "A/v4/x", "^TestA$/^v4$/x"},
		{"TestA", "A/x|B/y", "^TestA$"},
		{"TestA/a.b", "", `^TestA$/^a\.b$`},
	} {
		if got := runPattern(c.name, c.chosen); got != c.want {
			t.Errorf("runPattern(%q, %q) = %q, want %q", c.name, c.chosen, got, c.want)
		}
	}
}

func TestVeth(t *testing.T) {
	if Isolate(t) {
		return
	}
	client, server := Self(t), New(t, "server")
	Veth(t, client, server)
	for _, addr := range []netip.Addr{B4, B6} {
		t.Run(addr.String(), func(t *testing.T) {
			l := listen(t, server, addr)
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					io.Copy(c, c)
					c.Close()
				}
			}()
			c, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			var b [5]byte
			if _, err := io.ReadFull(c, b[:]); err != nil || string(b[:]) != "hello" {
				t.Fatalf("read %q, %v", b, err)
			}
		})
	}
	t.Run("second pair", func(t *testing.T) {
		third := New(t, "third")
		Veth(t, server, third, netip.MustParsePrefix("10.78.0.1/24"), netip.MustParsePrefix("10.78.0.2/24"))
		l := listen(t, third, netip.MustParseAddr("10.78.0.2"))
		server.Do(func() {
			c, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
		if _, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second); !errors.Is(err, unix.ENETUNREACH) {
			t.Fatalf("dialing from a host that has no route: %v, want ENETUNREACH", err)
		}
	})
}

func listen(t *testing.T, h *Host, addr netip.Addr) net.Listener {
	t.Helper()
	var l net.Listener
	var err error
	h.Do(func() { l, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestSysctl(t *testing.T) {
	if Isolate(t) {
		return
	}
	a, b := Self(t), New(t, "b")
	const name = "net.ipv4.tcp_fastopen"
	a.Sysctl(t, name, "3")
	b.Sysctl(t, name, "2")
	if va, vb := a.ReadSysctl(t, name), b.ReadSysctl(t, name); va != "3" || vb != "2" {
		t.Fatalf("%s is %q and %q, want 3 and 2", name, va, vb)
	}
	if got := sysctlPath("net.ipv4.conf.eth0/1.forwarding"); got != "/proc/sys/net/ipv4/conf/eth0.1/forwarding" {
		t.Fatalf("path %s", got)
	}
}

func TestStart(t *testing.T) {
	if Isolate(t) {
		return
	}
	h := New(t, "h")
	var inside string
	h.Do(func() { inside, _ = os.Readlink("/proc/thread-self/ns/net") })
	var out bytes.Buffer
	cmd := exec.Command("readlink", "/proc/self/ns/net")
	cmd.Stdout = &out
	if err := h.Start(t, cmd)(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(out.String()); got != inside || got == "" {
		t.Fatalf("the command ran in %q, want %q", got, inside)
	}
	var killed func() error
	t.Run("killed", func(t *testing.T) { killed = h.Start(t, exec.Command("sleep", "1000")) })
	if err := killed(); err == nil {
		t.Fatal("the command ended well, want killed with its test")
	}
}

// Killing the parent leaves no process behind, neither the child nor what the
// child started.
func TestKilledParent(t *testing.T) {
	if os.Getenv("NETNS_TEST_HANG") != "" {
		if Isolate(t) {
			return
		}
		cmd := exec.Command("sh", "-c", "echo started; exec sleep 1000")
		cmd.Stdout = os.Stdout
		New(t, "h").Start(t, cmd)()
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledParent$", "-test.v")
	cmd.Env = append(os.Environ(), "NETNS_TEST_HANG=1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout = w // all descendants hold it open
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	lines := bufio.NewScanner(r)
	var said []string
	for lines.Scan() && !strings.Contains(lines.Text(), "started") {
		said = append(said, lines.Text())
	}
	cmd.Process.Kill()
	cmd.Wait()
	for _, line := range said {
		if strings.Contains(line, "SKIP") {
			t.Skip(strings.Join(said, "\n"))
		}
	}
	r.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatalf("waiting for the descendants to end: %v\n%s", err, said)
	}
}
