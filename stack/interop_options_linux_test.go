package stack_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// What the kernel does not offer is done without, also where packets are lost.
func TestInteropOptions(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	off := map[string]string{"net.ipv4.tcp_timestamps": "0", "net.ipv4.tcp_sack": "0", "net.ipv4.tcp_window_scaling": "0"}
	for _, x := range []struct {
		name   string
		kernel map[string]string
		stack  tcp.Config
	}{
		{"kernel without timestamps", map[string]string{"net.ipv4.tcp_timestamps": "0"}, tcp.Config{}},
		{"kernel without SACK", map[string]string{"net.ipv4.tcp_sack": "0"}, tcp.Config{}},
		{"kernel without window scaling", map[string]string{"net.ipv4.tcp_window_scaling": "0"}, tcp.Config{}},
		{"kernel without any", off, tcp.Config{}},
		{"kernel with ECN", map[string]string{"net.ipv4.tcp_ecn": "1"}, tcp.Config{ECN: true}},
		{"stack without timestamps", nil, tcp.Config{NoTimestamps: true}},
		{"stack without SACK", nil, tcp.Config{NoSACK: true}},
		{"stack without window scaling", nil, tcp.Config{NoWindowScale: true}},
		{"stack without any", nil, tcp.Config{NoTimestamps: true, NoSACK: true, NoWindowScale: true}},
		{"stack with NewReno", nil, tcp.Config{Congestion: tcp.NewReno}},
	} {
		t.Run(x.name, func(t *testing.T) {
			way := sim.Way{Delay: 2 * time.Millisecond, Loss: 0.005, Reorder: 0.005, Mark: 100_000, Rate: 500e6}
			p := join(t, plug{hops: []sim.Hop{sim.Both(way)}, config: stack.Config{Settings: stack.Settings{TCP: x.stack}}})
			for name, value := range x.kernel {
				was := p.kernel.ReadSysctl(t, name)
				p.kernel.Sysctl(t, name, value)
				defer p.kernel.Sysctl(t, name, was)
			}
			p.roles(t, func(t *testing.T, kernel, stack fastConn) { exchange(t, kernel, stack, much()/8) })
		})
	}
}

// Requirement SRV-3 and RFC 4987: the handshake by SYN cookies, in both roles. Data
// in a SYN has to be sent again.
func TestInteropSYNCookies(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{config: stack.Config{Settings: stack.Settings{SYNQueue: -1}}})
	p.kernel.Sysctl(t, "net.ipv4.tcp_syncookies", "2")
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		before, then := p.kernel.Counters(t), p.stack.Stats().SYNCookies
		a := p.serveStack(t, ours, tfo.ListenConfig{Queue: 10}).serve(echo)
		b := serveKernel(t, kernel, fastopen.ListenConfig{}).serve(echo)
		for range 3 {
			wantOutcome(t, "kernel asks", ask(t, dialKernel, a.address(), "hello"), tfo.CookieRequested)
			wantOutcome(t, "stack asks", ask(t, p.dialStack, b.address(), "hello"), tfo.CookieRequested)
		}
		got := p.stack.Stats().SYNCookies
		if got.Sent-then.Sent != 3 || got.Recv-then.Recv != 3 || got.Failed != then.Failed {
			t.Errorf("the stack counts %+v after %+v", got, then)
		}
		wantCounters(t, "stack asked", p.kernel.Counters(t).Since(before), netns.Counters{
			"SyncookiesSent": 3, "SyncookiesRecv": 3, "SyncookiesFailed": 0,
		})
	})
}

// RFC 6191 and RFC 9293 section 3.6.1: a connection may take the place of one in
// TIME-WAIT with the same addresses and ports, at once; on either side.
func TestInteropTimeWait(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	// The server closes first, and so is the one to wait.
	serve := func(c net.Conn) {
		b := make([]byte, 5)
		if _, err := c.Read(b); err == nil {
			c.Write(b)
		}
		c.Close()
	}
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		repeat := func(t *testing.T, dial func(ctx context.Context) (net.Conn, error)) {
			began := time.Now()
			for i := range 5 {
				ctx := within(t)
				c, err := dial(ctx)
				for inUse(err) && ctx.Err() == nil { // until our FIN is acknowledged
					runtime.Gosched()
					c, err = dial(ctx)
				}
				if err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
				c.SetDeadline(time.Now().Add(time.Minute))
				if _, err := c.Write([]byte("hello")); err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
				if h, n, err := sum(c); err != nil || n != 5 {
					t.Fatalf("connection %d: %d bytes %x: %v", i, n, h[:4], err)
				}
				if err := c.Close(); err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("five connections in turn took %v", took)
			}
		}
		t.Run("stack waits", func(t *testing.T) {
			s := p.serveStack(t, ours, tfo.ListenConfig{}).serve(serve)
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(kernel, 23456)), Control: reuse}
			before := p.stack.Stats()
			repeat(t, func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", s.address()) })
			if got := p.stack.Stats(); got.TimeWaits-before.TimeWaits < 4 {
				t.Errorf("the stack had %d connections in TIME-WAIT", got.TimeWaits-before.TimeWaits)
			}
		})
		t.Run("kernel waits", func(t *testing.T) {
			s := serveKernel(t, kernel, fastopen.ListenConfig{}).serve(serve)
			remote := netip.MustParseAddrPort(s.address())
			before := p.kernel.Counters(t)
			repeat(t, func(ctx context.Context) (net.Conn, error) {
				c, err := p.stack.DialFastOpen(netip.AddrPortFrom(ours, 23456), remote, tfo.DialConfig{Off: true})
				if err != nil {
					return nil, err
				}
				return c, c.(*stack.Conn).Await(ctx, "", tfo.Confirmed)
			})
			if n := p.kernel.Counters(t).Since(before)["PassiveOpens"]; n != 5 {
				t.Errorf("the kernel accepted %d", n)
			}
		})
	})
}

// inUse reports whether a dial failed because the port was taken.
func inUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// reuse lets a socket be bound to a port that was in use just now.
func reuse(_, _ string, c syscall.RawConn) (err error) {
	if e := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}); e != nil {
		return e
	}
	return err
}
