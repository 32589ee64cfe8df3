package stack_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
)

// TestDay lets programs talk at random for 24 hours of virtual time, over a path
// that loses packets: with data in the SYN and without, much and little, in haste
// and with hours of silence. Every byte must come, once and in order, and in the
// end nothing must be left: no goroutine (the bubble would not end), no buffer, no
// connection.
func TestDay(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 1))
		defer func() {
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		}()
		a, b, la := far(t, rtt, stack.Config{}, stack.Config{})
		var mu sync.Mutex
		losing := rand.New(rand.NewPCG(seed, 2))
		drop := func([]byte) bool {
			mu.Lock()
			defer mu.Unlock()
			return losing.IntN(200) == 0
		}
		la.drop, la.peer.drop = drop, drop
		nl, err := b.ListenFastOpen(parse("0.0.0.0:80"), listenFast(100))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := nl.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					if _, err := io.Copy(c, c); err != nil {
						t.Errorf("the server: %v", err)
					}
				}()
			}
		}()
		end := time.Now().Add(24 * time.Hour / slower)
		var all sync.WaitGroup
		n := 0
		for time.Now().Before(end) {
			n++
			id := n
			size := 1 << rng.IntN(18)
			all.Go(func() {
				if err := talk(a, id, size, rand.New(rand.NewPCG(seed, uint64(id)))); err != nil {
					t.Errorf("connection %d: %v", id, err)
				}
			})
			time.Sleep(time.Duration(rng.ExpFloat64() * float64(20*time.Second)))
		}
		all.Wait()
		nl.Close()
		time.Sleep(10 * time.Minute)
		for name, s := range map[string]*stack.Stack{"client": a, "server": b} {
			s.Do(func(_ time.Time, h *stack.Host) {
				if c, w := h.Sockets(); c != 0 || w != 0 {
					t.Errorf("%s: %d connections and %d in TIME-WAIT are left: %v", name, c, w, stack.Left(h))
				}
			})
		}
		t.Logf("%d connections; %+v", n, b.Stats().FastOpen)
	})
}

// talk sends size bytes in pieces, with pauses, and reads them back.
func talk(a *stack.Stack, id, size int, rng *rand.Rand) error {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	early := data[:rng.IntN(min(size, 1000)+1)]
	var c *stack.Conn
	var err error
	if c, err = a.DialEarly(ctx, "tcp", "10.0.0.2:80", early); err != nil {
		return err
	}
	defer c.Close()
	sent := make(chan error, 1)
	go func() {
		rest := data[len(early):]
		for len(rest) > 0 {
			k := min(1+rng.IntN(50_000), len(rest))
			if _, err := c.Write(rest[:k]); err != nil {
				sent <- err
				return
			}
			rest = rest[k:]
			if rng.IntN(4) == 0 {
				time.Sleep(time.Duration(rng.ExpFloat64() * float64(5*time.Minute)))
			}
		}
		sent <- c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err := errors.Join(err, <-sent); err != nil {
		return err
	}
	if !bytes.Equal(got, data) {
		return fmt.Errorf("%d bytes came back other than the %d sent", len(got), len(data))
	}
	return nil
}

// TestManyConnections holds 10,000 connections at once, all in use.
func TestManyConnections(t *testing.T) {
	const n = 10_000 / slower
	a, b := ends(t, link.PipeConfig{Offload: true}, stack.Config{}, stack.Config{})
	l, err := b.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	var servers, clients sync.WaitGroup
	servers.Go(func() {
		for range n {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			servers.Go(func() {
				defer c.Close()
				if _, err := io.Copy(c, c); err != nil {
					t.Error(err)
				}
			})
		}
	})
	conns := make([]net.Conn, n)
	for i := range conns {
		if conns[i], err = a.Dial("tcp", serverAddr4+":80"); err != nil {
			t.Fatal(err)
		}
	}
	if c, _ := sockets(a); c != n {
		t.Errorf("%d connections, want %d", c, n)
	}
	for i, c := range conns {
		clients.Go(func() {
			defer c.Close()
			want := []byte(fmt.Sprintf("this is connection %d", i))
			got := make([]byte, len(want))
			for range 3 {
				if _, err := c.Write(want); err != nil {
					t.Error(err)
					return
				}
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %q, %v; want %q", got, err, want)
					return
				}
			}
		})
	}
	clients.Wait()
	servers.Wait()
}

func sockets(s *stack.Stack) (conns, waits int) {
	s.Do(func(_ time.Time, h *stack.Host) { conns, waits = h.Sockets() })
	return conns, waits
}
