package netns

import (
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Every Fast Open connection is counted on both of its hosts.
func TestCounters(t *testing.T) {
	if Isolate(t) {
		return
	}
	n := newFastPair(t)
	n.dial(t, "first", 0, 1)
	n.dial(t, "second", 1, 0)
	n.dial(t, "third", 1, 0)
}

// A flush of the TCP metrics forgets the cookie, which is what makes the
// difference between asking for one and sending data in the SYN.
func TestFlushTCPMetrics(t *testing.T) {
	if Isolate(t) {
		return
	}
	n := newFastPair(t)
	n.dial(t, "first", 0, 1)
	n.dial(t, "second", 1, 0)
	n.client.FlushTCPMetrics(t)
	n.dial(t, "after the flush", 0, 1)
	n.dial(t, "next", 1, 0)
}

type fastPair struct {
	client, server *Host
	port           uint16
}

func newFastPair(t *testing.T) fastPair {
	t.Helper()
	n := fastPair{client: Self(t), server: New(t, "server")}
	Veth(t, n.client, n.server)
	n.port = fastEcho(t, n.client, n.server)
	return n
}

func (n fastPair) dial(t *testing.T, which string, used, requested uint64) {
	t.Helper()
	c, s := n.client.Counters(t), n.server.Counters(t)
	if err := fastDial(t, netip.AddrPortFrom(B4, n.port)); err != nil {
		t.Fatal(err)
	}
	c, s = n.client.Counters(t).Since(c), n.server.Counters(t).Since(s)
	if c["TCPFastOpenActive"] != used || s["TCPFastOpenPassive"] != used || s["TCPFastOpenCookieReqd"] != requested || s["PassiveOpens"] != 1 {
		t.Fatalf("%s connection: client %v, server %v, want %d of TCPFastOpenActive and TCPFastOpenPassive, %d of TCPFastOpenCookieReqd and 1 of PassiveOpens",
			which, c, s, used, requested)
	}
}

// fastEcho enables Fast Open on both hosts and starts a server that sends back
// what it gets, over IPv4 and IPv6.
func fastEcho(t *testing.T, client, server *Host) (port uint16) {
	t.Helper()
	client.Sysctl(t, "net.ipv4.tcp_fastopen", "1")
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "2")
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if cerr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN, 16)
		}); cerr != nil {
			return cerr
		}
		return err
	}}
	lc.SetMultipathTCP(false)
	var l net.Listener
	var err error
	server.Do(func() { l, err = lc.Listen(t.Context(), "tcp", ":0") })
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
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// fastDial connects with five bytes of data, in the SYN if the kernel has a
// cookie, and waits for them to come back.
func fastDial(t *testing.T, to netip.AddrPort) error {
	t.Helper()
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())})
	if to.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	limit := unix.Timeval{Sec: 20}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Sendto(fd, []byte("hello"), unix.MSG_FASTOPEN, sa); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	var b [5]byte
	if n, err := unix.Read(fd, b[:]); err != nil {
		return os.NewSyscallError("read", err)
	} else if string(b[:n]) != "hello" {
		t.Fatalf("read %q, want what was sent", b[:n])
	}
	return nil
}
