package fastopen

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/sockopt"
	"github.com/fastopen-go/fastopen/tfo"
)

func TestSource(t *testing.T) {
	for _, c := range []struct {
		local  net.Addr
		remote string
		want   string // "" for nothing to bind to
		ok     bool
	}{
		{nil, "192.0.2.1", "", true},
		{nil, "2001:db8::1", "", true},
		{nil, "", "", false}, // of the local system, by package net's rules
		{&net.TCPAddr{IP: net.ParseIP("192.0.2.9"), Port: 7}, "192.0.2.1", "192.0.2.9:7", true},
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 9).To4()}, "192.0.2.1", "192.0.2.9:0", true},
		{&net.TCPAddr{IP: net.ParseIP("192.0.2.9")}, "2001:db8::1", "", false},
		{&net.TCPAddr{IP: net.ParseIP("2001:db8::9")}, "192.0.2.1", "", false},
		{&net.TCPAddr{IP: net.ParseIP("fe80::9"), Zone: "em0"}, "fe80::1", "[fe80::9%em0]:0", true},
		{&net.TCPAddr{Port: 7}, "192.0.2.1", "0.0.0.0:7", true},
		{&net.TCPAddr{Port: 7}, "2001:db8::1", "[::]:7", true},
		{&net.TCPAddr{IP: net.IPv6unspecified, Port: 7}, "192.0.2.1", "0.0.0.0:7", true},
		{&net.TCPAddr{IP: net.IPv4zero, Port: 7}, "2001:db8::1", "[::]:7", true},
		{&net.UDPAddr{Port: 7}, "192.0.2.1", "", false},
		{(*net.TCPAddr)(nil), "192.0.2.1", "", false},
	} {
		d := Dialer{LocalAddr: c.local}
		var remote netip.Addr
		if c.remote != "" {
			remote = netip.MustParseAddr(c.remote)
		}
		got, ok := d.source(remote)
		if ok != c.ok || ok && (got.IsValid() != (c.want != "") || got.IsValid() && got.String() != c.want) {
			t.Errorf("from %v to %q: got %v, %t, want %q, %t", c.local, c.remote, got, ok, c.want, c.ok)
		}
	}
}

func TestConnectsEarly(t *testing.T) {
	here := candidate{text: ":80"}
	there := candidate{text: "192.0.2.1:80", remote: netip.MustParseAddrPort("192.0.2.1:80")}
	for _, c := range []struct {
		name  string
		early []byte
		asked bool
		to    candidate
		want  bool
	}{
		{"data at hand", []byte("x"), true, there, true},
		{"none", nil, true, there, false},
		{"empty", []byte{}, true, there, false},
		{"beside another attempt", []byte("x"), false, there, false},
		{"to no address", []byte("x"), true, here, false},
	} {
		a := attempt{asked: c.asked}
		_, got := (&dialing{Dialer: &Dialer{}, early: c.early}).connectsEarly(&a, c.to)
		if got != c.want || a.asked != c.want || (a.out.Cause == tfo.Unsupported) != (c.asked && !c.want) {
			t.Errorf("%s: %t, speaks of Fast Open %t, %v", c.name, got, a.asked, a.out.Cause)
		}
	}
}

// TestTook follows what a system may tell after it took early data along
// with the connect call, up to the Outcome and what is remembered of the
// path.
func TestTook(t *testing.T) {
	early := []byte("0123456789")
	for _, c := range []struct {
		name    string
		n       int
		info    sockopt.Info
		status  tfo.Status
		cause   tfo.Cause
		sent    int
		pathBad bool
	}{
		{"accepted", 10, sockopt.Info{SynData: true}, tfo.DataAccepted, tfo.NoCause, 10, false},
		{"accepted, as far as they fitted", 7, sockopt.Info{SynData: true}, tfo.DataAccepted, tfo.NoCause, 7, false},
		{"the server did not take them", 10, sockopt.Info{Failure: sockopt.NotAcked}, tfo.FellBack, tfo.Unacknowledged, 10, false},
		{"the SYN was lost", 10, sockopt.Info{Failure: sockopt.SynRetransmits, Retrans: 1}, tfo.FellBack, tfo.Lost, 10, true},
		{"no cookie at hand", 10, sockopt.Info{Failure: sockopt.NoCookie}, tfo.CookieRequested, tfo.NoCause, 0, false},
		{"a lost request for one", 10, sockopt.Info{Failure: sockopt.NoCookie, Retrans: 1}, tfo.CookieRequested, tfo.NoCause, 0, true},
		{"the kernel's pause", 10, sockopt.Info{}, tfo.Off, tfo.Paused, 0, false},
		{"too much for a SYN", 10, sockopt.Info{Failure: sockopt.NoRoom}, tfo.Off, tfo.NoRoom, 0, false},
		{"it is not told", 10, sockopt.Info{Failure: sockopt.Untold}, tfo.DataSent, tfo.Untold, 10, false},
		{"it is not told, but a SYN was lost", 10, sockopt.Info{Failure: sockopt.Untold, Retrans: 1}, tfo.DataSent, tfo.Untold, 10, true},
		{"it is not told, and the option is set on the socket", 10, sockopt.Info{Failure: sockopt.Untold, Child: true, SynData: true}, tfo.DataSent, tfo.Untold, 10, false},
	} {
		a := attempt{asked: true}
		a.took(c.n, early, c.info)
		if got, want := string(a.rest), string(early[c.n:]); got != want {
			t.Errorf("%s: left to be written %q, want %q", c.name, got, want)
		}
		d := &dialed{
			cache: new(tfo.Cache),
			path:  tfo.Path{Remote: netip.MustParseAddrPort("192.0.2.1:443")},
			out:   a.out, asked: true, begun: true,
		}
		conn := &sysConn{start: a.out, asked: true}
		conn.sent.Store(int32(a.out.Sent))
		d.judge(conn.tell(c.info))
		o := d.out
		if !d.settled || o.Status != c.status || o.Cause != c.cause || o.Sent != c.sent || o.Wanted != len(early) {
			t.Errorf("%s: got %v (settled %t), want %v, %v with %d bytes", c.name, o, d.settled, c.status, c.cause, c.sent)
		}
		now := time.Now()
		if got := d.cache.Lookup(now, d.path).Avoid.Active(now); got != c.pathBad {
			t.Errorf("%s: the path is avoided: %t, want %t", c.name, got, c.pathBad)
		}
		if o.Saved() != (c.status == tfo.DataAccepted && c.sent == len(early)) {
			t.Errorf("%s: saved %t: %v", c.name, o.Saved(), o)
		}
	}
}
