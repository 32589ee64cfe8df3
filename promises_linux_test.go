package fastopen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
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

// TestPromises checks what nettest does not: the promises of net.Conn and
// net.Dialer that Fast Open makes hard to keep.
func TestPromises(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	fastOn(t, client, server)
	everything := &dropping{match: func(sim.Seen) bool { return true }}
	var rst atomic.Bool // answer SYNs with data by RSTs
	resets := sim.ResetSYNData()
	netns.Path(t, client, server, sim.NewPath(1, everything.hop(),
		sim.Box(func(now time.Time, d sim.Dir, packet []byte, emit func(sim.Dir, []byte)) {
			if rst.Load() {
				resets(now, d, packet, emit)
				return
			}
			emit(d, packet)
		}), sim.Delay(2*time.Millisecond)))
	for _, address := range serverAddrs {
		l := listen(t, server, fastopen.ListenConfig{}, address)
		go echo(l)
		addr := l.Addr().String()
		prime(t, client, addr)
		nobody := listen(t, server, fastopen.ListenConfig{}, address)
		refusing := nobody.Addr().String()
		nobody.Close()
		put := func(t *testing.T, d *fastopen.Dialer, addr string) *fastopen.Conn {
			t.Helper()
			c, err := d.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			return c.(*fastopen.Conn)
		}

		t.Run("server speaks first "+address, func(t *testing.T) {
			banner := listen(t, server, fastopen.ListenConfig{}, address)
			go func() {
				c, err := banner.Accept()
				if err != nil {
					return
				}
				c.Write([]byte("220 ready"))
				c.Close()
			}()
			c := put(t, dialer(), banner.Addr().String())
			if b, err := io.ReadAll(c); string(b) != "220 ready" || err != nil {
				t.Errorf("got %q, %v", b, err)
			}
			want(t, "nothing written", c.Outcome(), tfo.Off, tfo.NoData)
			if s := banner.Stats(); s.Cookie != 1 {
				t.Errorf("the server should have seen a cookie without data: %+v", s)
			}
		})

		t.Run("addresses before anything is sent "+address, func(t *testing.T) {
			c := put(t, dialer(), addr)
			if got := c.RemoteAddr().String(); got != addr {
				t.Errorf("remote address %s, want %s", got, addr)
			}
			local := c.LocalAddr().(*net.TCPAddr)
			if local.Port == 0 || local.IP.IsUnspecified() {
				t.Errorf("local address %v", local)
			}
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if got := c.LocalAddr().String(); got != local.String() {
				t.Errorf("local address changed from %v to %s", local, got)
			}
		})

		t.Run("refused "+address, func(t *testing.T) {
			_, plain := net.Dial("tcp", refusing)
			check := func(what string, err error) {
				t.Helper()
				var op *net.OpError
				if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &op) || op.Op != "dial" || err.Error() != plain.Error() {
					t.Errorf("%s: got %q, want %q as package net says", what, err, plain)
				}
			}
			c := put(t, dialer(), refusing)
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			_, err := c.Read(make([]byte, 1))
			check("Read", err)
			want(t, "refused", c.Outcome(), tfo.FellBack, tfo.Reset)
			_, err = c.Read(make([]byte, 1))
			check("Read again", err)
			_, err = c.Write([]byte("x"))
			check("Write", err)
			c = put(t, dialer(), refusing)
			n, err := c.Write(make([]byte, 100000))
			check("long Write", err)
			if n < 0 || n > 1500 {
				t.Errorf("long Write: %d bytes", n)
			}
			_, err = put(t, dialer(), refusing).Read(make([]byte, 1))
			check("Read before any Write", err)
			check("CloseWrite", put(t, dialer(), refusing).CloseWrite())
			_, err = dialer().DialEarly(t.Context(), "tcp", refusing, []byte("hello"))
			check("DialEarly", err)
		})

		t.Run("reset because of data in the SYN "+address, func(t *testing.T) {
			rst.Store(true)
			defer rst.Store(false)
			d := dialer()
			want(t, "first", exchange(t, d, addr, "hello"), tfo.FellBack, tfo.Reset)
			want(t, "second", exchange(t, d, addr, "hello"), tfo.Off, tfo.Avoided)
			c, err := dialer().DialEarly(t.Context(), "tcp", addr, []byte("hello"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			want(t, "DialEarly", c.Outcome(), tfo.FellBack, tfo.Reset)
			if b := make([]byte, 5); true {
				if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
					t.Errorf("got %q, %v", b, err)
				}
			}
		})

		t.Run("nobody there "+address, func(t *testing.T) {
			everything.on.Store(true)
			defer everything.on.Store(false)
			d := dialer()
			d.Timeout = 60 * time.Millisecond
			timedOut := func(what string, err error) {
				t.Helper()
				var op *net.OpError
				if !errors.As(err, &op) || op.Op != "dial" || !op.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: got %v, want a dial that timed out", what, err)
				}
			}
			c := put(t, d, addr)
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			_, err := c.Read(make([]byte, 1))
			timedOut("Dialer.Timeout", err)
			want(t, "nobody there", c.Outcome(), tfo.FellBack, tfo.Lost)
			_, err = d.DialEarly(t.Context(), "tcp", addr, []byte("hello"))
			timedOut("DialEarly", err)
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
			defer cancel()
			late, err := dialer().DialContext(ctx, "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer late.Close()
			<-ctx.Done() // does not matter: the time is granted anew
			if _, err := late.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			_, err = late.Read(make([]byte, 1))
			timedOut("context's deadline", err)

			c = put(t, dialer(), addr)
			c.SetDeadline(time.Now().Add(30 * time.Millisecond))
			if _, err := c.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			if _, err = c.Write([]byte("more")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("second Write: %v, want its deadline", err)
			}
			if err = c.CloseWrite(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("CloseWrite: %v, want the write deadline", err)
			}
			if _, err = c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read: %v, want its deadline", err)
			}
			ctx, cancel = context.WithCancel(t.Context())
			cancel()
			if _, err = dialer().DialEarly(ctx, "tcp", addr, []byte("hello")); !errors.Is(err, context.Canceled) {
				t.Errorf("DialEarly with a cancelled context: %v", err)
			}
		})

		t.Run("cancelled after the dial "+address, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			c, err := dialer().DialContext(ctx, "tcp", addr)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte("hello"))
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				t.Error(err)
			}
			want(t, "cancelled after the dial", c.(*fastopen.Conn).Outcome(), tfo.DataAccepted, tfo.NoCause)
		})

		t.Run("closed unused "+address, func(t *testing.T) {
			before := client.Counters(t)
			c := put(t, dialer(), addr)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := c.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("second Close: %v", err)
			}
			for what, f := range map[string]func() error{
				"Read":       func() error { _, err := c.Read(make([]byte, 1)); return err },
				"Write":      func() error { _, err := c.Write([]byte("x")); return err },
				"empty":      func() error { _, err := c.Write(nil); return err },
				"CloseWrite": c.CloseWrite,
				"Deadline":   func() error { return c.SetDeadline(time.Now()) },
				"Confirmed":  func() error { return c.Confirmed(t.Context()) },
			} {
				if err := f(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s after Close: %v", what, err)
				}
			}
			if n := client.Counters(t).Since(before)["TCPOrigDataSent"]; n != 0 {
				t.Errorf("%d data segments were sent", n)
			}
		})

		t.Run("writes stay whole and in order "+address, func(t *testing.T) {
			c := put(t, dialer(), addr)
			c.SetNoDelay(false)
			const writers, size = 8, 5000
			var wg sync.WaitGroup
			for i := range writers {
				wg.Go(func() {
					if n, err := c.Write([]byte(strings.Repeat(string(rune('a'+i)), size))); n != size || err != nil {
						t.Errorf("write: %d, %v", n, err)
					}
				})
			}
			got := make([]byte, writers*size)
			if _, err := io.ReadFull(c, got); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			for i := 0; i < len(got); i += size {
				if s := string(got[i : i+size]); s != strings.Repeat(s[:1], size) {
					t.Fatalf("the bytes of one Write were torn apart: %q…", s[:40])
				}
			}
		})

		t.Run("copying "+address, func(t *testing.T) {
			c := put(t, dialer(), addr)
			text := strings.Repeat("0123456789", 20000)
			go func() {
				// Not a *strings.Reader's WriteTo: Conn.ReadFrom.
				c.ReadFrom(io.MultiReader(strings.NewReader(text)))
				c.CloseWrite()
			}()
			var b strings.Builder
			if n, err := c.WriteTo(&b); err != nil || int(n) != len(text) || b.String() != text {
				t.Errorf("copied %d bytes of %d, %v", n, len(text), err)
			}
			want(t, "copied", c.Outcome(), tfo.DataAccepted, tfo.NoCause)
		})
	}
	t.Run("other networks", func(t *testing.T) {
		name := t.TempDir() + "/s"
		l, err := net.Listen("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := dialer().Dial("unix", name)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if _, err := dialer().DialEarly(t.Context(), "udp", "127.0.0.1:9", nil); err == nil {
			t.Error("DialEarly over UDP succeeded")
		}
		if _, err := fastopen.Listen("unix", name); err == nil {
			t.Error("Listen on a Unix socket succeeded")
		}
		for _, address := range []string{"10.77.0.2", "10.77.0.2:http-or-so", "no.such.host.invalid:80"} {
			_, ours := dialer().Dial("tcp", address)
			_, theirs := net.Dial("tcp", address)
			if fmt.Sprint(ours) != fmt.Sprint(theirs) {
				t.Errorf("dial %q: got %q, want %q as package net says", address, ours, theirs)
			}
		}
	})
	t.Run("Control is chained", func(t *testing.T) {
		var called []string
		note := func(network, address string, c syscall.RawConn) error {
			called = append(called, network+" "+address)
			return nil
		}
		l := listen(t, client, fastopen.ListenConfig{Control: note}, "127.0.0.1:0")
		go echo(l)
		d := dialer()
		d.Control = note
		exchange(t, d, l.Addr().String(), "hello")
		want(t, "with Control", exchange(t, d, l.Addr().String(), "hello"), tfo.DataAccepted, tfo.NoCause)
		if len(called) != 3 || called[0] != "tcp4 127.0.0.1:0" || called[1] != "tcp4 "+l.Addr().String() {
			t.Errorf("Control was called with %q", called)
		}
		d.ControlContext = func(context.Context, string, string, syscall.RawConn) error { return syscall.EPERM }
		if _, err := d.Dial("tcp", l.Addr().String()); !errors.Is(err, syscall.EPERM) {
			t.Errorf("an error of ControlContext: got %v", err)
		}
	})
}
