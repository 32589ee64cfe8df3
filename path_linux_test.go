package fastopen_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tfo"
)

// dropping is a box that drops what matches while it is switched on.
type dropping struct {
	on    atomic.Bool
	match func(sim.Seen) bool
}

func (d *dropping) hop() sim.Box {
	return sim.Drop(func(s sim.Seen) bool { return d.on.Load() && d.match(s) })
}

// TestPaths goes through what a path can do to Fast Open.
func TestPaths(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	fastOn(t, client, server)
	var tap sim.Tap
	synData := &dropping{match: func(s sim.Seen) bool { return s.SYN && s.Len > 0 }}
	synOption := &dropping{match: func(s sim.Seen) bool { return s.SYN && s.FastOpen && s.Dir == sim.AtoB }}
	acks := &dropping{match: func(s sim.Seen) bool { return s.Dir == sim.AtoB && !s.SYN }}
	after := &dropping{match: func(s sim.Seen) bool { return !s.SYN }}
	netns.Path(t, client, server, sim.NewPath(1, &tap,
		synData.hop(), synOption.hop(), acks.hop(), after.hop(), sim.Delay(2*time.Millisecond)))

	during := func(box *dropping, f func()) {
		box.on.Store(true)
		defer box.on.Store(false)
		f()
	}
	for _, address := range serverAddrs {
		fresh := func(lc fastopen.ListenConfig) (*fastopen.Listener, string, *fastopen.Dialer) {
			l := listen(t, server, lc, address)
			go echo(l)
			addr := l.Addr().String()
			prime(t, client, addr)
			return l, addr, dialer()
		}

		t.Run("queue full "+address, func(t *testing.T) {
			_, addr, d := fresh(fastopen.ListenConfig{Queue: 1})
			before := server.Counters(t)
			during(acks, func() {
				c, err := d.DialEarly(t.Context(), "tcp", addr, []byte("hello"))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				// The server has it, and waits for an ACK: its place is taken.
				if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
					t.Fatal(err)
				}
				second := dialer()
				second.FallbackDelay = -1
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				o, err := second.DialEarly(ctx, "tcp", addr, []byte("hello"))
				if err != nil {
					t.Fatal(err)
				}
				defer o.Close()
				want(t, "queue full", o.Outcome(), tfo.FellBack, tfo.Unacknowledged)
			})
			if n := server.Counters(t).Since(before)["TCPFastOpenListenOverflow"]; n != 1 {
				t.Errorf("TCPFastOpenListenOverflow grew by %d, want 1", n)
			}
		})

		t.Run("SYN with data lost "+address, func(t *testing.T) {
			_, addr, d := fresh(fastopen.ListenConfig{})
			d.FallbackDelay = -1 // leave it to the kernel
			during(synData, func() {
				want(t, "SYN lost", exchange(t, d, addr, "hello"), tfo.FellBack, tfo.Lost)
				want(t, "remembered", exchange(t, d, addr, "hello"), tfo.Off, tfo.Avoided)
			})
		})

		t.Run("SYN with data lost, overtaken "+address, func(t *testing.T) {
			_, addr, d := fresh(fastopen.ListenConfig{})
			d.FallbackDelay = 20 * time.Millisecond
			during(synData, func() {
				start := time.Now()
				want(t, "SYN lost", exchange(t, d, addr, "hello"), tfo.FellBack, tfo.Overtaken)
				if took := time.Since(start); took > 900*time.Millisecond {
					t.Errorf("took %v, as long as the kernel alone", took)
				}
				want(t, "remembered", exchange(t, d, addr, "hello"), tfo.Off, tfo.Avoided)
			})
			d = dialer()
			d.FallbackDelay = 20 * time.Millisecond
			during(synData, func() {
				c, err := d.DialEarly(t.Context(), "tcp", addr, []byte("hello"))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				want(t, "DialEarly", c.Outcome(), tfo.FellBack, tfo.Overtaken)
				if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
					t.Error(err)
				}
			})
		})

		t.Run("SYN with the option lost "+address, func(t *testing.T) {
			_, addr, d := fresh(fastopen.ListenConfig{})
			client.FlushTCPMetrics(t)
			d.FallbackDelay = 20 * time.Millisecond
			during(synOption, func() {
				want(t, "cookie request lost", exchange(t, d, addr, "hello"), tfo.FellBack, tfo.Overtaken)
				want(t, "remembered", exchange(t, d, addr, "hello"), tfo.Off, tfo.Avoided)
			})
		})

		t.Run("black hole after the handshake "+address, func(t *testing.T) {
			_, addr, d := fresh(fastopen.ListenConfig{})
			client.Sysctl(t, "net.ipv4.tcp_fastopen_blackhole_timeout_sec", "60")
			defer client.Sysctl(t, "net.ipv4.tcp_fastopen_blackhole_timeout_sec", "0")
			c, err := d.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			after.on.Store(true)
			defer after.on.Store(false)
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte("more")); err != nil { // waits for the SYN-ACK
				t.Fatal(err)
			}
			fc := c.(*fastopen.Conn)
			// Three timeouts without an answer: some 1.5 s at this round trip.
			deadline := time.Now().Add(10 * time.Second)
			ticker := time.NewTicker(50 * time.Millisecond)
			defer ticker.Stop()
			for fc.Outcome().Cause != tfo.BlackHole && time.Now().Before(deadline) {
				<-ticker.C
			}
			want(t, "nothing but silence", fc.Outcome(), tfo.FellBack, tfo.BlackHole)
			after.on.Store(false)
			want(t, "remembered", exchange(t, d, addr, "hello"), tfo.Off, tfo.Avoided)
			want(t, "by the kernel, too (requirement MBOX-3)", exchange(t, dialer(), addr, "hello"), tfo.Off, tfo.Paused)
		})

		t.Run("written and closed at once "+address, func(t *testing.T) {
			l := listen(t, server, fastopen.ListenConfig{}, address)
			addr := l.Addr().String()
			prime(t, client, addr)
			if c, err := l.Accept(); err == nil {
				c.Close()
			}
			c, err := dialer().Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write([]byte("last words")); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("read after close: %v", err)
			}
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if b, err := io.ReadAll(s); string(b) != "last words" || err != nil {
				t.Errorf("got %q, %v", b, err)
			}
		})

		t.Run("half closed at once "+address, func(t *testing.T) {
			_, addr, d := fresh(fastopen.ListenConfig{})
			c, err := d.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte("question")); err != nil {
				t.Fatal(err)
			}
			if err := c.(*fastopen.Conn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(c); string(b) != "question" || err != nil {
				t.Errorf("got %q, %v", b, err)
			}
			want(t, "half closed", c.(*fastopen.Conn).Outcome(), tfo.DataAccepted, tfo.NoCause)
		})
	}
}
