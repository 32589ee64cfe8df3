//go:build !plan9

package fastopen_test

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
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tfo"
)

const (
	oneWay     = 50 * time.Millisecond
	simAddress = "192.0.2.80:80"
	simRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
)

// twoHosts are a client and a server with a path between, in a bubble.
type twoHosts struct {
	client, server fastopen.Network
	patient        func()     // makes the client's TCP slow to send a SYN again
	left           func() int // connections that are not over, TIME-WAIT aside
}

// overSim runs test in bubbles of their own, with a listener on the server:
// once over a Network made for the test, of hosts of package sim, and once over
// package stack. Both have to behave alike, to the millisecond.
func overSim(t *testing.T, hops func() []sim.Hop, test func(t *testing.T, n *twoHosts, l *fastopen.Listener)) {
	t.Helper()
	for name, join := range map[string]func(*testing.T, ...sim.Hop) *twoHosts{"sim": joinSim, "stack": joinStacks} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := []sim.Hop{sim.Delay(oneWay / 2)}
				if hops != nil {
					path = append(path, hops()...)
				}
				n := join(t, append(path, sim.Delay(oneWay/2))...)
				lc := fastopen.ListenConfig{Network: n.server}
				l, err := lc.Listen(t.Context(), "tcp", simAddress)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				test(t, n, l)
			})
		})
	}
}

func (n *twoHosts) dialer() *fastopen.Dialer {
	return &fastopen.Dialer{Network: n.client, Cache: new(tfo.Cache)}
}

// exchangeOverSim dials, asks and reads an answer of 2 bytes, and says how long
// it took from the dial on.
func exchangeOverSim(t *testing.T, d *fastopen.Dialer, l *fastopen.Listener, request string) (tfo.Outcome, time.Duration) {
	t.Helper()
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.AcceptConn()
			if err != nil {
				return
			}
			served.Go(func() {
				if err := answerOverSim(c, request); err != nil {
					t.Errorf("the server: %v", err)
				}
			})
		}
	})
	defer l.SetDeadline(time.Time{})
	defer served.Wait()
	defer func() { l.SetDeadline(time.Now()) }()
	began := time.Now()
	c, err := d.Dial("tcp", simAddress)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	out := c.(*fastopen.Conn).Outcome()
	return out, took
}

// answerOverSim is the server's end of exchangeOverSim. A connection that was
// overtaken may end without a request.
func answerOverSim(c *fastopen.Conn, request string) error {
	defer c.Close()
	got := make([]byte, len(request))
	if _, err := io.ReadFull(c, got); err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
		return nil
	} else if err != nil || string(got) != request {
		return fmt.Errorf("read %q, %w", got, err)
	}
	if _, err := c.Write([]byte("ok")); err != nil {
		return err
	}
	if err := c.Confirmed(context.Background()); err != nil {
		return err
	}
	if _, err := c.Read(got); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("at the end: %w", err)
	}
	return nil
}

