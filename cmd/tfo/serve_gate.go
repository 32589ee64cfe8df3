package main

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// A keeper stands between the connections and the site: it numbers requests,
// holds back those that must not be carried out twice, and writes the access
// log.
type keeper struct {
	site  func(http.ResponseWriter, *http.Request, account)
	log   *logbook
	count atomic.Uint64 // requests so far
	open  atomic.Int64  // requests under way
	cut   atomic.Int64  // requests that were cut off at the end
}

// ServeHTTP implements [http.Handler].
func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.count.Add(1)
	k.open.Add(1)
	defer k.open.Add(-1)
	v, start := visitOf(r), time.Now()
	number := v.requests.Add(1)
	held, err := hold(r, v)
	if err != nil {
		// Nobody is there who could be told: the SYN was a repetition or
		// forged, or the client has gone.
		k.log.refused(start, r, v, err)
		panic(http.ErrAbortHandler)
	}
	a := newAccount(r, v, number, held)
	t := &tally{ResponseWriter: w}
	defer func() {
		a.Outcome = v.Outcome() // by now the round-trip time may be known
		k.log.request(start, r, t, a)
	}()
	k.site(t, r, a)
}

// hold waits until the handshake of v is done if r must not be carried out
// twice: its SYN may be the repetition of one that was served before, and
// then the handshake is never done.
//
// "[...] the data in the SYN could be replayed to an application in some rare
// circumstances. Applications should not use TFO unless they can tolerate
// this issue"
// https://www.rfc-editor.org/rfc/rfc7413
func hold(r *http.Request, v *visit) (time.Duration, error) {
	if !v.Early() || safe(r.Method) || v.Confirmed(noTime) == nil {
		return 0, nil
	}
	start := time.Now()
	if err := v.Confirmed(r.Context()); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// noTime is for asking what is so already.
var noTime = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// safe says that carrying a request out twice does nothing that once does
// not (RFC 9110, section 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// A tally notes what a handler answered.
type tally struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap is for [http.ResponseController].
func (t *tally) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (t *tally) WriteHeader(status int) {
	if t.status < 200 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (t *tally) Write(b []byte) (int, error) {
	if t.status < 200 {
		t.status = http.StatusOK
	}
	n, err := t.ResponseWriter.Write(b)
	t.bytes += int64(n)
	return n, err
}

// ReadFrom lets files go out by sendfile(2) where they can.
func (t *tally) ReadFrom(r io.Reader) (int64, error) {
	if t.status < 200 {
		t.status = http.StatusOK
	}
	n, err := io.Copy(t.ResponseWriter, r)
	t.bytes += n
	return n, err
}
