package stack_test

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tfo"
)

// much is how many bytes a transfer has: a gigabyte if FASTOPEN_SOAK is set.
func much() int64 {
	switch {
	case os.Getenv("FASTOPEN_SOAK") != "":
		return 1 << 30
	case testing.Short():
		return 4 << 20
	}
	return 8 << 20 / slower
}

// meet makes a connection and returns the ends of client and server.
func meet(t *testing.T, dial dialer, s *server) (client, accepted fastConn) {
	t.Helper()
	c, err := dial(within(t), s.address(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, s.accept().(fastConn)
}

// roles runs f with a connection that the kernel has dialed, and with one that the
// stack has: for IPv4 and IPv6.
func (p *pair) roles(t *testing.T, f func(t *testing.T, kernel, stack fastConn)) {
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		t.Run("kernel dials", func(t *testing.T) {
			a, b := meet(t, dialKernel, p.serveStack(t, ours, tfo.ListenConfig{Queue: 10}))
			f(t, a, b)
		})
		t.Run("stack dials", func(t *testing.T) {
			a, b := meet(t, p.dialStack, serveKernel(t, kernel, fastopen.ListenConfig{}))
			f(t, b, a)
		})
	})
}

// send writes n bytes and ends the stream.
func send(t *testing.T, c fastConn, seed uint64, n int64) {
	if _, err := io.CopyBuffer(struct{ io.Writer }{c}, noise(seed, n), make([]byte, 256<<10)); err != nil {
		t.Errorf("write: %v", err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Errorf("close for writing: %v", err)
	}
}

// receive reads to the end and compares with what send has written.
func receive(t *testing.T, c fastConn, seed uint64, n int64) {
	want, _, _ := sum(noise(seed, n))
	got, m, err := sum(struct{ io.Reader }{c})
	if err != nil || m != n || got != want {
		t.Errorf("read %d of %d bytes, the same %v: %v", m, n, got == want, err)
	}
}

// exchange sends n bytes each way at the same time.
func exchange(t *testing.T, a, b fastConn, n int64) time.Duration {
	began := time.Now()
	var all sync.WaitGroup
	for _, f := range []func(){
		func() { send(t, a, 1, n) }, func() { receive(t, b, 1, n) },
		func() { send(t, b, 2, n) }, func() { receive(t, a, 2, n) },
	} {
		all.Go(f)
	}
	all.Wait()
	return time.Since(began)
}

// oneWay sends n bytes from a to b.
func oneWay(t *testing.T, a, b fastConn, n int64) {
	began := time.Now()
	var all sync.WaitGroup
	all.Go(func() { send(t, a, 3, n) })
	all.Go(func() { receive(t, b, 3, n) })
	all.Wait()
	t.Logf("%.2f Gbit/s", float64(n)*8/float64(time.Since(began)))
}

// What is written on one side is read on the other: much, each way alone and both
// at once, with packets of several sizes.
func TestInteropTransfer(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	for _, x := range []struct {
		name string
		mtu  int
	}{{"MTU 1500", 1500}, {"MTU 1280", 1280}, {"MTU 9000", 9000}, {"MTU 65535", 65535}} {
		t.Run(x.name, func(t *testing.T) {
			p := join(t, plug{mtu: x.mtu})
			p.roles(t, func(t *testing.T, kernel, stack fastConn) { oneWay(t, kernel, stack, much()) })
			p.roles(t, func(t *testing.T, kernel, stack fastConn) { oneWay(t, stack, kernel, much()) })
			p.roles(t, func(t *testing.T, kernel, stack fastConn) { exchange(t, kernel, stack, much()/4) })
		})
	}
}

// One direction ends before the other, and the other goes on.
func TestInteropHalfClose(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	half := func(first, second fastConn) func(t *testing.T) {
		return func(t *testing.T) {
			send(t, first, 5, 100)
			receive(t, second, 5, 100)
			go send(t, second, 6, 300_000)
			receive(t, first, 6, 300_000)
		}
	}
	p.roles(t, func(t *testing.T, kernel, stack fastConn) { t.Run("kernel ends first", half(kernel, stack)) })
	p.roles(t, func(t *testing.T, kernel, stack fastConn) { t.Run("stack ends first", half(stack, kernel)) })
}

// A reset of one side is an error of the other.
func TestInteropReset(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	reset := func(t *testing.T, by, of fastConn) {
		by.SetLinger(0)
		by.Close()
		of.SetDeadline(time.Now().Add(time.Minute))
		if _, err := of.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reading: %v", err)
		}
		if _, err := of.Write(make([]byte, 1)); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("writing: %v", err)
		}
	}
	p.roles(t, func(t *testing.T, kernel, stack fastConn) { reset(t, kernel, stack) })
	p.roles(t, func(t *testing.T, kernel, stack fastConn) { reset(t, stack, kernel) })
}

