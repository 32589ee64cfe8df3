package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain also makes the test binary the command tfo, for scripts and for
// tests that start it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tfo": main})
}

// TestScript runs the command lines in testdata/script. Scripts find web
// servers on this host at $HTTP and $HTTPS, and a port where nothing listens
// at $CLOSED.
func TestScript(t *testing.T) {
	plain := httptest.NewServer(peer())
	t.Cleanup(plain.Close) // scripts run after this function has returned
	secure := httptest.NewUnstartedServer(peer())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	picky := httptest.NewUnstartedServer(peer())
	picky.Config.ErrorLog = log.New(io.Discard, "", 0)
	picky.TLS = &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}
	picky.StartTLS()
	t.Cleanup(picky.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=20") // not a second for each command
			e.Setenv("HTTP", plain.Listener.Addr().String())
			e.Setenv("HTTPS", secure.Listener.Addr().String())
			e.Setenv("PICKY", picky.Listener.Addr().String())
			e.Setenv("CLOSED", closed.Listener.Addr().String())
			_, port, _ := strings.Cut(closed.Listener.Addr().String(), ":")
			e.Setenv("PORT", port)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "openssl":
				_, err := exec.LookPath("openssl")
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// peer is a web server with the answers that the scripts ask for.
func peer() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello.txt", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Trick", "a\u009b31mb")
		io.WriteString(w, "hello\n")
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s\nhost %s\n", r.Method, r.Proto, r.Host)
		for _, name := range []string{"User-Agent", "Accept", "Accept-Encoding", "Content-Type", "X-Test"} {
			fmt.Fprintf(w, "%s: %q\n", name, r.Header[name])
		}
		fmt.Fprintf(w, "body %q\n", body)
	})
	mux.HandleFunc("/to/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.TrimPrefix(r.URL.Path, "/to"), http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/loop", http.StatusFound)
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "not all of it")
	})
	mux.HandleFunc("/hangup", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/binary", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte{0, 1, 2}) })
	return mux
}
