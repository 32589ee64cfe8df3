package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
)

// fastClient opens a connection with data, which goes into the SYN if there is
// a cookie, and waits until the server has closed it.
func fastClient(t *testing.T, to netip.AddrPort) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	sa := &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	if err := unix.Sendto(fd, []byte("hello"), unix.MSG_FASTOPEN, sa); err != nil {
		t.Fatal(os.NewSyscallError("sendto", err))
	}
	var b [16]byte
	if n, err := unix.Read(fd, b[:]); n != 0 || err != nil {
		t.Fatalf("read %d bytes, %v, want the end", n, err)
	}
}

// sink reads and closes whatever connects.
func sink(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := (&fastopen.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.ReadFull(c, make([]byte, len("hello")))
			c.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

// Each thing that can happen to a cookie moves the counters that say so, and
// no others: those of the table in requirement sheet RFC7413, section 6.1.
func TestReadCounters(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	self.Sysctl(t, Name, "3")
	self.Sysctl(t, "net.ipv4.tcp_fastopen_key", "00000000-00000000-00000000-00000001")
	to := sink(t)
	for _, c := range []struct {
		why  string
		key  string
		want Counters
	}{
		{"first contact", "", Counters{CookieReqd: 1}},
		{"with the cookie", "", Counters{Active: 1, Passive: 1}},
		// Requirement KEY-1: the backup key is honoured, and a new cookie given.
		{"with the backup key", "00000000-00000000-00000000-00000002,00000000-00000000-00000000-00000001", Counters{Active: 1, Passive: 1, PassiveAltKey: 1}},
		{"with the new cookie", "", Counters{Active: 1, Passive: 1}},
		// Requirement SRV-8.
		{"after a change of keys", "00000000-00000000-00000000-00000003", Counters{ActiveFail: 1, PassiveFail: 1}},
		{"with the newest cookie", "", Counters{Active: 1, Passive: 1}},
	} {
		if c.key != "" {
			self.Sysctl(t, "net.ipv4.tcp_fastopen_key", c.key)
		}
		before, err := ReadCounters()
		if err != nil {
			t.Fatal(err)
		}
		fastClient(t, to)
		after, err := ReadCounters()
		if err != nil {
			t.Fatal(err)
		}
		c.want.ActiveOpens, c.want.PassiveOpens = 1, 1
		if got := after.Sub(before); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.why, got, c.want)
		}
	}
	// The counters are those of the thread's namespace.
	err := mustNamespace(t, dweller(t, netns.New(t, "other"))).Do(func() error {
		c, err := ReadCounters()
		if c != (Counters{}) {
			t.Errorf("a namespace in which nothing happened: %+v", c)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mustNamespace(t *testing.T, pid int) Namespace {
	t.Helper()
	n, err := NamespaceOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReadCountersErrors(t *testing.T) {
	dir := t.TempDir() + "/"
	if _, err := countersIn(dir); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "check that /proc is mounted") {
		t.Errorf("no file: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "netstat"), []byte("IpExt: A\nIpExt: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := countersIn(dir); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "table TcpExt") {
		t.Errorf("no table: got %v", err)
	}
}

func FuzzCountersRead(f *testing.F) {
	f.Add("TcpExt: TCPFastOpenActive X\nTcpExt: 7 9\n", "Tcp: PassiveOpens\nTcp: 3\n")
	f.Add("TcpExt: TCPFastOpenActive\nTcpExt: -1\n", "Tcp:\nTcp:\n")
	f.Fuzz(func(t *testing.T, netstat, snmp string) {
		var c Counters
		ok := c.read(netstat, "TcpExt") && c.read(snmp, "Tcp")
		if !ok && c.PassiveOpens != 0 {
			t.Fatalf("%q, %q: refused with %+v", netstat, snmp, c)
		}
		if c.Sub(c) != (Counters{}) {
			t.Fatalf("%+v less itself is not nothing", c)
		}
		for _, r := range c.Remarks() {
			if strings.Contains(r.Text, "%!") {
				t.Fatal(fmt.Sprint(r))
			}
		}
	})
}