// TestNetworkExchanges holds the three stories of Fast Open over a TCP in user
// space against the clock: asking for a cookie takes two round trips, data in
// the SYN one, and what eats it costs the fallback delay.
func TestNetworkExchanges(t *testing.T) {
	const rtt = 2 * oneWay
	overSim(t, nil, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		d := n.dialer()
		for i, want := range []struct {
			status tfo.Status
			took   time.Duration
		}{{tfo.CookieRequested, 2 * rtt}, {tfo.DataAccepted, rtt}, {tfo.DataAccepted, rtt}} {
			out, took := exchangeOverSim(t, d, l, simRequest)
			if out.Status != want.status || took != want.took || out.Saved() != (want.took == rtt) {
				t.Errorf("connection %d: %v after %v, want %v after %v", i, out, took, want.status, want.took)
			}
		}
		if out, took := exchangeOverSim(t, d, l, "POST / HTTP/1.1\r\n\r\n"); out.Status != tfo.Off || out.Cause != tfo.Refused || took != 2*rtt {
			t.Errorf("not safe: %v after %v", out, took)
		}
		d.Off = true
		if out, took := exchangeOverSim(t, d, l, simRequest); out.Status != tfo.Off || out.Cause != tfo.NoCause || took != 2*rtt {
			t.Errorf("switched off: %v after %v", out, took)
		}
		want := fastopen.Stats{Accepted: 5, Requested: 1, Data: 2, Cookie: 1, Plain: 1}
		if got := l.Stats(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func eatData() []sim.Hop { return []sim.Hop{sim.DropSYNData()} }

// TestNetworkFallback lets a middlebox eat SYNs with data: a plain connection
// beside it carries on, the data arrives once, and the path is avoided.
func TestNetworkFallback(t *testing.T) {
	const rtt = 2 * oneWay
	overSim(t, eatData, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		d := n.dialer()
		exchangeOverSim(t, d, l, simRequest)
		out, took := exchangeOverSim(t, d, l, simRequest)
		if out.Status != tfo.FellBack || took > 300*time.Millisecond+2*rtt {
			t.Errorf("eaten: %v after %v", out, took)
		}
		out, took = exchangeOverSim(t, d, l, simRequest)
		if out.Status != tfo.Off || out.Cause != tfo.Avoided || took != 2*rtt {
			t.Errorf("the next one: %v after %v", out, took)
		}
	})
	// A TCP that is slower to try again than the Dialer.
	overSim(t, eatData, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		n.patient()
		d := n.dialer()
		d.FallbackDelay = 250 * time.Millisecond
		exchangeOverSim(t, d, l, simRequest)
		out, took := exchangeOverSim(t, d, l, simRequest)
		if out.Status != tfo.FellBack || out.Cause != tfo.Overtaken || took != d.FallbackDelay+2*rtt {
			t.Errorf("overtaken: %v after %v, want after %v", out, took, d.FallbackDelay+2*rtt)
		}
	})
}

// TestNetworkServerSpeaksFirst opens a connection that was put off by a Read.
func TestNetworkServerSpeaksFirst(t *testing.T) {
	overSim(t, nil, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		d := n.dialer()
		exchangeOverSim(t, d, l, simRequest)
		go func() {
			c, err := l.Accept()
			if err == nil {
				c.Write([]byte("220 hello"))
				c.Close()
			}
		}()
		began := time.Now()
		c, err := d.Dial("tcp", simAddress)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if time.Since(began) != 0 {
			t.Errorf("not put off: the dial took %v", time.Since(began))
		}
		got, err := io.ReadAll(c)
		if err != nil || string(got) != "220 hello" {
			t.Errorf("read %q, %v", got, err)
		}
		if o := c.(*fastopen.Conn).Outcome(); o.Status != tfo.Off || o.Cause != tfo.NoData {
			t.Errorf("got %v", o)
		}
	})
}

// TestNetworkErrors dials what does not answer as it should, with a cookie at
// hand and without.
func TestNetworkErrors(t *testing.T) {
	overSim(t, nil, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		d := n.dialer()
		refused := func(when string, err error) {
			t.Helper()
			var e *net.OpError
			if !errors.As(err, &e) || e.Op != "dial" || e.Net != "tcp" || e.Addr.String() != "192.0.2.80:81" || !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %v", when, err)
			}
		}
		_, err := d.Dial("tcp", "192.0.2.80:81")
		refused("no cookie", err)
		exchangeOverSim(t, d, l, simRequest)
		c, err := d.Dial("tcp", "192.0.2.80:81")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Write([]byte(simRequest)); err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		refused("put off", err)
		_, err = d.DialEarly(t.Context(), "tcp", "192.0.2.80:81", []byte("x"))
		refused("early", err)
		c.Close()

		d.Timeout = time.Second
		began := time.Now()
		_, err = d.Dial("tcp", "192.0.2.81:80")
		if e, ok := err.(net.Error); !ok || !e.Timeout() || time.Since(began) != time.Second {
			t.Errorf("nobody there: %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if _, err := d.DialContext(ctx, "tcp", "192.0.2.81:80"); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
		for address, network := range map[string]string{"192.0.2.80:53": "udp", ":80": "tcp", "[2001:db8::1]:80": "tcp4"} {
			if _, err := d.Dial(network, address); err == nil {
				t.Errorf("dialed %s %s", network, address)
			}
		}
		d.Control = func(string, string, syscall.RawConn) error { return nil }
		if _, err := d.Dial("tcp", simAddress); err == nil || !strings.Contains(err.Error(), "leave one of them out") {
			t.Errorf("Control over a Network: %v", err)
		}
	})
}

// TestNetworkDeadlines checks that deadlines and Close reach those who wait on
// a connection that is not open yet, and that Close delivers.
func TestNetworkDeadlines(t *testing.T) {
	overSim(t, nil, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		d := n.dialer()
		exchangeOverSim(t, d, l, simRequest)
		dial := func() net.Conn {
			t.Helper()
			c, err := d.Dial("tcp", simAddress)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := dial()
		c.SetDeadline(time.Now().Add(5 * time.Millisecond))
		began := time.Now()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 5*time.Millisecond {
			t.Errorf("a Read: %v after %v", err, time.Since(began))
		}
		if n, err := c.Write([]byte(simRequest)); !errors.Is(err, os.ErrDeadlineExceeded) || n != 0 {
			t.Errorf("a Write: %d, %v", n, err)
		}
		c.Close()

		c = dial()
		time.AfterFunc(30*time.Millisecond, func() { c.Close() })
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a Read of what was closed: %v", err)
		}

		c = dial()
		c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		long := simRequest[:len(simRequest)-2] + "X: " + strings.Repeat("x", 5000) + "\r\n\r\n"
		if n, err := c.Write([]byte(long)); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n > 1460 {
			t.Errorf("a Write of more than fits: %d, %v", n, err)
		}
		c.Close()

		for l.Stats().Accepted < 3 { // what was opened so far
			if c, err := l.AcceptConn(); err == nil {
				c.Close()
			}
		}
		c = dial()
		c.Write([]byte(simRequest))
		c.Close()
		theirs, err := l.AcceptConn()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(theirs)
		if err != nil || string(got) != simRequest || !theirs.Early() {
			t.Errorf("closed at once: %q arrived, %v, early %t", got, err, theirs.Early())
		}
		theirs.Close()
	})
}

