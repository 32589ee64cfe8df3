package wg_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/link/wg"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/nettest"
)

// The methods that people use, as golang.zx2c4.com/wireguard/tun/netstack has
// them, but for the types of what they return.
var _ interface {
	Dial(network, address string) (net.Conn, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	DialContextTCP(ctx context.Context, addr *net.TCPAddr) (*stack.Conn, error)
	DialContextTCPAddrPort(ctx context.Context, addr netip.AddrPort) (*stack.Conn, error)
	DialTCP(addr *net.TCPAddr) (*stack.Conn, error)
	DialTCPAddrPort(addr netip.AddrPort) (*stack.Conn, error)
	ListenTCP(addr *net.TCPAddr) (*stack.Listener, error)
	ListenTCPAddrPort(addr netip.AddrPort) (*stack.Listener, error)
	DialUDP(laddr, raddr *net.UDPAddr) (*stack.UDPConn, error)
	DialUDPAddrPort(laddr, raddr netip.AddrPort) (*stack.UDPConn, error)
	ListenUDP(laddr *net.UDPAddr) (*stack.UDPConn, error)
	ListenUDPAddrPort(laddr netip.AddrPort) (*stack.UDPConn, error)
	DialPing(laddr, raddr *wg.PingAddr) (*wg.PingConn, error)
	DialPingAddr(laddr, raddr netip.Addr) (*wg.PingConn, error)
	ListenPing(laddr *wg.PingAddr) (*wg.PingConn, error)
	ListenPingAddr(laddr netip.Addr) (*wg.PingConn, error)
	LookupHost(host string) (addrs []string, err error)
	LookupContextHost(ctx context.Context, host string) ([]string, error)
	fastopen.Network
} = (*wg.Net)(nil)

// fetch gets a page once, on a connection of its own, and says what came of Fast
// Open.
func fetch(t testing.TB, d *fastopen.Dialer, url, want string) (o tfo.Outcome) {
	t.Helper()
	var c *fastopen.Conn
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err == nil {
			c = conn.(*fastopen.Conn)
		}
		return conn, err
	}}
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != want {
		t.Fatalf("%s: %d bytes, %v, want %d", url, len(body), err, len(want))
	}
	return c.Outcome()
}

// serve answers every request with a page.
func serve(t testing.TB, l net.Listener, page string) {
	t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, page) })}
	var work sync.WaitGroup
	work.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		server.Close()
		work.Wait()
	})
}

// A page through the tunnel: the first visit asks for a cookie, the next has its
// request in the SYN.
func TestHTTPFastOpen(t *testing.T) {
	a, b := newPair(t)
	page := strings.Repeat("a page ", 10_000)
	lc := fastopen.ListenConfig{Network: b}
	l, err := lc.Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, page)
	d := &fastopen.Dialer{Network: a, Cache: new(tfo.Cache)}
	for _, host := range []string{b4.String(), "[" + b6.String() + "]"} {
		for _, want := range []tfo.Status{tfo.CookieRequested, tfo.DataAccepted, tfo.DataAccepted} {
			if o := fetch(t, d, "http://"+host+"/", page); o.Status != want {
				t.Errorf("%s: outcome %v, want %v", host, o, want)
			}
		}
	}
}

// transfer sends n random bytes over c, which s receives, and compares.
func transfer(t testing.TB, c, s net.Conn, n int64) {
	t.Helper()
	end := time.Now().Add(50 * time.Second)
	c.SetDeadline(end)
	s.SetDeadline(end)
	sent, got := sha256.New(), sha256.New()
	var work sync.WaitGroup
	work.Go(func() {
		source := rand.NewChaCha8([32]byte{7})
		if _, err := io.CopyN(io.MultiWriter(c, sent), source, n); err != nil {
			t.Error(err)
		}
	})
	if k, err := io.CopyN(got, s, n); err != nil {
		t.Errorf("%d bytes of %d arrived: %v", k, n, err)
	}
	work.Wait()
	if string(sent.Sum(nil)) != string(got.Sum(nil)) {
		t.Error("other bytes arrived than were sent")
	}
}

func TestBulk(t *testing.T) {
	a, b := newPair(t)
	l, err := b.ListenTCP(&net.TCPAddr{Port: 99})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, addr := range []netip.Addr{b4, b6} {
		c, err := a.DialTCPAddrPort(netip.AddrPortFrom(addr, 99))
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		const size = 64 << 20
		began := time.Now()
		transfer(t, c, s, size)
		transfer(t, s, c, size)
		t.Logf("%v: %.2f Gbit/s", addr, 2*size*8/time.Since(began).Seconds()/1e9)
		c.Close()
		s.Close()
	}
}