// Nobody listens: refused, on either side.
func TestInteropRefused(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		for name, x := range map[string]struct {
			dial dialer
			to   netip.Addr
		}{"kernel": {p.dialStack, kernel}, "stack": {dialKernel, ours}} {
			began := time.Now()
			_, err := x.dial(within(t), netip.AddrPortFrom(x.to, 9).String(), []byte("hello"))
			if took := time.Since(began); !errors.Is(err, syscall.ECONNREFUSED) || took > time.Second/2 {
				t.Errorf("%s, after %v: %v", name, took, err)
			}
		}
	})
}

// A reader that stops shuts the window; the writer waits, probes, and goes on when
// it reads again.
func TestInteropZeroWindow(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	stall := func(from, to fastConn) func(t *testing.T) {
		return func(t *testing.T) {
			t.Parallel()
			const n = 40 << 20 // more than all buffers together
			done := make(chan struct{})
			go func() {
				send(t, from, 7, n)
				close(done)
			}()
			// Shut: nothing more can be written for longer than a few
			// probes take.
			select {
			case <-done:
				t.Fatal("everything was written although nobody reads")
			case <-time.After(time.Second):
			}
			receive(t, to, 7, n)
			<-done
		}
	}
	t.Run("kernel", func(t *testing.T) {
		p.roles(t, func(t *testing.T, kernel, stack fastConn) { stall(stack, kernel)(t) })
	})
	t.Run("stack", func(t *testing.T) {
		p.roles(t, func(t *testing.T, kernel, stack fastConn) { stall(kernel, stack)(t) })
	})
}

// Packets are lost, doubled and overtaken on the way.
func TestInteropLoss(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	way := sim.Way{Delay: 5 * time.Millisecond, Loss: 0.01, Reorder: 0.01, Duplicate: 0.01}
	p := join(t, plug{hops: []sim.Hop{sim.Both(way)}})
	n := much() / 16
	p.roles(t, func(t *testing.T, kernel, stack fastConn) {
		t.Logf("%d bytes each way in %v", n, exchange(t, kernel, stack, n))
	})
}

// The path becomes narrower while a connection is in use, and a router says so.
func TestInteropPathMTUChanges(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	var narrow atomic.Bool
	small := sim.MTU(1300)
	box := sim.Box(func(now time.Time, d sim.Dir, packet []byte, emit func(sim.Dir, []byte)) {
		if narrow.Load() {
			small(now, d, packet, emit)
		} else {
			emit(d, packet)
		}
	})
	p := join(t, plug{hops: []sim.Hop{box}})
	p.roles(t, func(t *testing.T, kernel, stack fastConn) {
		narrow.Store(false)
		ends := [2]fastConn{kernel, stack}
		for i, c := range ends { // both have sent large packets
			if _, err := io.Copy(c, noise(8, 100_000)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, ends[1-i], 100_000); err != nil {
				t.Fatal(err)
			}
		}
		narrow.Store(true)
		exchange(t, kernel, stack, much()/4)
	})
}

// A router in the middle takes smaller packets than the ends do, and says so; and
// one that does not.
func TestInteropPathMTU(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	n := much() / 16
	t.Run("told", func(t *testing.T) {
		p := join(t, plug{hops: []sim.Hop{sim.Both(sim.Way{Delay: time.Millisecond}), sim.MTU(1300), sim.Both(sim.Way{Delay: time.Millisecond})}})
		p.roles(t, func(t *testing.T, kernel, stack fastConn) { exchange(t, kernel, stack, n) })
	})
	// The kernel takes three timeouts to suspect it, and then as many again.
	t.Run("silent", func(t *testing.T) {
		p := join(t, plug{hops: []sim.Hop{sim.Both(sim.Way{Delay: time.Millisecond}), sim.SilentMTU(1300), sim.Both(sim.Way{Delay: time.Millisecond})}})
		p.kernel.Sysctl(t, "net.ipv4.tcp_mtu_probing", "1")
		p.roles(t, func(t *testing.T, kernel, stack fastConn) {
			t.Parallel()
			exchange(t, kernel, stack, n)
		})
	})
}
