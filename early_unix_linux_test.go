package fastopen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tfo"
)

// sendto connects with data as FreeBSD's sendto and macOS's connectx do,
// except that Linux takes data only if it holds a cookie.
func sendto(fd uintptr, remote netip.AddrPort, data []byte) (int, error) {
	var sa unix.Sockaddr = &unix.SockaddrInet6{Port: int(remote.Port()), Addr: remote.Addr().As16()}
	if remote.Addr().Is4() {
		sa = &unix.SockaddrInet4{Port: int(remote.Port()), Addr: remote.Addr().As4()}
	}
	n, err := unix.SendmsgN(int(fd), data, nil, sa, unix.MSG_FASTOPEN)
	if err == unix.EINPROGRESS {
		return 0, nil
	}
	return n, os.NewSyscallError("connect", err)
}

// connecting dials remote by dialConnecting with Linux's call. Its Control
// puts down what it was called with.
func connecting(ctx context.Context, local net.Addr, remote netip.AddrPort, early string, asked bool) (c *Conn, called []string, err error) {
	to := candidate{text: remote.String(), remote: remote}
	d := &dialing{
		Dialer:     &Dialer{LocalAddr: local, Cache: new(tfo.Cache)},
		network:    "tcp",
		early:      []byte(early),
		candidates: []candidate{to},
	}
	a := attempt{asked: asked, rest: d.early}
	bind, ok := d.source(remote.Addr())
	if !ok {
		return nil, nil, errors.New("no local address")
	}
	nd := d.plain(func(_ context.Context, network, address string, _ syscall.RawConn) error {
		called = append(called, network, address)
		return nil
	})
	conn, err := d.dialConnecting(ctx, nd, &a, to, bind, sendto)
	if err != nil {
		return nil, called, err
	}
	a.tc = &socket{newDialed(conn.(*net.TCPConn), &a)}
	c, err = d.newConn(ctx, a)
	return c, called, err
}

// TestDialConnecting shows that package net carries on with a socket that
// was connected in Control: over loopback, where the handshake is done by
// then, and over a path on which it takes some time; and that it reports
// failures, and gives up, as for a connect of its own.
func TestDialConnecting(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	for _, h := range []*netns.Host{client, server} {
		h.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	}
	netns.Path(t, client, server, sim.NewPath(1, sim.Delay(2*time.Millisecond)))
	for _, host := range []struct {
		h            *netns.Host
		local, other string
	}{
		{client, "127.0.0.1", "127.0.0.1:0"},
		{client, "::1", "[::1]:0"},
		{server, "10.77.0.1", "10.77.0.2:0"},
		{server, "fd77::1", "[fd77::2]:0"},
	} {
		var l *Listener
		var err error
		host.h.Do(func() { l, err = Listen("tcp", host.other) })
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		remote := l.Addr().(*net.TCPAddr).AddrPort()
		local := &net.TCPAddr{IP: net.ParseIP(host.local)}

		first, _, err := connecting(t.Context(), nil, remote, "question", true)
		exchange(t, l, first, err, "question", tfo.CookieRequested)

		second, called, err := connecting(t.Context(), local, remote, "question", true)
		exchange(t, l, second, err, "question", tfo.DataAccepted)
		network := "tcp6"
		if remote.Addr().Is4() {
			network = "tcp4"
		}
		if len(called) != 2 || called[0] != network || called[1] != remote.String() {
			t.Errorf("Control was called with %q, want once with %s, %v", called, network, remote)
		}

		long := string(make([]byte, 100_000))
		third, _, err := connecting(t.Context(), local, remote, long, true)
		exchange(t, l, third, err, long, tfo.DataAccepted)

		fourth, _, err := connecting(t.Context(), local, remote, "question", false)
		exchange(t, l, fourth, err, "question", tfo.Off)

		l.Close()
		_, _, err = connecting(t.Context(), local, remote, "question", true)
		wantDialError(t, err, local, remote, syscall.ECONNREFUSED)
	}

	nobody := netip.MustParseAddrPort("10.77.0.2:9")
	silent := netip.MustParseAddrPort("10.77.0.99:9")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := connecting(ctx, nil, silent, "question", true)
	if e, ok := err.(net.Error); !ok || !e.Timeout() {
		t.Errorf("no answer: got %v, want a timeout", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, _, err := connecting(ctx, nil, nobody, "question", true); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
	taken := &net.TCPAddr{IP: net.ParseIP("192.0.2.9")}
	_, _, err = connecting(t.Context(), taken, nobody, "question", true)
	wantDialError(t, err, taken, nobody, syscall.EADDRNOTAVAIL)
}

// exchange accepts the other end of c, and wants it to read early and c to
// have the outcome.
func exchange(t *testing.T, l *Listener, c *Conn, err error, early string, want tfo.Status) {
	t.Helper()
	if err != nil {
		t.Fatalf("to %v: %v", l.Addr(), err)
	}
	defer c.Close()
	if o := c.Outcome(); o.Status != want || o.Sent > 0 != (want == tfo.DataAccepted) {
		t.Errorf("to %v: got %v, want status %v", l.Addr(), o, want)
	}
	other, err := l.AcceptConn()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(other)
	if err != nil || string(got) != early {
		t.Errorf("to %v: %d bytes arrived (%v), want %d", l.Addr(), len(got), err, len(early))
	}
	if c.LocalAddr().String() != other.RemoteAddr().String() {
		t.Errorf("to %v: the ends disagree: %v and %v", l.Addr(), c.LocalAddr(), other.RemoteAddr())
	}
}

func wantDialError(t *testing.T, err error, local net.Addr, remote netip.AddrPort, errno syscall.Errno) {
	t.Helper()
	e, ok := err.(*net.OpError)
	if !ok || e.Op != "dial" || e.Net != "tcp" || e.Source != local || e.Addr.String() != remote.String() || !errors.Is(err, errno) {
		t.Errorf("from %v to %v: got %#v (%v), want a dial error with both addresses and %v", local, remote, err, err, errno)
	}
}
