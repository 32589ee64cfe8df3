package stack_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/tfo"
)

// web is an HTTP server on a listener, with TLS or without, that sends back what it
// gets, and says which version it was asked in.
func web(t *testing.T, l net.Listener, secure bool) *httptest.Server {
	s := &httptest.Server{Listener: l, EnableHTTP2: true, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// All of it first: net/http lets who is answered before linger.
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Version", r.Proto)
		w.Write(b)
	})}}
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// fetch posts a megabyte, several times at once, and compares the answers.
func fetch(t *testing.T, s *httptest.Server, version string, dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	tr := s.Client().Transport.(*http.Transport).Clone()
	tr.DialContext = dial
	defer tr.CloseIdleConnections()
	if tr.TLSClientConfig != nil {
		tr.TLSClientConfig.ServerName = "example.com" // httptest's certificate
	}
	switch version {
	case "HTTP/1.1":
		tr.ForceAttemptHTTP2 = false
		if tr.TLSClientConfig != nil {
			tr.TLSClientConfig.NextProtos = nil
		}
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	case "HTTP/2.0":
		tr.ForceAttemptHTTP2 = true
	}
	c := &http.Client{Transport: tr}
	done := make(chan error)
	const n = 10
	for i := range n {
		go func() {
			body, _ := io.ReadAll(noise(uint64(i), 1<<20))
			req, err := http.NewRequestWithContext(within(t), "POST", s.URL, bytes.NewReader(body))
			if err != nil {
				done <- err
				return
			}
			r, err := c.Do(req)
			if err != nil {
				done <- err
				return
			}
			defer r.Body.Close()
			b, err := io.ReadAll(r.Body)
			if err == nil && (!bytes.Equal(b, body) || r.Header.Get("Version") != version) {
				err = fmt.Errorf("%d bytes came back, the same %v, by %s", len(b), bytes.Equal(b, body), r.Header.Get("Version"))
			}
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Go's HTTP client and server, one of them on the stack, the other on the kernel.
func TestInteropHTTP(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		for _, x := range []struct {
			version string
			secure  bool
		}{{"HTTP/1.1", false}, {"HTTP/1.1", true}, {"HTTP/2.0", true}} {
			name := fmt.Sprintf("%s, TLS %v", x.version, x.secure)
			t.Run(name+", kernel asks", func(t *testing.T) {
				d := fastopen.Dialer{Cache: new(tfo.Cache)}
				fetch(t, web(t, p.serveStack(t, ours, tfo.ListenConfig{Queue: 100}).Listener, x.secure), x.version, d.DialContext)
			})
			t.Run(name+", stack asks", func(t *testing.T) {
				d := fastopen.Dialer{Cache: p.cache, Network: p.stack}
				fetch(t, web(t, serveKernel(t, kernel, fastopen.ListenConfig{}).Listener, x.secure), x.version, d.DialContext)
			})
		}
	})
}

// curl, which knows Fast Open, asks a server on the stack.
func TestInteropCurl(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	p := join(t, plug{})
	families(t, func(t *testing.T, _, ours netip.Addr) {
		s := web(t, p.serveStack(t, ours, tfo.ListenConfig{Queue: 100}).Listener, true)
		body := filepath.Join(t.TempDir(), "body")
		want, _ := io.ReadAll(noise(9, 3<<20))
		if err := os.WriteFile(body, want, 0o600); err != nil {
			t.Fatal(err)
		}
		then, before := p.stack.Stats().FastOpen, p.kernel.Counters(t)
		for i := range 3 {
			got, err := exec.CommandContext(within(t), curl, "-s", "-S", "-k", "--tcp-fastopen", "--data-binary", "@"+body, s.URL).Output()
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("request %d: %d bytes, the same %v: %v", i, len(got), bytes.Equal(got, want), err)
			}
		}
		if n := p.stack.Stats().FastOpen; n.CookieReqd-then.CookieReqd != 1 || n.Passive-then.Passive != 2 {
			t.Errorf("the stack counts %+v after %+v", n, then)
		}
		wantCounters(t, "curl", p.kernel.Counters(t).Since(before), netns.Counters{"TCPFastOpenActive": 2, "TCPFastOpenActiveFail": 0})
	})
}
