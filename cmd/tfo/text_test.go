package main

import (
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/fastopen-go/fastopen/tfo"
)

func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"", "plain", "\x1b[31m", "a\nb", "\u009b", "\u202e", "\xff", "ü 漢"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q: got %q, in which %U is not printable", s, got, r)
			}
		}
		if strings.IndexFunc(s, unprintable) < 0 && got != s {
			t.Fatalf("%q was changed to %q", s, got)
		}
	})
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"http://h/", "h", "h:80/x?y#z", "https://[::1]:443", "http://", "://", "ftp://x", "http://u:p@h/", "http://h:99999", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseURL(s)
		if err != nil {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Path == "" {
			t.Fatalf("%q: got %#v", s, u)
		}
		if _, err := (&recipe{method: "GET"}).request(t.Context(), u); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if name, err := fileName(u); err == nil && (strings.ContainsAny(name, `/\`) || name == "." || name == "..") {
			t.Fatalf("%q: -O would write to %q", s, name)
		}
	})
}

func FuzzSeconds(f *testing.F) {
	for _, s := range []string{"1", "0.5", "300ms", "-1", "NaN", "inf", "1e300", "", "0x1p3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s seconds
		if err := s.Set(text); err == nil && s < 0 {
			t.Fatalf("%q: got %v", text, s)
		}
	})
}

func TestFileName(t *testing.T) {
	for text, want := range map[string]string{
		"http://h/a.txt": "a.txt", "http://h/a/b.txt?q": "b.txt", "http://h/a%20b": "a b",
		"http://h/": "", "http://h/a/": "", "http://h/..": "", "http://h/%2e%2e": "", "http://h/a%2f..": "", "http://h/a%5cb": "", "http://h/a%0ab": "",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fileName(u)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.000", 1234 * time.Nanosecond: "0.001", 999 * time.Microsecond: "0.999", 1500 * time.Microsecond: "1.50",
		100340 * time.Microsecond: "100.3", -1500 * time.Microsecond: "-1.50", 3 * time.Second: "3000.0",
	} {
		if got := millis(d); got != want {
			t.Errorf("millis(%v): got %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 9999: "9999 bytes", 12345: "12.3 kB", 2345678: "2.3 MB", 5e9: "5.0 GB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d): got %s, want %s", n, got, want)
		}
	}
}

// The comparison claims what it measured and no more.
func TestComparison(t *testing.T) {
	exchanges := func(o tfo.Outcome, firstBytes ...int) (list []*exchange) {
		for _, ms := range firstBytes {
			d := time.Duration(ms) * time.Millisecond
			list = append(list, &exchange{outcome: o, firstByte: d, total: d + time.Millisecond})
		}
		return list
	}
	rtt := 100 * time.Millisecond
	accepted := tfo.Outcome{Status: tfo.DataAccepted, Sent: 80, Wanted: 80, RTT: rtt}
	part := tfo.Outcome{Status: tfo.DataAccepted, Sent: 80, Wanted: 90, RTT: rtt}
	off := tfo.Outcome{RTT: rtt}
	near := tfo.Outcome{RTT: 30 * time.Microsecond}
	for _, c := range []struct {
		why         string
		fast, plain []*exchange
		saved       time.Duration
		want        string
	}{
		{"accepted", exchanges(accepted, 101, 103, 102), exchanges(off, 203, 201, 202), rtt,
			"Fast Open saved 100.0 ms to the first byte, 1.00 of a round trip of 100.0 ms; it worked on 3 of 3 connections."},
		{"even number", exchanges(accepted, 100, 110), exchanges(off, 200, 204), 97 * time.Millisecond, "0.97 of a round trip"},
		{"once of twice", append(exchanges(accepted, 100), exchanges(off, 200)...), exchanges(off, 200, 200), 50 * time.Millisecond, "it worked on 1 of 2 connections"},
		{"a part", exchanges(part, 200), exchanges(off, 210), 10 * time.Millisecond, "Fast Open saved nothing.\nThe server accepted the 80 bytes"},
		{"not accepted", exchanges(off, 150), exchanges(off, 200), 50 * time.Millisecond, "difference"},
		{"slower", exchanges(accepted, 220), exchanges(off, 200), -20 * time.Millisecond, "more than what it saved"},
		{"near", exchanges(accepted, 1), exchanges(near, 2), time.Millisecond, "next to nothing to save"},
	} {
		cmp := newComparison("http://h/", c.fast, c.plain)
		if got := cmp.text(false); cmp.savedFirstByte != c.saved || !strings.Contains(got, c.want) {
			t.Errorf("%s: saved %v, want %v; text without %q:\n%s", c.why, cmp.savedFirstByte, c.saved, c.want, got)
		}
	}
}

func FuzzMoment(f *testing.F) {
	for _, s := range []string{"2026-12-31T23:59:00Z", "1700000000", "-1", "yesterday", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var m moment
		if err := m.Set(text); (err == nil) != m.set {
			t.Fatalf("%q: got %v, %v", text, m, err)
		}
	})
}

// What Go's resolver says of its system calls is not for people.
func TestExplainDNS(t *testing.T) {
	for _, c := range []struct {
		err  net.DNSError
		want string
	}{
		{net.DNSError{Err: "no such host", Name: "a.example", Server: "192.0.2.1:53", IsNotFound: true}, "there is no host named a.example: check the spelling"},
		{net.DNSError{Err: "i/o timeout", Name: "a.example", Server: "192.0.2.1:53", IsTimeout: true}, "no name server answered for a.example in time: check this host's network and its name server (192.0.2.1:53)"},
		{net.DNSError{Err: "dial udp 192.0.2.1:53: connect: network is unreachable", Name: "a.example", Server: "192.0.2.1:53"},
			"the name a.example could not be looked up (192.0.2.1:53: network is unreachable): check this host's network and its name server"},
		{net.DNSError{Err: "server misbehaving", Name: "a.example"}, "the name a.example could not be looked up (server misbehaving): check this host's network and its name server"},
	} {
		if got := explainDNS(&c.err).Error(); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
}
