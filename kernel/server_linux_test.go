package kernel

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"golang.org/x/sys/unix"
)

// asServer names the environment variable that makes a test binary a server.
const asServer = "FASTOPEN_TEST_SERVER"

// TestServer is no test, but what [serve] starts: an ordinary server that
// knows nothing of Fast Open. It listens where the variable says and does what
// its stdin says.
func TestServer(t *testing.T) {
	if os.Getenv(asServer) == "" {
		t.Skip("not started as a server")
	}
	var ls []*net.TCPListener
	listen := func() {
		for _, address := range strings.Fields(os.Getenv(asServer)) {
			network, address, _ := strings.Cut(address, "/")
			l := listenOn(t, strings.TrimPrefix(network, "mp"), address, strings.HasPrefix(network, "mp"), unix.SO_REUSEPORT)
			ls = append(ls, l)
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() { io.Copy(c, c); c.Close() }()
				}
			}()
		}
	}
	stop := func() {
		for _, l := range ls {
			l.Close()
		}
		ls = nil
	}
	listen()
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "close":
			stop()
		case "reopen":
			stop()
			listen()
		case "hide": // as ssh-agent does
			if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
				t.Fatal(err)
			}
		case "end":
			os.Exit(0)
		}
		fmt.Println("done")
	}
}

// A server is another process that listens.
type server struct {
	t    testing.TB
	pid  int
	in   io.Writer
	out  *bufio.Reader
	wait func() error
}

// serve starts one on h, which listens at each of the addresses, such as
// tcp4/127.0.0.1:80, or mptcp4/127.0.0.1:80 for Multipath TCP.
func serve(t testing.TB, h *netns.Host, credential *syscall.Credential, addresses ...string) *server {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestServer$", "-test.v=false")
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "FASTOPEN_NETNS=") }),
		asServer+"="+strings.Join(addresses, " "), "GORACE=atexit_sleep_ms=20")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, os.Stderr
	s := &server{t: t, in: in, out: bufio.NewReader(out), wait: h.Start(t, cmd)}
	stdin.Close()
	stdout.Close()
	s.pid = cmd.Process.Pid
	s.reads("ready")
	return s
}

func (s *server) reads(want string) {
	s.t.Helper()
	for { // what package testing prints comes between
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("server: %v", err)
		}
		if line == want+"\n" {
			return
		}
	}
}

// does has the server do something and returns when it has.
func (s *server) does(what string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, what+"\n"); err != nil {
		s.t.Fatal(err)
	}
	s.reads("done")
}

// ends has the server end.
func (s *server) ends() {
	s.t.Helper()
	if _, err := io.WriteString(s.in, "end\n"); err != nil {
		s.t.Fatal(err)
	}
	s.wait()
}
