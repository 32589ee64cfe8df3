package fastopen_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tfo"
)

// certificate returns one for the addresses of the tests, and the roots that
// trust it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{netns.B4.AsSlice(), netns.B6.AsSlice()},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// classical makes a ClientHello that fits into a SYN.
var classical = []tls.CurveID{tls.X25519, tls.CurveP256}

// recorder is a Dialer for http.Transport that keeps the connections.
type recorder struct {
	*fastopen.Dialer
	mu    sync.Mutex
	conns []*fastopen.Conn
}

func (r *recorder) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := r.Dialer.DialContext(ctx, network, address)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.conns = append(r.conns, c.(*fastopen.Conn))
	}
	return c, err
}

func (r *recorder) last() *fastopen.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conns[len(r.conns)-1]
}

// site serves HTTP and HTTPS on h, and answers with the protocol and whether
// the connection began with data in its SYN.
func site(t testing.TB, h *netns.Host, address string, cert tls.Certificate) (http_, https string) {
	t.Helper()
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := fastopen.FromContext(r.Context())
			early := "late"
			if c != nil && c.Early() {
				early = "early"
			}
			io.WriteString(w, r.Proto+" "+early)
		}),
		ConnContext: fastopen.ConnContext,
		ErrorLog:    log.New(io.Discard, "", 0), // of connections that only fetch a cookie
		TLSConfig:   &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}},
	}
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() { s.Close() })
	plain := listen(t, h, fastopen.ListenConfig{}, address)
	secure := listen(t, h, fastopen.ListenConfig{}, address)
	go s.Serve(plain)
	go s.ServeTLS(secure, "", "")
	return "http://" + plain.Addr().String(), "https://" + secure.Addr().String()
}

// rounds counts the round trips of the first connection in what passed the
// tap at end A since its from-th packet: of what A received, how often one
// thing waited for another. It does not look at the time, which a busy
// machine stretches: what A sends has waited for all that A has received, and
// what B sends has waited for what it acknowledges.
func rounds(tap *sim.Tap, from int) (received int) {
	type sent struct {
		end    uint32 // sequence number behind it
		rounds int    // that it waited for
	}
	var outgoing []sent
	var client netip.AddrPort // the first to send a SYN
	for _, s := range tap.Seen(nil)[from:] {
		if s.SYN && s.Dir == sim.AtoB && !client.IsValid() {
			client = s.Src
		}
		switch {
		case s.Len == 0 && !s.SYN || !client.IsValid():
		case s.Src == client:
			end := s.Seq + uint32(s.Len)
			if s.SYN {
				end++
			}
			outgoing = append(outgoing, sent{end, received})
		case s.Dst == client:
			for _, o := range outgoing {
				if int32(s.Ack-o.end) >= 0 {
					received = max(received, o.rounds+1)
				}
			}
		}
	}
	return received
}

