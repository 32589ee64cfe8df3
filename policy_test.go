package fastopen

import (
	"bytes"
	"crypto/tls"
	"net"
	"strings"
	"testing"
)

// hello returns the ClientHello of crypto/tls as it is written.
func hello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	first := make(chan []byte, 1)
	go func() {
		b := make([]byte, 1<<16)
		n, _ := theirs.Read(b)
		first <- b[:n]
		theirs.Close()
	}()
	tls.Client(ours, config).Handshake()
	return <-first
}

// Nothing goes into a SYN that the policy does not allow (requirement SEC-6).
func TestPolicies(t *testing.T) {
	whole := hello(t, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2"}})
	split := append(append(append([]byte{}, 22, 3, 1, 0, 100), whole[5:105]...),
		append([]byte{22, 3, 1, byte((len(whole) - 105) >> 8), byte(len(whole) - 105)}, whole[105:]...)...)
	const get = "GET /x?y HTTP/1.1\r\nHost: example.com\r\n\r\n"
	const settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"
	const update = "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x3f\xff\x00\x01"
	const headers = "\x00\x00\x01\x01\x05\x00\x00\x00\x01\x82"
	const all = -1
	for _, c := range []struct {
		name   string
		policy Policy
		first  string
		want   int
	}{
		{"ClientHello", Safe, string(whole), all},
		{"ClientHello in two records", Safe, string(split), all},
		{"early data behind the ClientHello", Safe, string(whole) + "\x17\x03\x03\x00\x05hello", len(whole)},
		{"half a ClientHello", Safe, string(whole[:len(whole)-1]), 0},
		{"a ClientHello cut between records", Safe, string(split[:105]), 0},
		{"another handshake message", Safe, "\x16\x03\x01\x00\x04\x02\x00\x00\x00", 0},
		{"handshake messages behind it in one record", Safe, "\x16\x03\x01\x00\x0a\x01\x00\x00\x02hi\x14\x00\x00\x00", 0},
		{"an empty record", Safe, "\x16\x03\x01\x00\x00\x01\x00\x00\x02hi", 0},
		{"application data", Safe, "\x17\x03\x03\x00\x05\x01\x00\x00\x00x", 0},
		{"GET", Safe, get, all},
		{"HEAD", Safe, "HEAD / HTTP/1.0\r\n\r\n", all},
		{"OPTIONS", Safe, "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", all},
		{"GET and the start of more", Safe, get + "POST / HTTP/1.1\r\n", len(get)},
		{"GET with an empty body", Safe, "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", all},
		{"GET with a body", Safe, "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 0},
		{"GET with chunks", Safe, "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 0},
		{"GET with an unfinished head", Safe, "GET / HTTP/1.1\r\nHost: x\r\n", 0},
		{"GET with a field that is none", Safe, "GET / HTTP/1.1\r\nHost\r\n\r\n", 0},
		{"GET with a folded field", Safe, "GET / HTTP/1.1\r\nA: b\r\n Content-Length: 5\r\n\r\n", 0},
		{"GET with a blank before the colon", Safe, "GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n", 0},
		{"GET of HTTP/0.9", Safe, "GET /\r\n\r\n", 0},
		{"GET of no target", Safe, "GET  HTTP/1.1\r\n\r\n", 0},
		{"lower case", Safe, "get / HTTP/1.1\r\n\r\n", 0},
		{"POST", Safe, "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 0},
		{"DELETE", Safe, "DELETE / HTTP/1.1\r\n\r\n", 0},
		{"a method that begins alike", Safe, "GETTER / HTTP/1.1\r\n\r\n", 0},
		{"HTTP/2 preface", Safe, http2Preface, all},
		{"HTTP/2 preface and settings", Safe, http2Preface + settings + update, all},
		{"HTTP/2 request behind it", Safe, http2Preface + settings + headers, len(http2Preface + settings)},
		{"HTTP/2 frame cut short", Safe, http2Preface + settings[:12], len(http2Preface)},
		{"SMTP", Safe, "EHLO example.com\r\n", 0},
		{"nothing", Safe, "", 0},
		{"anything, idempotent", Idempotent, "INSERT", all},
		{"GET, never", Never, get, 0},
		{"GET, TLS only", TLSClientHello, get, 0},
		{"ClientHello, HTTP only", SafeHTTP, string(whole), 0},
	} {
		want := c.want
		if want == all {
			want = len(c.first)
		}
		if got := c.policy([]byte(c.first)); got != want {
			t.Errorf("%s: %d of %d bytes allowed, want %d", c.name, got, len(c.first), want)
		}
	}
}

// The numbers in TLSClientHello's comment, and in the README, are these.
func TestClientHelloSizes(t *testing.T) {
	config := &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"}}
	if n := len(hello(t, config)); n < 1440 || n > 1600 {
		t.Errorf("the default ClientHello is %d bytes, not some 1500", n)
	}
	config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	if n := len(hello(t, config)); n < 250 || n > 350 {
		t.Errorf("a classical ClientHello is %d bytes, not some 300", n)
	}
}

// Whatever comes, a policy allows a part of it, the same for the same bytes,
// and a request that it allows is one that cannot have a body.
func FuzzSafe(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte(http2Preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	f.Add(hello(f, &tls.Config{ServerName: "x"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		n := Safe(b)
		if n < 0 || n > len(b) || !bytes.Equal(b, before) {
			t.Fatalf("Safe(%q) = %d", before, n)
		}
		if Safe(b[:n]) != n {
			t.Errorf("Safe allows %q behind more only", b[:n])
		}
		if n > 0 && b[0] != 22 {
			head := strings.ToLower(string(b[:n]))
			if strings.Contains(head, "\r\ntransfer-encoding:") || strings.HasPrefix(head, "post") {
				t.Errorf("Safe allows %q", b[:n])
			}
		}
	})
}
