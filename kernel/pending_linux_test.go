package kernel

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
)

// Connections are pending from their SYN to the end of their handshake, over
// both families, accepted or not, and plain ones never are.
func TestPending(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	var hold atomic.Bool // what the client sends after its SYN
	netns.Path(t, client, server, sim.NewPath(1,
		sim.Drop(func(s sim.Seen) bool { return hold.Load() && s.Dir == sim.AtoB && !s.SYN }), sim.Delay(2*time.Millisecond)))
	server.Sysctl(t, Name, "3")
	var l net.Listener
	var err error
	server.Do(func() { l, err = (&fastopen.ListenConfig{}).Listen(t.Context(), "tcp", ":0") })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	want := func(why string, n4, n6 int) {
		t.Helper()
		var pending map[netip.AddrPort]int
		var listeners []Listener
		server.Do(func() {
			if pending, err = Pending(); err == nil {
				listeners, err = Listeners()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := pending[netip.AddrPortFrom(netns.B4, port)], pending[netip.AddrPortFrom(netns.B6, port)]; a != n4 || b != n6 || len(pending) > 2 {
			t.Errorf("%s: got %v, want %d and %d", why, pending, n4, n6)
		}
		if got := fmt.Sprint(PendingOf(listeners, pending)); got != fmt.Sprintf("[%d]", n4+n6) {
			t.Errorf("%s: listener has %s, want %d", why, got, n4+n6)
		}
	}
	dial := func(addr netip.Addr, data string) (fd int) {
		t.Helper()
		family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: addr.As16(), Port: int(port)})
		if addr.Is4() {
			family, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: addr.As4(), Port: int(port)}
		}
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Sendto(fd, []byte(data), unix.MSG_FASTOPEN, sa); err != nil {
			t.Fatal(err)
		}
		return fd
	}
	want("at first", 0, 0)
	for _, addr := range []netip.Addr{netns.B4, netns.B6} { // for the cookies
		dial(addr, "x")
		(<-accepted).Close()
	}
	want("after plain connections", 0, 0)
	hold.Store(true)
	dial(netns.B4, "x")
	c4 := <-accepted
	want("an IPv4 connection", 1, 0)
	dial(netns.B6, "x")
	c6 := <-accepted
	want("and an IPv6 one", 1, 1)
	plain, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(plain)
	if err := unix.Connect(plain, &unix.SockaddrInet4{Addr: netns.B4.As4(), Port: int(port)}); err != nil {
		t.Fatal(err)
	}
	want("and a plain one that is not done, either", 1, 1)
	hold.Store(false)
	// The server asks again within seconds, and what it sends may end the
	// handshake before.
	for _, c := range []net.Conn{c4, c6} {
		c.Write([]byte("y"))
		if err := c.(*fastopen.Conn).Confirmed(t.Context()); err != nil {
			t.Fatal(err)
		}
		io.CopyN(io.Discard, c, 1)
		c.Close()
	}
	want("after their handshakes", 0, 0)
}

func FuzzParsePending(f *testing.F) {
	f.Add(make([]byte, diagMessageLen))
	whole := append(make([]byte, diagMessageLen), 8, 0, diagInfo, 0, 1, 2, 3, 4)
	whole[0], whole[1] = unix.AF_INET6, stateSynRecv
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		if at, ok := parsePending(b); ok && !at.IsValid() {
			t.Fatalf("%x: got %v", b, at)
		}
	})
}

func BenchmarkPending(b *testing.B) {
	for b.Loop() {
		if _, err := Pending(); err != nil {
			b.Fatal(err)
		}
	}
}