// TestWeb uses the Dialer in the places where Go programs have a net.Dialer,
// across 100 ms, and counts round trips.
func TestWeb(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	fastOn(t, client, server)
	var tap sim.Tap
	netns.Path(t, client, server, sim.NewPath(1, &tap, sim.Delay(50*time.Millisecond)))
	cert, roots := certificate(t)

	for _, address := range serverAddrs {
		plain, secure := site(t, server, address, cert)
		// get fetches url over a connection of its own.
		get := func(t *testing.T, d *fastopen.Dialer, url string, protocols func(*http.Protocols)) (body string, trips int, o tfo.Outcome) {
			t.Helper()
			r := &recorder{Dialer: d}
			transport := &http.Transport{
				DialContext:     r.DialContext,
				TLSClientConfig: &tls.Config{RootCAs: roots, CurvePreferences: classical},
				Protocols:       new(http.Protocols),
			}
			protocols(transport.Protocols)
			defer transport.CloseIdleConnections()
			from := len(tap.Seen(nil))
			start := time.Now()
			resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get(url)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			took := time.Since(start)
			trips = rounds(&tap, from)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			o = r.last().Outcome()
			t.Logf("%s: %q, %d round trips, %v: %v", url, b, trips, took.Round(time.Millisecond), o)
			return string(b), trips, o
		}
		for _, c := range []struct {
			name      string
			url       string
			protocols func(*http.Protocols)
			answer    string
			trips     int // over plain TCP; 0 if they cannot be told
		}{
			{"http", plain, func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1", 2},
			{"https", secure, func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1", 3},
			// HTTP/2 has more than one thing under way at a time.
			{"https, HTTP/2", secure, func(p *http.Protocols) { p.SetHTTP2(true) }, "HTTP/2.0", 0},
		} {
			t.Run(c.name+" "+address, func(t *testing.T) {
				prime(t, client, strings.TrimPrefix(strings.TrimPrefix(c.url, "http://"), "https://"))
				d := &fastopen.Dialer{Cache: new(tfo.Cache), ReadWait: time.Second}
				body, trips, o := get(t, d, c.url, c.protocols)
				want(t, "with a cookie", o, tfo.DataAccepted, tfo.NoCause)
				if body != c.answer+" early" || c.trips > 0 && trips != c.trips-1 || !o.Saved() {
					t.Errorf("with a cookie: %q in %d round trips, want %d", body, trips, c.trips-1)
				}
				d.Off = true
				body, trips, o = get(t, d, c.url, c.protocols)
				want(t, "plain", o, tfo.Off, tfo.NoCause)
				if body != c.answer+" late" || c.trips > 0 && trips != c.trips {
					t.Errorf("plain: %q in %d round trips, want %d", body, trips, c.trips)
				}
			})
		}

		t.Run("HTTP/2 without TLS "+address, func(t *testing.T) {
			prime(t, client, strings.TrimPrefix(plain, "http://"))
			d := &fastopen.Dialer{Cache: new(tfo.Cache), ReadWait: time.Second}
			body, _, o := get(t, d, plain, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
			want(t, "with a cookie", o, tfo.DataAccepted, tfo.NoCause)
			if body != "HTTP/2.0 early" {
				t.Errorf("got %q", body)
			}
		})

		t.Run("the default ClientHello does not fit "+address, func(t *testing.T) {
			host := strings.TrimPrefix(secure, "https://")
			prime(t, client, host)
			d := tlsDialer(&fastopen.Dialer{Cache: new(tfo.Cache)}, &tls.Config{RootCAs: roots})
			c, err := d(t.Context(), host)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			o := c.(*tls.Conn).NetConn().(*fastopen.Conn).Outcome()
			want(t, "hybrid key exchange", o, tfo.DataAccepted, tfo.NoCause)
			if o.Saved() || o.Sent >= o.Wanted {
				t.Errorf("it fits by now, so TLSClientHello's comment is out of date: %+v", o)
			}
		})

		t.Run("a dialer as gRPC takes it "+address, func(t *testing.T) {
			host := strings.TrimPrefix(secure, "https://")
			prime(t, client, host)
			var dial func(ctx context.Context, addr string) (net.Conn, error) = tlsDialer(&fastopen.Dialer{Cache: new(tfo.Cache)}, &tls.Config{RootCAs: roots, CurvePreferences: classical})
			from := len(tap.Seen(nil))
			c, err := dial(t.Context(), host)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			want(t, "tls", c.(*tls.Conn).NetConn().(*fastopen.Conn).Outcome(), tfo.DataAccepted, tfo.NoCause)
			if trips := rounds(&tap, from); trips != 1 {
				t.Errorf("a TLS handshake in %d round trips, want 1", trips)
			}
		})
	}
}

// tlsDialer returns a function of the shape of gRPC's context dialers that
// has its TLS handshake done.
func tlsDialer(d *fastopen.Dialer, config *tls.Config) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		raw, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		config := config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(addr)
		c := tls.Client(raw, config)
		if err := c.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		return c, nil
	}
}
