package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/tfo"
)

// An exchange is one request and its answer, on a connection of its own.
type exchange struct {
	url    *url.URL
	method string
	plain  bool // Fast Open was off

	mu        sync.Mutex // guards what follows until the exchange has ended
	start     time.Time
	name      time.Duration // these are since start; 0 for what did not happen
	connect   time.Duration
	tls       time.Duration
	firstByte time.Duration
	total     time.Duration

	conn          *fastopen.Conn // nil if there was no connection
	outcome       tfo.Outcome
	local, remote string
	response      *http.Response // nil if there was no answer
	bytes         int64          // of the body
	err           error
	ended         bool
}

// A hopper is an http.RoundTripper that gives every request a connection of
// its own and keeps a record of it.
type hopper struct {
	dialer  *fastopen.Dialer
	network string // "tcp", "tcp4" or "tcp6"
	flags   *getFlags
	hops    []*exchange // in the order of the requests; the last one is not a redirect
}

// RoundTrip implements [http.RoundTripper].
func (h *hopper) RoundTrip(req *http.Request) (*http.Response, error) {
	x := &exchange{
		url:    req.URL,
		method: req.Method,
		plain:  h.dialer.Off,
		start:  time.Now(),
	}
	h.hops = append(h.hops, x)
	t := h.transport(x)
	resp, err := t.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), x.trace())))
	if err != nil {
		x.end(err)
		t.CloseIdleConnections()
		return nil, err
	}
	x.response = resp
	resp.Body = &body{ReadCloser: resp.Body, x: x, t: t}
	return resp, nil
}

// transport returns one for a single connection, which x records.
func (h *hopper) transport(x *exchange) *http.Transport {
	t := &http.Transport{
		DisableCompression:     true, // bodies as they are sent
		MaxResponseHeaderBytes: 1 << 20,
		TLSHandshakeTimeout:    time.Duration(h.flags.connectTimeout),
		Protocols:              new(http.Protocols),
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: h.flags.insecure},
	}
	t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(!h.flags.http1)
	if !h.flags.postQuantum {
		t.TLSClientConfig.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
	}
	t.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		c, err := h.dialer.DialContext(ctx, h.network, address)
		if err != nil {
			return nil, err
		}
		x.dialed(c.(*fastopen.Conn))
		return c, nil
	}
	return t
}

// trace returns what notes the times.
func (x *exchange) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSDone: func(httptrace.DNSDoneInfo) { x.mark(&x.name) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				x.mark(&x.tls)
			}
		},
		GotFirstResponseByte: func() { x.mark(&x.firstByte) },
	}
}

// mark notes that something happened now.
func (x *exchange) mark(d *time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended {
		*d = time.Since(x.start)
	}
}

func (x *exchange) dialed(c *fastopen.Conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.conn, x.connect = c, time.Since(x.start)
}

// end notes that the exchange is over.
func (x *exchange) end(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return
	}
	x.ended, x.err, x.total = true, err, time.Since(x.start)
	if x.conn != nil {
		x.outcome = x.conn.Outcome()
		x.local, x.remote = x.conn.LocalAddr().String(), x.conn.RemoteAddr().String()
	}
}

// A body counts what is read of it and ends the exchange.
type body struct {
	io.ReadCloser
	x *exchange
	t *http.Transport
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.x.bytes += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		b.x.end(nil)
	case err != nil:
		b.x.end(err)
	}
	return n, err
}

func (b *body) Close() error {
	b.x.end(nil)
	err := b.ReadCloser.Close()
	b.t.CloseIdleConnections()
	return err
}
