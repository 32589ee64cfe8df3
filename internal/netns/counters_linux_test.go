package netns

import (
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
	port           int
}

func newFastPair(t *testing.T) fastPair {
	t.Helper()
	n := fastPair{client: Self(t), server: New(t, "server")}
	Veth(t, n.client, n.server)
	n.client.Sysctl(t, "net.ipv4.tcp_fastopen", "1")
	n.server.Sysctl(t, "net.ipv4.tcp_fastopen", "2")
	n.port = fastListen(t, n.server)
	return n
}

func (n fastPair) dial(t *testing.T, which string, used, requested uint64) {
	t.Helper()
	c, s := n.client.Counters(t), n.server.Counters(t)
	fastDial(t, n.port)
	c, s = n.client.Counters(t).Since(c), n.server.Counters(t).Since(s)
	if c["TCPFastOpenActive"] != used || s["TCPFastOpenPassive"] != used || s["TCPFastOpenCookieReqd"] != requested {
		t.Fatalf("%s connection: client %v, server %v, want %d of TCPFastOpenActive and TCPFastOpenPassive and %d of TCPFastOpenCookieReqd",
			which, c, s, used, requested)
	}
}

func fastListen(t *testing.T, h *Host) (port int) {
	t.Helper()
	var fd int
	var err error
	h.Do(func() { fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0) })
	if err == nil {
		t.Cleanup(func() { unix.Close(fd) })
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: B4.As4()})
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, 16)
	}
	if err == nil {
		err = unix.Listen(fd, 16)
	}
	if err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return sa.(*unix.SockaddrInet4).Port
}

// fastDial connects with data and waits for the answer.
func fastDial(t *testing.T, port int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, []byte("hello"), unix.MSG_FASTOPEN, &unix.SockaddrInet4{Addr: B4.As4(), Port: port}); err != nil {
		t.Fatal(err)
	}
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	if _, err := unix.Poll(p, 5000); err != nil || p[0].Revents&unix.POLLOUT == 0 {
		t.Fatalf("waiting for the connection: %v, events %#x", err, p[0].Revents)
	}
}

func TestParseCounters(t *testing.T) {
	const text = "TcpExt: A B C\nTcpExt: 1 -1 18446744073709551615\nIpExt: X\nIpExt: 7\n"
	c, ok := parseCounters(text, "TcpExt:")
	if !ok || c["A"] != 1 || c["B"] != 1<<64-1 || c["C"] != 1<<64-1 || c["X"] != 0 || len(c) != 3 {
		t.Fatalf("%v %v", c, ok)
	}
	for _, bad := range []string{"", "TcpExt:", "TcpExt: A\n", "TcpExt: A\nTcpExt:\n", "TcpExt: A\nTcpExt: x\n"} {
		if c, ok := parseCounters(bad, "TcpExt:"); ok {
			t.Errorf("%q accepted as %v", bad, c)
		}
	}
}

func FuzzParseCounters(f *testing.F) {
	f.Add("TcpExt: A B\nTcpExt: 1 2\n")
	f.Add("TcpExt: A A\nTcpExt: -1 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := parseCounters(text, "TcpExt:")
		if !ok && c != nil {
			t.Fatalf("%q refused with values %v", text, c)
		}
	})
}
