package stack_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

const rtt = 100 * time.Millisecond

// TestWeb fetches a page over the stack: HTTP/1.1, TLS, HTTP/2.
func TestWeb(t *testing.T) {
	page := strings.Repeat("a page ", 100_000)
	for _, kind := range []string{"HTTP/1.1", "HTTP/1.1 TLS", "HTTP/2.0 TLS"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b, _ := far(t, rtt, stack.Config{}, stack.Config{})
				l, err := b.Listen("tcp", ":80")
				if err != nil {
					t.Fatal(err)
				}
				server := &httptest.Server{Listener: l, EnableHTTP2: kind == "HTTP/2.0 TLS", Config: &http.Server{
					Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						fmt.Fprint(w, r.Proto, len(body), page)
					}),
				}}
				transport := &http.Transport{DialContext: a.DialContext, ForceAttemptHTTP2: true}
				scheme := "http"
				if strings.HasSuffix(kind, "TLS") {
					scheme = "https"
					server.StartTLS()
					roots := x509.NewCertPool()
					roots.AddCert(server.Certificate())
					transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: "example.com", Time: func() time.Time { return server.Certificate().NotBefore }}
				} else {
					server.Start()
				}
				client := &http.Client{Transport: transport}
				for range 3 {
					res, err := client.Post(scheme+"://10.0.0.2:80/", "", strings.NewReader(page))
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(res.Body)
					res.Body.Close()
					proto, _, _ := strings.Cut(kind, " ")
					if want := fmt.Sprint(proto, len(page), page); err != nil || string(body) != want {
						t.Errorf("got %d bytes %.30q, want %d, %v", len(body), body, len(want), err)
					}
				}
				transport.CloseIdleConnections()
				server.Close()
				time.Sleep(10 * time.Minute)
			})
		})
	}
}

// TestNetwork: the three stories of Fast Open, as a fastopen.Dialer tells them.
func TestNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, la := far(t, rtt, stack.Config{}, stack.Config{})
		lc := fastopen.ListenConfig{Network: b}
		l, err := lc.Listen(t.Context(), "tcp", "[::]:80")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.AcceptConn()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					buf := make([]byte, 100)
					n, _ := c.Read(buf)
					_, _ = c.Write(buf[:n])
					if err := c.Confirmed(t.Context()); err != nil {
						t.Error(err)
					}
					_, _ = c.Read(buf)
				}()
			}
		}()
		d := &fastopen.Dialer{Network: a, Cache: new(tfo.Cache)}
		request := []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		exchange := func(address string, status tfo.Status, took time.Duration) {
			t.Helper()
			began := time.Now()
			c, err := d.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write(request); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(c, make([]byte, len(request))); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(began); got != took {
				t.Errorf("it took %v, want %v", got, took)
			}
			if o := c.(*fastopen.Conn).Outcome(); o.Status != status {
				t.Errorf("outcome: %v", o)
			}
		}
		for _, address := range []string{"10.0.0.2:80", "[fd00::2]:80"} {
			exchange(address, tfo.CookieRequested, 2*rtt)
			exchange(address, tfo.DataAccepted, rtt)
			exchange(address, tfo.DataAccepted, rtt)
		}
		if f := a.Stats().FastOpen; f.Active != 4 {
			t.Errorf("%+v", f)
		}
		if f := b.Stats().FastOpen; f.Passive != 4 || f.CookieReqd != 2 {
			t.Errorf("%+v", f)
		}
		// What eats SYNs with data.
		eaten := 0
		la.drop = func(p []byte) bool {
			syn := len(p) > 60 && p[0]>>4 == 4 && p[33]&2 != 0
			if syn {
				eaten++
			}
			return syn && len(p) > 80
		}
		exchange("10.0.0.2:80", tfo.FellBack, 300*time.Millisecond+2*rtt)
		if eaten == 0 {
			t.Error("nothing was eaten")
		}
		l.Close()
		time.Sleep(10 * time.Minute)
	})
}

