package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/probe"
)

func TestParseHost(t *testing.T) {
	for text, want := range map[string]string{ // "" for none
		"example.com": "example.com 443", "example.com:80": "example.com 80", "example.com:http": "example.com 80",
		"192.0.2.1": "192.0.2.1 443", "192.0.2.1:8": "192.0.2.1 8", "2001:db8::1": "2001:db8::1 443",
		"[2001:db8::1]": "2001:db8::1 443", "[2001:db8::1]:8": "2001:db8::1 8", "fe80::1%eth0": "fe80::1%eth0 443",
		"https://example.com/a?b": "example.com 443", "http://example.com": "example.com 80", "http://example.com:8/": "example.com 8",
		"ftp://example.com": "example.com 443", "bücher.example": "bücher.example 443",
		"": "", ":80": "", "example.com:": "", "a:b:c": "", "[x]:1": "x 1", "[x]": "", "http://": "", "a b": "", "a/b": "", "a\x1b": "",
		"example.com:0": "", "example.com:65536": "", "example.com:-1": "",
	} {
		h, err := parseHost(text, 443)
		got := strings.TrimSpace(h.name + " " + portText(h.port))
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

func portText(p uint16) string { return netip.AddrPortFrom(netip.IPv4Unspecified(), p).String()[8:] }

func FuzzParseHost(f *testing.F) {
	for _, s := range []string{"example.com", "h:80", "[::1]:443", "::1", "http://u@h:1/", "://", "[", "a:b:c", "#", "h\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHost(text, 443)
		if err != nil {
			return
		}
		if h.port == 0 || h.name == "" || printable(h.name) != h.name || strings.ContainsAny(h.name, " /\r\n") {
			t.Fatalf("%q: got %+v", text, h)
		}
	})
}

// Each host is read once; what is none has an error, and does not stop the rest.
func TestReadHosts(t *testing.T) {
	f := &probeFlags{port: 443}
	all, err := f.hosts([]string{"a", "-", "A:1"}, strings.NewReader("# list\na # again\n\n b c \n  d:443\nd\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range all {
		got = append(got, h.text)
	}
	if text := strings.Join(got, ","); text != "a,b c,d:443,A:1" || all[1].err == nil {
		t.Errorf("got %s, %v", text, all)
	}
	if _, err := f.hosts([]string{"-"}, strings.NewReader(strings.Repeat("x", 100_000))); err == nil {
		t.Error("a line without end was read")
	}
}

func TestPace(t *testing.T) {
	p, now := newPace(10), time.Unix(1, 0)
	for i, want := range []time.Duration{0, 100, 200} {
		if got := p.take(now); got != want*time.Millisecond {
			t.Errorf("start %d: waits %v, want %v ms", i, got, want)
		}
	}
	// Time that was not used is not made up for.
	now = now.Add(time.Minute)
	if a, b := p.take(now), p.take(now); a != 0 || b != 100*time.Millisecond {
		t.Errorf("after a pause: waits %v, %v", a, b)
	}
}

// The bar is shown on a terminal only, and never beside a row.
func TestProbeProgress(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var out, errs strings.Builder
		o := &probeOutput{out: &out, errs: &errs, who: "tfo probe", bar: terminal, hosts: 4, verdicts: map[probe.Verdict]int{}}
		f := probed{host: host{text: "a\x1b[2J"}, report: probe.Report{Target: netip.MustParseAddrPort("192.0.2.1:443"), Verdict: probe.Works, Sent: 6, Accepted: 6, Cookies: 1, RTT: time.Millisecond, Saved: 1}}
		o.one(f)
		o.progress(1)
		f.report.Verdict = probe.Silent
		o.one(f)
		o.progress(3)
		if code := o.end(); code != exitUnsure {
			t.Errorf("exit code %d, want %d", code, exitUnsure)
		}
		if strings.ContainsRune(out.String(), '\x1b') {
			t.Errorf("a name does something to the terminal: %q", out.String())
		}
		const bar = "\r[##########..............................] 1 of 4 hosts"
		if got := errs.String(); strings.Contains(got, bar) != terminal || strings.Contains(got, "\r\x1b[K") != terminal {
			t.Errorf("terminal %t: got %q", terminal, got)
		}
		if !strings.HasSuffix(errs.String(), "2 addresses: 1 works, 1 silent; --explain says more\n") {
			t.Errorf("the sum is %q", errs.String())
		}
	}
}
