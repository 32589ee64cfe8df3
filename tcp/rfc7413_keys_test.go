package tcp

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// Requirements COOKIE-5 to COOKIE-8: the cookie in the SYN-ACK is the one that a
// Linux kernel gives for the same key and addresses, those of the packet.
func TestCookieVector(t *testing.T) {
	for _, x := range []struct{ key, client, server, cookie string }{
		{"a0bf63f7-ed803d81-cd641d30-cebc4a90", "10.77.0.1", "10.77.0.2", "d35eada8d1f156ab"},
		{"a0bf63f7-ed803d81-cd641d30-cebc4a90", "10.77.0.100", "10.77.0.50", "c9b2b27b51c6ebf2"},
		{"a0bf63f7-ed803d81-cd641d30-cebc4a90", "fd77::100", "fd77::2", "b4e8a9dbb592649d"},
	} {
		h := newHarness(t)
		var err error
		if h.keys, err = tfo.ParseKeys(x.key); err != nil {
			t.Fatal(err)
		}
		h.local = netip.AddrPortFrom(netip.MustParseAddr(x.server), 80)
		h.remote = netip.AddrPortFrom(netip.MustParseAddr(x.client), 1234)
		h.listen(10)
		h.recv(0, "S 0:0(0) win 65535 <mss 1460,fo request>")
		s, _ := h.send()
		if got := s.Options.FastOpen.Cookie.Reveal(); got != x.cookie {
			t.Errorf("cookie of %s at %s is %s, want %s", x.client, x.server, got, x.cookie)
		}
	}
}

// Requirement COOKIE-3: one cookie serves all ports.
func TestCookieAnyPort(t *testing.T) {
	h := newHarness(t)
	h.local = netip.AddrPortFrom(serverAddr.Addr(), 8443)
	h.remote = netip.AddrPortFrom(clientAddr.Addr(), 7)
	h.listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("accepted", "S. 0:0(0) ack 11")
}

// Requirements COOKIE-2, KEY-6, KEY-7 and SEC-10: a cookie lives as long as its
// key is in the ring: primary, then backup, then gone. The swap is live.
func TestCookieExpiry(t *testing.T) {
	h := newHarness(t)
	first, second, third := tfo.Key{1}, tfo.Key{2}, tfo.Key{3}
	ring := tfo.NewKeyring(tfo.NewKeys(first))
	h.lc.FastOpen.Keys = ring
	h.lc.FastOpen.MaxPending, h.lc.FastOpen.MaxPendingPerPrefix = 10, -1
	h.l = Listen(&h.cfg, h.lc, h.local)
	cookie := tfo.NewKeys(first).Mint(clientAddr.Addr(), serverAddr.Addr())
	for i, x := range []struct {
		keys tfo.Keys
		want string
	}{
		{tfo.NewKeys(first), "S. 0:0(0) ack 11 <mss 1460>"},
		{tfo.NewKeys(second, first), "S. 0:0(0) ack 11 <...>"},
		{tfo.NewKeys(third, second), "S. 0:0(0) ack 1 <...>"},
	} {
		ring.Set(x.keys)
		h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), uint16(i+1))
		h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo "+hex.EncodeToString(cookie.Append(nil))+">")
		h.want("rotation", x.want)
		if fresh := x.keys.Mint(clientAddr.Addr(), serverAddr.Addr()); i > 0 && h.last.Options.FastOpen.Cookie != fresh {
			t.Errorf("rotation %d: the fresh cookie is not of the primary key", i)
		}
	}
}

// A listener's cookies may be made by another function than those of package tfo:
// RFC 7413 section 4.1.2 leaves it to the server.
func TestCookieFunction(t *testing.T) {
	h := newHarness(t)
	h.lc.FastOpen.Cookie = func(client, server netip.Addr) tfo.Cookie {
		b := client.As4()
		c, _ := tfo.CookieFrom(append(b[:], 0xab, 0xcd))
		return c
	}
	h.lc.FastOpen.MaxPending, h.lc.FastOpen.MaxPendingPerPrefix = 10, -1
	h.l = Listen(&h.cfg, h.lc, h.local)
	right := h.lc.FastOpen.Cookie(clientAddr.Addr(), serverAddr.Addr()).Reveal()
	for i, x := range []struct{ asked, want string }{
		{"fo request", "S. 0:0(0) ack 1 <mss 1460,fo " + right + ">"},
		{"fo " + right, "S. 0:0(0) ack 11 <mss 1460>"},
		{"fo 0102030405060708", "S. 0:0(0) ack 1 <mss 1460,fo " + right + ">"},
	} {
		h.c, h.remote = nil, netip.AddrPortFrom(clientAddr.Addr(), uint16(i+1))
		h.recv(0, "S 0:10(10) win 65535 <mss 1460,"+x.asked+">")
		h.want(x.asked, x.want)
	}
}

