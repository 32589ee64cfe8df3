package wg_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link/wg"
	"github.com/fastopen-go/fastopen/tfo"
	"golang.zx2c4.com/wireguard/tun"
)

// kernelEnd makes a tunnel between a stack of ours at a4 and a6, and this process's
// kernel at b4 and b6.
func kernelEnd(t *testing.T) (a *wg.Net, b *netns.Host) {
	t.Helper()
	b = netns.Self(t)
	devB, err := tun.CreateTUN("wg0", mtu)
	if err != nil {
		t.Fatal(err)
	}
	devA, a := newNet(t, nil, a4, a6)
	tunnel(t, devA, devB)
	b.Up(t, "wg0", netip.PrefixFrom(b4, 24), netip.PrefixFrom(b6, 64))
	return a, b
}

// Our stack at one end, the kernel's at the other, which is the judge: a page by
// Fast Open, whoever asks for it, and both families.
func TestKernelHTTPFastOpen(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, b := kernelEnd(t)
	b.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	page := strings.Repeat("a page ", 10_000)

	lc := fastopen.ListenConfig{Network: a}
	ours, err := lc.Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, ours, page)
	kernels, err := (&fastopen.ListenConfig{}).Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, kernels, page)

	for _, c := range []struct {
		name    string
		d       *fastopen.Dialer
		hosts   []netip.Addr
		counter string
	}{
		{"our client", &fastopen.Dialer{Network: a, Cache: new(tfo.Cache)}, []netip.Addr{b4, b6}, "TCPFastOpenPassive"},
		{"the kernel's client", &fastopen.Dialer{Cache: new(tfo.Cache), FallbackDelay: -1}, []netip.Addr{a4, a6}, "TCPFastOpenActive"},
	} {
		before := b.Counters(t)
		for _, host := range c.hosts {
			url := "http://" + netip.AddrPortFrom(host, 80).String() + "/"
			for _, want := range []tfo.Status{tfo.CookieRequested, tfo.DataAccepted, tfo.DataAccepted} {
				if o := fetch(t, c.d, url, page); o.Status != want {
					t.Errorf("%s, %v: outcome %v, want %v", c.name, host, o, want)
				}
			}
		}
		if got := b.Counters(t).Since(before)[c.counter]; got != 4 {
			t.Errorf("%s: the kernel counts %s %d, want 4", c.name, c.counter, got)
		}
	}
}

// The bytes of a big transfer, each way, in both roles.
func TestKernelBulk(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, _ := kernelEnd(t)
	ours, err := a.ListenTCP(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	kernels, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer kernels.Close()
	portOf := func(l net.Listener) uint16 { return uint16(l.Addr().(*net.TCPAddr).Port) }
	for _, c := range []struct {
		name string
		dial func() (net.Conn, error)
		l    net.Listener
	}{
		{"our client", func() (net.Conn, error) {
			return a.DialTCPAddrPort(netip.AddrPortFrom(b4, portOf(kernels)))
		}, kernels},
		{"the kernel's client", func() (net.Conn, error) {
			return net.Dial("tcp", netip.AddrPortFrom(a6, portOf(ours)).String())
		}, ours},
	} {
		conn, err := c.dial()
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		const size = 32 << 20
		for _, ends := range [][2]net.Conn{{conn, s}, {s, conn}} {
			began := time.Now()
			transfer(t, ends[0], ends[1], size)
			t.Logf("%s: %.2f Gbit/s", c.name, size*8/time.Since(began).Seconds()/1e9)
		}
		conn.Close()
		s.Close()
	}
}