func TestConn(t *testing.T) {
	a, b := newPair(t)
	l, err := b.ListenTCPAddrPort(netip.AddrPortFrom(b4, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		if c1, err = a.Dial("tcp", l.Addr().String()); err != nil {
			return nil, nil, nil, err
		}
		if c2, err = l.Accept(); err != nil {
			return nil, nil, nil, err
		}
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}

// Names are looked up through the tunnel, at a server there.
func TestLookup(t *testing.T) {
	a, b := newPair(t)
	u, err := b.ListenUDP(&net.UDPAddr{IP: b4.AsSlice(), Port: 53})
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() { answer(u) })
	defer func() {
		u.Close()
		work.Wait()
	}()
	addrs, err := a.LookupHost("there.test")
	if err != nil || fmt.Sprint(addrs) != "[192.168.4.2]" {
		t.Errorf("LookupHost: %v, %v", addrs, err)
	}
	var noHost *net.DNSError
	if _, err := a.LookupHost("elsewhere.test"); !errors.As(err, &noHost) || !noHost.IsNotFound {
		t.Errorf("LookupHost of what there is not: %v", err)
	}
	l, err := b.ListenTCP(&net.TCPAddr{Port: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := a.Dial("tcp", "there.test:80")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	p, err := a.Dial("ping", "there.test")
	if err != nil || p.RemoteAddr().String() != b4.String() {
		t.Fatal(p, err)
	}
	p.Close()
}

// answer is a name server for there.test.
func answer(u net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := u.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		m.Response, m.Additionals = true, nil
		switch {
		case q.Name.String() != "there.test.":
			m.RCode = dnsmessage.RCodeNameError
		case q.Type == dnsmessage.TypeA:
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: b4.As4()},
			}}
		}
		if b, err := m.Pack(); err == nil {
			u.WriteTo(b, from)
		}
	}
}

func TestUDP(t *testing.T) {
	a, b := newPair(t)
	for _, addr := range []netip.Addr{b4, b6} {
		s, err := b.ListenUDPAddrPort(netip.AddrPortFrom(addr, 0))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c, err := a.DialUDP(nil, s.LocalAddr().(*net.UDPAddr))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		message := strings.Repeat("x", 4000) // in fragments
		buf := make([]byte, 5000)
		s.SetDeadline(time.Now().Add(10 * time.Second))
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Write([]byte(message)); err != nil {
			t.Fatal(err)
		}
		n, from, err := s.ReadFrom(buf)
		if err != nil || string(buf[:n]) != message {
			t.Fatalf("%v: %d bytes, %v", addr, n, err)
		}
		s.WriteTo([]byte("yes"), from)
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "yes" {
			t.Errorf("%v: %q, %v", addr, buf[:n], err)
		}
	}
	if _, err := a.DialUDPAddrPort(netip.AddrPortFrom(b4, 9), netip.AddrPortFrom(b4, 9)); err == nil {
		t.Error("a socket has an address that is another's")
	}
}

func TestErrors(t *testing.T) {
	a, b := newPair(t)
	if _, err := a.Dial("tcp", b4.String()+":1"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a port where nobody listens: %v", err)
	}
	if _, err := a.Dial("ipx", "x"); err == nil {
		t.Error("an unknown network was dialed")
	}
	for _, err := range []error{second(a.DialTCP(nil)), second(a.DialContextTCP(t.Context(), nil))} {
		if err == nil {
			t.Error("nowhere was dialed")
		}
	}
	l, err := b.ListenTCP(nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := b.ListenTCPAddrPort(netip.AddrPortFrom(a4, 0)); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("listening on the other's address: %v", err)
	}
	for _, c := range []struct {
		addrs []netip.Addr
		mtu   int
	}{{[]netip.Addr{a4}, 575}, {[]netip.Addr{a4, a6}, 1279}, {[]netip.Addr{{}}, 1420}, {nil, 65536}, {[]netip.Addr{netip.IPv4Unspecified()}, 1420}} {
		if dev, _, err := wg.CreateNetTUN(c.addrs, nil, c.mtu); err == nil {
			dev.Close()
			t.Errorf("%v, MTU %d: no error", c.addrs, c.mtu)
		} else {
			t.Log(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Closing the device ends everything that stands on it.
func TestClose(t *testing.T) {
	dev, n := newNet(t, nil, a4)
	if name, err := dev.Name(); name != "go" || err != nil || dev.File() != nil || dev.BatchSize() < 1 {
		t.Errorf("Name: %q, %v", name, err)
	}
	if got, err := dev.MTU(); got != mtu || err != nil {
		t.Errorf("MTU: %d, %v", got, err)
	}
	l, err := n.ListenTCP(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := n.ListenPingAddr(a4)
	if err != nil {
		t.Fatal(err)
	}
	u, err := n.ListenUDP(nil)
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	buf := make([]byte, 100)
	go func() { errs <- second(l.Accept()) }()
	go func() { errs <- second(p.Read(make([]byte, 100))) }()
	go func() { errs <- second(u.Read(buf)) }()
	go func() {
		bufs, sizes := [][]byte{make([]byte, 2000)}, []int{0}
		errs <- second(dev.Read(bufs, sizes, 16))
	}()
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
	for range 4 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	}
	for e := range dev.Events() { // ends, for the channel is closed
		t.Logf("event %d", e)
	}
	if err := dev.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	if _, err := n.ListenPingAddr(a4); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a ping socket after Close: %v", err)
	}
}