// Requirement KEY-4: a listener's own ring is used, live, and by it alone.
func TestKEY4ListenerKeys(t *testing.T) {
	h, other := newHarness(t), newHarness(t)
	other.keys = tfo.NewKeys(tfo.Key{9})
	h.listen(10)
	other.listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("its own", "S. 0:0(0) ack 11")
	o, _ := h.cookie("good", false)
	other.recv(0, "S 0:10(10) win 65535 <mss 1460,fo "+hex.EncodeToString(o.Cookie.Append(nil))+">")
	other.want("another's", "S. 0:0(0) ack 1 <mss 1460,fo good>")
}

// Requirement KEY-5: without keys there is no cookie to give and none to accept;
// an explicit key of zeros is a key.
func TestKEY5NoKeys(t *testing.T) {
	h := newHarness(t)
	h.lc.FastOpen = FastOpenServer{MaxPending: 10}
	h.l = Listen(&h.cfg, h.lc, h.local)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("plain", "S. 0:0(0) ack 1 <mss 1460>")
	h = newHarness(t)
	h.keys = tfo.NewKeys(tfo.Key{})
	h.listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("a key like any other", "S. 0:0(0) ack 11")
}

// Requirement KEY-8: FreeBSD's form of cookie, over the client's address alone.
func TestKEY8ClientOnly(t *testing.T) {
	h := newHarness(t)
	h.keys = h.keys.ClientOnly()
	h.listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.want("accepted", "S. 0:0(0) ack 11")
	o, _ := h.cookie("good", false)
	h.c, h.local = nil, netip.MustParseAddrPort("198.51.100.99:443")
	s := h.parse("S 0:10(10) win 65535 <mss 1460>")
	s.Options.HasFastOpen, s.Options.FastOpen = true, o
	h.c = h.l.Receive(h.now, &s)
	h.want("at another address of the server too", "S. 0:0(0) ack 11")
}

// Requirement MBOX-5: the pause doubles while the path goes on to fail, and a
// success clears it.
func TestMBOX5BackOff(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.cfg.Cache.MaxAge = -1
	attempt := func(answer string) {
		h.dial(100)
		h.want("tried", "S 0:100(100) <...,fo good>")
		h.wake()
		h.want("plain", "S 0:0(0)")
		h.recv(float64(h.now.Sub(h.start))/1e6, answer)
		h.start = h.now
	}
	pause := time.Duration(0)
	for i := range 3 {
		attempt("S. 0:0(0) ack 1 win 1000 <mss 1460>")
		a := h.cfg.Cache.Lookup(h.now, h.path()).Avoid
		if d := a.Until.Sub(h.now); i > 0 && d != 2*pause {
			t.Errorf("pause %d is %v after %v", i, d, pause)
		}
		pause = a.Until.Sub(h.now)
		h.now = a.Until
		h.start = h.now
	}
	attempt("S. 0:0(0) ack 101 win 1000 <mss 1460>")
	if a := h.cfg.Cache.Lookup(h.now, h.path()).Avoid; a.Times != 0 {
		t.Errorf("after a success %+v", a)
	}
}

// Requirement MBOX-6: one path fails alone, for a while; then it is tried again.
func TestMBOX6PathRestarts(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.cfg.Cache.MaxAge = -1
	h.cfg.Cache.Failed(h.now, h.path(), tfo.Reset)
	h.dial(10)
	h.want("avoided", "S 0:0(0)")
	same := h.remote
	h.remote = netip.AddrPortFrom(same.Addr(), 80)
	h.dial(10)
	h.want("another port is another path", "S 0:10(10) <...,fo good>")
	h.remote = same
	h.now = h.now.Add(16 * time.Minute)
	h.start = h.now
	h.dial(10)
	h.want("tried again", "S 0:10(10) <...,fo good>")
}
