package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// client and server are two hosts with a cable between them.
func cable(t *testing.T) (client, server *netns.Host) {
	t.Helper()
	client, server = netns.Self(t), netns.New(t, "server")
	netns.Veth(t, client, server)
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	return client, server
}

// The first contact asks for the cookie, the next one uses it, and both ends
// say so: over HTTP and HTTPS, IPv4 and IPv6.
func TestServeAndGet(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	s := serve(t, server, "--self-signed")
	start := s.next("start", 0)
	start.want(t, "server", event{"ready": true, "sysctl": 3, "queue": 4096, "problem": nil})
	if n := len(start["urls"].([]any)); n != 6 {
		t.Errorf("got %d URLs, want those of localhost and two addresses, http and https: %v", n, start["urls"])
	}
	for _, url := range []string{
		fmt.Sprintf("http://%s:8080/outcome", netns.B4), fmt.Sprintf("https://[%s]:8443/outcome", netns.B6),
		fmt.Sprintf("https://%s:8443/outcome", netns.B4), fmt.Sprintf("http://[%s]:8080/outcome", netns.B6),
	} {
		client.FlushTCPMetrics(t)
		proto := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[strings.HasPrefix(url, "https")]
		for _, c := range []struct {
			why        string
			flags      []string
			get, serve event
		}{
			{"first contact", nil,
				event{"outcome": "cookie-requested", "cause": "none", "sent": 0, "saved": false, "status": 200, "proto": proto},
				event{"outcome": "cookie-requested", "early": false, "saved": false, "request": 1}},
			{"with the cookie", nil,
				event{"outcome": "data-accepted", "cause": "none", "saved": true, "status": 200, "proto": proto},
				event{"outcome": "data-accepted", "early": true, "saved": true, "request": 1}},
			{"without Fast Open", []string{"--no-tfo"},
				event{"outcome": "off", "cause": "none", "sent": 0, "wanted": 0, "saved": false},
				event{"outcome": "off", "early": false, "saved": false}},
		} {
			requests := s.count("request")
			got := one(t, client, append(c.flags, "-k", url)...)
			got.want(t, "get "+url+", "+c.why, c.get)
			if got["sent"] != got["wanted"] && got["saved"] == true {
				t.Errorf("get %s, %s: saved, with %v of %v bytes in the SYN", url, c.why, got["sent"], got["wanted"])
			}
			seen := s.next("request", requests)
			seen.want(t, "serve "+url+", "+c.why, c.serve)
			if got["sent"] != seen["sent"] {
				t.Errorf("%s, %s: the client sent %v bytes in the SYN, the server saw %v", url, c.why, got["sent"], seen["sent"])
			}
		}
	}
	end := s.stop()
	end.want(t, "server", event{"requests": 12, "cut": 0})
	event(end["connections"].(map[string]any)).want(t, "connections",
		event{"accepted": 12, "data": 4, "requested": 4, "plain": 4, "cookie": 0, "refused": 0})
}

// The server says that its kernel will not let it, and with which command
// that changes. It does, without a new start.
func TestServerSwitchedOff(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "1")
	s := serve(t, server)
	start := s.next("start", 0)
	start.want(t, "server", event{"ready": false, "sysctl": 1, "remedy": "sysctl -w net.ipv4.tcp_fastopen=3"})
	url := fmt.Sprintf("http://%s:8080/", netns.B4)
	for range 2 {
		one(t, client, url).want(t, "switched off", event{"outcome": "cookie-requested", "saved": false})
		if r := tfoOn(t, client, "get", "-s", url); !strings.Contains(r.out, "this server has it off") || !strings.Contains(r.out, start.text("remedy")) {
			t.Errorf("the page does not tell that the server has Fast Open off, and how to turn it on:\n%s", r.out)
		}
	}
	name, value, _ := strings.Cut(strings.TrimPrefix(start.text("remedy"), "sysctl -w "), "=")
	server.Sysctl(t, name, value)
	one(t, client, url).want(t, "switched on", event{"outcome": "cookie-requested"})
	one(t, client, url).want(t, "switched on", event{"outcome": "data-accepted", "saved": true})
	s.stop()
}

// A client that may not use Fast Open is told how it could.
func TestClientSwitchedOff(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	client.Sysctl(t, "net.ipv4.tcp_fastopen", "0")
	serve(t, server)
	url := fmt.Sprintf("http://%s:8080/", netns.B4)
	one(t, client, url).want(t, "client", event{"outcome": "off", "cause": "disabled", "saved": false})
	if r := tfoOn(t, client, "get", url); !strings.Contains(r.err, "sysctl -w net.ipv4.tcp_fastopen=1\n") {
		t.Errorf("no command to turn it on:\n%s", r.err)
	}
	if r := tfoOn(t, client, "get", "--repeat", "2", url); !strings.HasSuffix(r.out, "sysctl -w net.ipv4.tcp_fastopen=1\n") {
		t.Errorf("no command to turn it on after the comparison:\n%s", r.out)
	}
}

