package stack_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// Goroutines that know nothing of each other use the same connection in every way
// there is, until it or its stack is closed under them. All of them come back, with
// an error that package net would give, and no buffer is lost.
func TestAbuse(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for round := range 20 {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		a, b := ends(t, link.PipeConfig{}, stack.Config{}, stack.Config{})
		l, err := b.ListenFastOpen(parse("10.0.0.2:80"), listenFast(100))
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(1000+round)))
			for {
				c, err := l.Accept()
				if err != nil {
					wantSort(t, "accept", err)
					return
				}
				seeds := []uint64{r.Uint64(), r.Uint64(), r.Uint64()}
				all.Go(func() { abuse(t, c.(*stack.Conn), seeds) })
			}
		})
		var dials sync.WaitGroup
		for range 20 {
			seeds := [4]uint64{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
			dials.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seeds[0]%20)*time.Millisecond)
				defer cancel()
				var c net.Conn
				var err error
				if seeds[1]%2 == 0 {
					c, err = a.DialEarly(ctx, "tcp", "10.0.0.2:80", make([]byte, seeds[0]%100_000))
				} else {
					c, err = a.DialFastOpen(parse("0.0.0.0:0"), parse("10.0.0.2:80"), tfo.DialConfig{})
				}
				if err != nil {
					wantSort(t, "dial", err)
					return
				}
				abuse(t, c.(*stack.Conn), seeds[:])
			})
		}
		if round%2 == 0 {
			dials.Wait()
			l.Close()
			all.Wait()
		}
		// In every other round connections end with their stacks.
		a.Close()
		dials.Wait()
		b.Close()
		all.Wait()
		nothingLent(t, a, b)
	}
}

// wantSort checks that an error is of a kind that programs know.
func wantSort(t *testing.T, what string, err error) {
	t.Helper()
	for _, is := range []error{io.EOF, net.ErrClosed, os.ErrDeadlineExceeded, context.DeadlineExceeded, context.Canceled, stack.ErrUnconfirmed,
		syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ENOTCONN, syscall.EISCONN, syscall.ENETDOWN} {
		if errors.Is(err, is) {
			return
		}
	}
	t.Errorf("%s: %v", what, err)
}

// abuse is what goroutines do to a connection, and then closes it.
func abuse(t *testing.T, c *stack.Conn, seeds []uint64) {
	var all sync.WaitGroup
	for _, seed := range seeds {
		all.Go(func() { misuse(t, c, rand.New(rand.NewPCG(seed, 0))) })
	}
	all.Wait()
	if err := c.Close(); err != nil {
		wantSort(t, "close", err)
	}
}

// misuse does a dozen things to a connection, in any order.
func misuse(t *testing.T, c *stack.Conn, r *rand.Rand) {
	// Nothing waits for ever.
	c.SetDeadline(time.Now().Add(50 * time.Millisecond))
	buf := make([]byte, 10_000)
	for range 12 {
		var err error
		what := ""
		switch r.IntN(15) {
		case 0:
			what = "close"
			err = c.Close()
		case 1:
			what = "close for writing"
			err = c.CloseWrite()
		case 2:
			what = "close for reading"
			err = c.CloseRead()
		case 3, 4:
			what = "read"
			_, err = c.Read(buf[:r.IntN(len(buf))])
		case 5, 6:
			what = "write"
			_, err = c.Write(buf[:r.IntN(len(buf))])
		case 7:
			what = "read from"
			_, err = c.ReadFrom(io.LimitReader(bytes.NewReader(buf), int64(r.IntN(len(buf)))))
		case 8:
			what = "write to"
			_, err = c.WriteTo(io.Discard)
		case 9:
			what = "set a deadline"
			err = c.SetDeadline(time.Now().Add(time.Duration(r.IntN(20)-5) * time.Millisecond))
		case 10:
			what = "linger"
			err = c.SetLinger(r.IntN(3) - 1)
		case 11:
			what = "begin"
			_, err = c.Begin(buf[:r.IntN(2000)])
		case 12:
			what = "await"
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(10))*time.Millisecond)
			err = c.Await(ctx, [...]string{"", "read", "write"}[r.IntN(3)], tfo.Confirmed)
			cancel()
		case 13:
			what = "confirm"
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(10))*time.Millisecond)
			err = c.Confirmed(ctx)
			cancel()
		case 14:
			_, _, _, _ = c.Info(), c.Outcome(), c.LocalAddr(), c.RemoteAddr()
			_ = c.SetNoDelay(r.IntN(2) == 0)
			_ = c.SetKeepAlivePeriod(time.Second)
			_ = c.SetReadBuffer(r.IntN(100_000))
		}
		if err != nil {
			wantSort(t, what, err)
		}
	}
}