// TestErrors: what package net would say.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, la := far(t, rtt, stack.Config{}, stack.Config{})
		check := func(what string, err error, want ...error) {
			t.Helper()
			var op *net.OpError
			if !errors.As(err, &op) {
				t.Errorf("%s: %v (%T) is no *net.OpError", what, err, err)
			}
			for _, w := range want {
				if !errors.Is(err, w) {
					t.Errorf("%s: %v, want %v", what, err, w)
				}
			}
		}
		_, err := a.Dial("tcp", "10.0.0.2:81")
		check("refused", err, syscall.ECONNREFUSED)
		ctx, cancel := context.WithTimeout(t.Context(), rtt/2)
		_, err = a.DialContext(ctx, "tcp", "10.0.0.2:80")
		cancel()
		check("deadline", err, context.DeadlineExceeded, os.ErrDeadlineExceeded)
		if e := err.(net.Error); !e.Timeout() {
			t.Errorf("%v is no timeout", err)
		}
		l, err := b.Listen("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Listen("tcp", "10.0.0.2:80")
		check("in use", err, syscall.EADDRINUSE)
		_, err = b.Listen("tcp", "10.0.0.9:80")
		check("not ours", err, syscall.EADDRNOTAVAIL)
		c, err := a.Dial("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		s.(*stack.Conn).SetLinger(0)
		s.Close()
		_, err = s.Read(nil)
		check("closed", err, net.ErrClosed)
		check("closed twice", s.Close(), net.ErrClosed)
		_, err = c.Read(make([]byte, 1))
		check("reset", err, syscall.ECONNRESET)
		_, err = c.Write(make([]byte, 1))
		check("reset", err, syscall.ECONNRESET)
		// The other end goes silent.
		if c, err = a.Dial("tcp", "10.0.0.2:80"); err != nil {
			t.Fatal(err)
		}
		la.drop = func([]byte) bool { return true }
		la.peer.drop = la.drop
		if _, err = c.Write(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		_, err = c.Read(make([]byte, 1))
		check("deadline", err, os.ErrDeadlineExceeded)
		c.SetReadDeadline(time.Time{})
		_, err = c.Read(make([]byte, 1))
		check("silent", err, syscall.ETIMEDOUT)
		_, err = a.Dial("tcp", "10.0.0.2:80")
		check("silent", err, syscall.ETIMEDOUT)
		l.(*stack.Listener).SetDeadline(time.Now().Add(time.Second))
		for err = nil; err == nil; {
			_, err = l.Accept()
		}
		check("accept", err, os.ErrDeadlineExceeded)
		go func() {
			time.Sleep(time.Second)
			l.Close()
		}()
		l.(*stack.Listener).SetDeadline(time.Time{})
		_, err = l.Accept()
		check("accept", err, net.ErrClosed)
		time.Sleep(10 * time.Minute)
	})
}

// TestResolver looks a name up over the stack's own UDP. In real time: package net
// keeps channels from one look-up to the next, which bubbles do not allow.
func TestResolver(t *testing.T) {
	server := netip.MustParseAddrPort("10.0.0.2:53")
	a, b, _ := far(t, time.Millisecond, stack.Config{DNS: []netip.AddrPort{server}}, stack.Config{})
	u, err := b.ListenPacket("udp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(answer(buf[:n]), from)
		}
	}()
	l, err := b.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := a.Dial("tcp", "server.example:80")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.RemoteAddr().String(); got != "10.0.0.2:80" {
		t.Errorf("connected to %s", got)
	}
	c.Close()
	// Nobody listens there: ICMP says so.
	d, err := a.Dial("udp", "10.0.0.2:54")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("read: %v", err)
	}
}

// answer is 10.0.0.2 to a question for an IPv4 address, nothing to others.
func answer(q []byte) []byte {
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5
	r := append([]byte{}, q[:end]...)
	r[2], r[3] = 0x84, 0
	r[6], r[7], r[8], r[9], r[10], r[11] = 0, 0, 0, 0, 0, 0
	if q[end-3] == 1 {
		r[7] = 1
		r = append(r, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 2)
	}
	return r
}

// TestAlone: a stack without any link talks to itself.
func TestAlone(t *testing.T) {
	s, err := stack.New(stack.Config{Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.9.9/32")}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, address := range []string{"10.9.9.9:80", "127.0.0.1:80", "[::1]:80"} {
		l, err := s.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		var b [5]byte
		if _, err := io.ReadFull(a, b[:]); err != nil || string(b[:]) != "hello" {
			t.Errorf("%s: %q, %v", address, b, err)
		}
		c.Close()
		a.Close()
		l.Close()
	}
	if _, err := s.Dial("tcp", "192.0.2.1:80"); !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("without a route: %v", err)
	}
}