// TestNetworkDialEarly sends more than fits.
func TestNetworkDialEarly(t *testing.T) {
	overSim(t, nil, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		d := n.dialer()
		early := strings.Repeat("0123456789", 1000)
		for i := range 3 {
			arrived := make(chan string, 1)
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				b, _ := io.ReadAll(c)
				c.Close()
				arrived <- string(b)
			}()
			c, err := d.DialEarly(t.Context(), "tcp", simAddress, []byte(early))
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if got := <-arrived; got != early {
				t.Errorf("connection %d: %d bytes arrived", i, len(got))
			}
			o := c.Outcome()
			if i == 0 && o.Status != tfo.CookieRequested || i > 0 && (o.Status != tfo.DataAccepted || o.Sent == 0 || o.Sent > 1460 || o.Saved()) {
				t.Errorf("connection %d: %v", i, o)
			}
		}
	})
}

// TestNetworkHTTPS runs an http.Server and an http.Transport with TLS over a
// Network: unchanged, and in one round trip less.
func TestNetworkHTTPS(t *testing.T) {
	overSim(t, nil, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		cert := httptest.NewUnstartedServer(nil)
		cert.StartTLS()
		certificate, pool := cert.TLS.Certificates[0], x509.NewCertPool()
		pool.AddCert(cert.Certificate())
		cert.Close()
		var early []bool
		server := &http.Server{
			ConnContext: fastopen.ConnContext,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				early = append(early, fastopen.FromContext(r.Context()).Early())
				io.WriteString(w, r.Proto)
			}),
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		}
		go server.ServeTLS(l, "", "")
		defer server.Close()
		var took []time.Duration
		d := n.dialer()
		for range 3 {
			transport := &http.Transport{
				DialContext:       d.DialContext,
				TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: "example.com", CurvePreferences: []tls.CurveID{tls.X25519}},
				ForceAttemptHTTP2: true,
			}
			began := time.Now()
			resp, err := (&http.Client{Transport: transport}).Get("https://" + simAddress)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			transport.CloseIdleConnections()
			if err != nil || string(body) != "HTTP/2.0" {
				t.Errorf("read %q, %v", body, err)
			}
			took = append(took, time.Since(began))
		}
		if saved := took[0] - took[1]; saved != 2*oneWay || took[1] != took[2] {
			t.Errorf("the connections took %v, want one round trip less from the second on", took)
		}
		if fmt.Sprint(early) != "[false true true]" {
			t.Errorf("early: %v", early)
		}
	})
}

// TestNetworkListener checks what a listener over a Network is told and tells.
func TestNetworkListener(t *testing.T) {
	overSim(t, nil, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		if l.FastOpen() != nil || l.Addr().String() != simAddress {
			t.Errorf("Fast Open: %v, at %v", l.FastOpen(), l.Addr())
		}
		if _, err := l.SyscallConn(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("SyscallConn: %v", err)
		}
		l.SetDeadline(time.Now().Add(time.Millisecond))
		if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Accept: %v", err)
		}
		off, err := (&fastopen.ListenConfig{Network: n.server, Queue: -1}).Listen(t.Context(), "tcp", "192.0.2.80:82")
		if err != nil || off.FastOpen() == nil {
			t.Errorf("switched off: %v, %v", err, off.FastOpen())
		}
		lc := fastopen.ListenConfig{Network: n.server, Control: func(string, string, syscall.RawConn) error { return nil }}
		if _, err := lc.Listen(t.Context(), "tcp", "192.0.2.80:83"); err == nil {
			t.Error("Control over a Network was taken")
		}
	})
}

