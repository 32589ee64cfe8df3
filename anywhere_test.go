//go:build !js && !wasip1

package fastopen_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/tfo"
)

// TestAnywhere holds DialEarly and Listen, over loopback, against what they
// promise on every operating system, whatever its settings are: bytes arrive
// once and in order, and everything but Fast Open is as in package net.
func TestAnywhere(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := fastopen.Listen("tcp", address)
		if err != nil {
			t.Logf("no %s here: %v", address, err)
			continue
		}
		defer l.Close()
		t.Logf("listener on %v: Fast Open: %v", l.Addr(), l.FastOpen())
		for _, early := range []string{"", "question", strings.Repeat("0123456789abcdef", 8<<10)} {
			for range 3 { // the first one may ask for a cookie
				dialAnywhere(t, l, early)
			}
		}
		refusedAnywhere(t, l)
	}
}

func dialAnywhere(t *testing.T, l *fastopen.Listener, early string) {
	t.Helper()
	var controlled atomic.Int32
	d := fastopen.Dialer{
		LocalAddr: &net.TCPAddr{IP: l.Addr().(*net.TCPAddr).IP},
		Cache:     new(tfo.Cache),
		KeepAlive: time.Hour,
		Control: func(network, address string, c syscall.RawConn) error {
			if address == l.Addr().String() && strings.HasPrefix(network, "tcp") {
				controlled.Add(1)
			}
			return c.Control(func(fd uintptr) {})
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	accepted := make(chan *fastopen.Conn, 1)
	go func() {
		c, _ := l.AcceptConn()
		accepted <- c
	}()
	arrived := make(chan string, 1)
	go func() {
		theirs := <-accepted
		if theirs == nil {
			arrived <- ""
			return
		}
		defer theirs.Close()
		got, err := io.ReadAll(theirs)
		if err == nil {
			err = theirs.Confirmed(ctx)
		}
		if err == nil {
			_, err = theirs.Write([]byte("answer"))
		}
		if err != nil {
			t.Errorf("the accepting end: %v", err)
		}
		arrived <- string(got)
	}()
	c, err := d.DialEarly(ctx, "tcp", l.Addr().String(), []byte(early))
	if err != nil {
		t.Fatalf("to %v: %v", l.Addr(), err)
	}
	defer c.Close()
	o := c.Outcome()
	t.Logf("%d bytes: %v", len(early), o)
	if o.Sent > len(early) || o.Sent > 0 && (o.Status == tfo.Off || o.Status == tfo.CookieRequested) {
		t.Errorf("%d bytes: %+v", len(early), o)
	}
	if controlled.Load() == 0 {
		t.Errorf("Control was not called for %v", l.Addr())
	}
	if got, want := c.LocalAddr().(*net.TCPAddr).IP, l.Addr().(*net.TCPAddr).IP; !got.Equal(want) {
		t.Errorf("dialed from %v, want %v", got, want)
	}
	if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
		t.Errorf("dialed %v, want %v", got, want)
	}
	if _, err := c.Write([]byte("!")); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, want := <-arrived, early+"!"; got != want {
		t.Errorf("%d bytes arrived, want %d", len(got), len(want))
	}
	if answer, err := io.ReadAll(c); err != nil || string(answer) != "answer" {
		t.Errorf("answered %q, %v", answer, err)
	}
}

// refusedAnywhere closes l and wants package net's errors for what comes of
// dialing it.
func refusedAnywhere(t *testing.T, l *fastopen.Listener) {
	t.Helper()
	address := l.Addr().String()
	l.Close()
	d := fastopen.Dialer{Cache: new(tfo.Cache)}
	_, err := d.DialEarly(t.Context(), "tcp", address, []byte("question"))
	_, want := net.Dial("tcp", address)
	var got *net.OpError
	if !errors.As(err, &got) || got.Op != "dial" || got.Net != "tcp" || got.Addr.String() != address || err.Error() != want.Error() {
		t.Errorf("nobody listens: got %v, want %v", err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.DialEarly(ctx, "tcp", address, []byte("question")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	_, err = d.DialEarly(ctx, "tcp", address, []byte("question"))
	if e, ok := err.(net.Error); !ok || !e.Timeout() {
		t.Errorf("no time: got %v", err)
	}
}
