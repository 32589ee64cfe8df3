package netns

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A Fast Open connection is counted on the host that made it, and a flush of
// the TCP metrics forgets its cookie (requirement CLI-1: the cookie is what
// makes the difference between a request and data in the SYN).
func TestCountersAndFlush(t *testing.T) {
	if Isolate(t) {
		return
	}
	client, server := Self(t), New(t, "server")
	Veth(t, client, server)
	client.Sysctl(t, "net.ipv4.tcp_fastopen", "1")
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "2")
	port := fastListen(t, server)
	for i, want := range []struct {
		flush           bool
		active, request uint64
	}{{false, 0, 1}, {false, 1, 0}, {false, 1, 0}, {true, 0, 1}, {false, 1, 0}} {
		if want.flush {
			client.FlushTCPMetrics(t)
		}
		c, s := client.Counters(t), server.Counters(t)
		fastDial(t, port)
		c, s = client.Counters(t).Since(c), server.Counters(t).Since(s)
		if c["TCPFastOpenActive"] != want.active || s["TCPFastOpenPassive"] != want.active || s["TCPFastOpenCookieReqd"] != want.request {
			t.Fatalf("connection %d: client %v, server %v, want %d of TCPFastOpenActive and TCPFastOpenPassive and %d of TCPFastOpenCookieReqd",
				i, c, s, want.active, want.request)
		}
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