// TestNetworkNothingLeft uses and abandons connections in every state, with and
// without something that eats SYNs with data, and checks that no connection and
// no goroutine stays behind: a bubble does not end before its goroutines.
func TestNetworkNothingLeft(t *testing.T) {
	for _, hops := range []func() []sim.Hop{nil, eatData} {
		overSim(t, hops, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
			exchangeOverSim(t, n.dialer(), l, simRequest)
			var all sync.WaitGroup
			all.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					all.Go(func() {
						defer c.Close()
						io.Copy(c, c)
					})
				}
			})
			var use sync.WaitGroup
			for i := range 60 {
				d := n.dialer() // that has not heard of failures yet
				d.Policy = fastopen.Idempotent
				d.FallbackDelay = time.Duration(i%7) * 40 * time.Millisecond
				c, err := d.Dial("tcp", simAddress)
				if err != nil {
					t.Fatal(err)
				}
				use.Go(func() {
					defer c.Close()
					pause := time.Duration(i) * 7 * time.Millisecond
					switch i % 6 {
					case 0: // closed unused
					case 1: // closed while the SYN is on its way
						c.Write([]byte("hello"))
					case 2:
						c.Write([]byte("hello"))
						io.ReadFull(c, make([]byte, 5))
					case 3: // closed by another goroutine
						time.AfterFunc(pause, func() { c.Close() })
						c.Write(make([]byte, 10000))
						io.Copy(io.Discard, c)
					case 4:
						c.SetDeadline(time.Now().Add(pause))
						c.Read(make([]byte, 1))
					case 5:
						ctx, cancel := context.WithTimeout(context.Background(), pause)
						defer cancel()
						c.(*fastopen.Conn).Confirmed(ctx)
					}
				})
			}
			use.Wait()
			l.Close()
			all.Wait()
			time.Sleep(10 * time.Minute)
			if left := n.left(); left != 0 {
				t.Errorf("%d connections are left", left)
			}
		})
	}
}

// TestNetworkLocalAddr dials from an address and a port, from a port alone, and
// from an address that the host does not have.
func TestNetworkLocalAddr(t *testing.T) {
	overSim(t, nil, func(t *testing.T, n *twoHosts, l *fastopen.Listener) {
		for i, local := range []*net.TCPAddr{
			{IP: net.IPv4(192, 0, 2, 1), Port: 4001}, {Port: 4002}, {IP: net.IPv4zero, Port: 4003}, {IP: net.IPv4(192, 0, 2, 1)}, {},
		} {
			d := n.dialer()
			d.LocalAddr = local
			c, err := d.DialEarly(t.Context(), "tcp", simAddress, []byte("x"))
			if err != nil {
				t.Fatalf("from %v: %v", local, err)
			}
			theirs, err := l.AcceptConn()
			if err != nil {
				t.Fatal(err)
			}
			got := c.LocalAddr().(*net.TCPAddr)
			if !got.IP.Equal(net.IPv4(192, 0, 2, 1)) || local.Port != 0 && got.Port != local.Port || theirs.RemoteAddr().String() != got.String() {
				t.Errorf("%d, from %v: from %v, and accepted from %v", i, local, got, theirs.RemoteAddr())
			}
			c.Close()
			theirs.Close()
		}
		for _, local := range []net.Addr{&net.TCPAddr{IP: net.ParseIP("2001:db8::1")}, &net.UDPAddr{Port: 1}} {
			d := n.dialer()
			d.LocalAddr = local
			var e *net.OpError
			if _, err := d.Dial("tcp", simAddress); !errors.As(err, &e) || e.Op != "dial" || e.Source != local {
				t.Errorf("from %v: %v", local, err)
			}
		}
	})
}

// pipeNetwork's connections and listeners are none that a Network may have.
type pipeNetwork struct{ ours, theirs net.Conn }

func (p *pipeNetwork) DialFastOpen(local, remote netip.AddrPort, config tfo.DialConfig) (net.Conn, error) {
	return p.ours, nil
}

func (p *pipeNetwork) ListenFastOpen(local netip.AddrPort, config tfo.ListenConfig) (net.Listener, error) {
	return &pipeListener{p}, nil
}

// A pipeListener has no deadlines.
type pipeListener struct{ p *pipeNetwork }

func (l *pipeListener) Accept() (net.Conn, error) { return l.p.ours, nil }
func (l *pipeListener) Close() error              { return l.p.ours.Close() }
func (l *pipeListener) Addr() net.Addr            { return &net.TCPAddr{} }

// TestNetworkUnfit: what is no Network is refused with a sentence, and closed.
func TestNetworkUnfit(t *testing.T) {
	for name, use := range map[string]func(p *pipeNetwork) error{
		"dial": func(p *pipeNetwork) error {
			_, err := (&fastopen.Dialer{Network: p}).Dial("tcp", simAddress)
			return err
		},
		"listen": func(p *pipeNetwork) error {
			_, err := (&fastopen.ListenConfig{Network: p}).Listen(t.Context(), "tcp", simAddress)
			return err
		},
	} {
		p := new(pipeNetwork)
		p.ours, p.theirs = net.Pipe()
		var e *net.OpError
		if err := use(p); !errors.As(err, &e) || e.Op != name || !strings.Contains(err.Error(), "use another Network") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := p.theirs.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: left open: %v", name, err)
		}
	}
}
