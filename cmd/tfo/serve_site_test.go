package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
)

// newTestSite is a site on this host, with HTTP and HTTPS.
func newTestSite(t *testing.T) *site {
	t.Helper()
	cmd := &cobra.Command{}
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	f := &serveFlags{listen: []string{"127.0.0.1:0"}, listenTLS: []string{"127.0.0.1:0"}, selfSigned: true}
	s, err := newSite(f, "", cmd)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// HTTPS has HTTP/2, whichever of HTTP and HTTPS begins first.
func TestHTTP2(t *testing.T) {
	for _, secureFirst := range []bool{false, true} {
		s := newTestSite(t)
		t.Cleanup(func() { s.server.Close() })
		begin := []func(){
			func() { go s.server.Serve(s.gates[0]) },
			func() { go s.server.ServeTLS(s.gates[1], "", "") },
		}
		if secureFirst {
			begin[0], begin[1] = begin[1], begin[0]
		}
		get := func(url string) *http.Response {
			t.Helper()
			tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
			defer tr.CloseIdleConnections()
			resp, err := (&http.Client{Transport: tr}).Get(url)
			if err != nil {
				t.Fatalf("HTTPS first %t: %v", secureFirst, err)
			}
			resp.Body.Close()
			return resp
		}
		begin[0]()
		if secureFirst {
			get(s.gates[1].urls()[0])
		} else {
			get(s.gates[0].urls()[0])
		}
		begin[1]()
		if got := get(s.gates[1].urls()[0]); got.ProtoMajor != 2 {
			t.Errorf("HTTPS first %t: got %s, want HTTP/2", secureFirst, got.Proto)
		}
	}
}

// A listener that breaks ends the server with the reason.
func TestBrokenListener(t *testing.T) {
	s := newTestSite(t)
	s.gates[0].Close()
	if err := s.run(make(chan os.Signal)); err == nil || !strings.HasPrefix(err.Error(), "stopped serving: ") {
		t.Errorf("got %v", err)
	}
	s = newTestSite(t)
	stop := make(chan os.Signal, 1)
	stop <- syscall.SIGTERM
	if err := s.run(stop); err != nil {
		t.Errorf("stopped by a signal: %v", err)
	}
}