// --queue 0 does without Fast Open, and the page does not blame the kernel.
func TestQueueOff(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	s := serve(t, server, "--queue", "0")
	s.next("start", 0).want(t, "server", event{"ready": false, "problem": "--queue 0 switches it off", "remedy": nil})
	url := fmt.Sprintf("http://%s:8080/", netns.B4)
	for range 2 {
		r := tfoOn(t, client, "get", "-s", url)
		if !strings.Contains(r.out, "This server has Fast Open switched off.") || strings.Contains(r.out, "sysctl") {
			t.Errorf("got the page\n%s", r.out)
		}
	}
}

// The kernel cuts the queue, and the server says so.
func TestQueueCut(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	_, server := cable(t)
	serve(t, server, "--queue", "100000").next("start", 0).want(t, "server", event{"ready": true, "queue": 4096})
}

// Cookies hold as long as the keys do: across a new start with the same
// file, and not with another one.
func TestKeys(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	url := fmt.Sprintf("http://%s:8080/", netns.B4)
	first := file("00000001-00000002-00000003-00000004\n")
	s := serve(t, server, "--keys", first)
	print := s.next("start", 0).text("keys")
	if !strings.HasPrefix(print, "primary:") {
		t.Errorf("the server gives no fingerprint of its keys: %v", s.next("start", 0))
	}
	one(t, client, url).want(t, "first contact", event{"outcome": "cookie-requested"})
	s.stop()

	s = serve(t, server, "--keys", first)
	one(t, client, url).want(t, "same keys", event{"outcome": "data-accepted"})
	s.stop()

	s = serve(t, server, "--keys", file("a-b-c-d\n"))
	if got := s.next("start", 0).text("keys"); got == print {
		t.Errorf("other keys have the same fingerprint %s", got)
	}
	one(t, client, url).want(t, "other keys", event{"outcome": "fell-back", "cause": "unacknowledged", "saved": false, "status": 200})
	s.next("request", 0).want(t, "other keys", event{"outcome": "fell-back", "early": false})
	one(t, client, url).want(t, "other keys, new cookie", event{"outcome": "data-accepted"})
	connections := event(s.stop()["connections"].(map[string]any))
	connections.want(t, "connections", event{"refused": 1, "data": 1, "accepted": 2})

	// Both, in a rotation: the cookie is the new primary's.
	s = serve(t, server, "--keys", file("1-2-3-4,a-b-c-d\n"))
	one(t, client, url).want(t, "backup", event{"outcome": "data-accepted"})
	s.stop()
}

// A hello with a post-quantum key exchange does not fit into a SYN, and both
// ends say that nothing was saved.
func TestPostQuantum(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	s := serve(t, server, "--self-signed", "--listen", "none")
	url := fmt.Sprintf("https://%s:8443/", netns.B4)
	one(t, client, "-k", url)
	one(t, client, "-k", url).want(t, "classical", event{"outcome": "data-accepted", "saved": true})
	got := one(t, client, "-k", "--post-quantum", url)
	got.want(t, "post-quantum", event{"outcome": "data-accepted", "sent": 1420, "saved": false})
	if got.number("wanted") <= 1420 {
		t.Errorf("the hello has %v bytes", got["wanted"])
	}
	s.next("request", 2).want(t, "post-quantum", event{"outcome": "data-accepted", "early": true, "sent": 1420, "saved": false})
	if r := tfoOn(t, client, "get", "-k", "--post-quantum", url); !strings.Contains(r.err, "without --post-quantum it fits") ||
		!strings.Contains(r.out, "A part of your TLS hello came in the first packet.") {
		t.Errorf("the report does not tell that the hello did not fit:\n%s%s", r.out, r.err)
	}
}

// A POST does not ride in the SYN, unless one says that it may.
func TestIdempotent(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	serve(t, server)
	url := fmt.Sprintf("http://%s:8080/", netns.B4)
	one(t, client, url)
	one(t, client, "-d", "a=b", url).want(t, "POST", event{"outcome": "off", "cause": "refused", "sent": 0})
	one(t, client, "-d", "a=b", "--idempotent", url).want(t, "idempotent POST", event{"outcome": "data-accepted"})
	if r := tfoOn(t, client, "get", "-d", "a=b", url); !strings.Contains(r.err, "use --idempotent") {
		t.Errorf("no hint at --idempotent:\n%s", r.err)
	}
}

// Multipath TCP on the server changes nothing for the client.
func TestMultipath(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	s := serve(t, server, "--mptcp")
	url := fmt.Sprintf("http://%s:8080/", netns.B4)
	one(t, client, url).want(t, "first contact", event{"outcome": "cookie-requested"})
	one(t, client, url).want(t, "with the cookie", event{"outcome": "data-accepted"})
	s.next("request", 1).want(t, "server", event{"outcome": "data-accepted", "early": true})
}
