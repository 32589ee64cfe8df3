package stack_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// wantError checks what an error is, and what it says.
func wantError(t *testing.T, what string, err, is error, says string) {
	t.Helper()
	if is != nil && !errors.Is(err, is) || err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v; want %v, saying %q", what, err, is, says)
	}
}

// A context that is over ends every kind of dial, wherever it is.
func TestDialGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := far(t, rtt, stack.Config{}, stack.Config{})
		l, err := b.Listen("tcp", "10.0.0.2:80") // nobody accepts, nobody reads
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for name, x := range map[string]struct {
			make func() (context.Context, context.CancelFunc)
			is   error
		}{
			"cancelled": {func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, context.Canceled},
			"deadline": {func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(t.Context(), time.Second)
			}, context.DeadlineExceeded},
		} {
			over, cancel := x.make()
			// The peer's buffer and ours are full: what is early does not go out.
			_, err := a.DialEarly(over, "tcp", "10.0.0.2:80", make([]byte, 20<<20))
			wantError(t, name+" while the rest of the early data waits", err, x.is, "dial tcp 10.0.0.2:80")
			if over.Err() == nil {
				t.Errorf("%s: the dial ended before its context did", name)
			}
			for _, network := range []string{"tcp", "udp"} {
				_, err := a.DialContext(over, network, "10.0.0.2:80")
				wantError(t, name+" before a dial of "+network, err, x.is, "dial "+network)
			}
			cancel()
		}
		time.Sleep(10 * time.Minute)
	})
}

// What is said of what cannot be.
func TestWrongConfig(t *testing.T) {
	_, err := stack.New(stack.Config{Links: []stack.Link{nil}})
	wantError(t, "no link", err, nil, "link 0 is nil")
	_, err = stack.New(stack.Config{Addresses: make([]netip.Prefix, 1)})
	wantError(t, "no address", err, nil, "invalid Prefix")
	_, err = stack.New(stack.Config{Routes: []stack.Route{{Link: 3}}})
	wantError(t, "no such link", err, nil, "link 3 does not exist")
}

// What is said of what cannot be listened on, or dialed.
func TestWrongAddresses(t *testing.T) {
	a, _ := ends(t, link.PipeConfig{}, stack.Config{}, stack.Config{})
	l, err := a.Listen("tcp", ":http")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := l.Addr().(*net.TCPAddr).Port; got != 80 {
		t.Errorf("the port of http is %d", got)
	}
	u, err := a.ListenPacket("udp", ":domain")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for _, x := range []struct {
		network, address string
		is               error
		says             string
	}{
		{"tcp", ":80", syscall.EADDRINUSE, "listen tcp :80: bind"},
		{"tcp", "10.0.0.1:80", syscall.EADDRINUSE, "listen tcp 10.0.0.1:80: bind"},
		{"tcp", "192.0.2.1:80", syscall.EADDRNOTAVAIL, "192.0.2.1:80"},
		{"tcp", ":nonesuch", nil, "name of a service"},
		{"tcp", ":65536", nil, "0 to 65535"},
		{"tcp", "name:80", nil, "address of the stack"},
		{"tcp6", "10.0.0.1:80", nil, "family"},
		{"udp", ":53", syscall.EADDRINUSE, "listen udp :53: bind"},
		{"udp", "192.0.2.1:53", syscall.EADDRNOTAVAIL, "192.0.2.1:53"},
	} {
		var err error
		if x.network == "udp" {
			_, err = a.ListenPacket(x.network, x.address)
		} else {
			_, err = a.Listen(x.network, x.address)
		}
		wantError(t, "listen on "+x.network+" "+x.address, err, x.is, x.says)
	}
	// Both families of the host itself are tried; the first says what is wrong.
	_, err = a.Dial("tcp", ":81")
	wantError(t, "dial this host", err, syscall.ECONNREFUSED, "127.0.0.1:81")
	_, err = a.Dial("tcp", "server.example:80")
	wantError(t, "dial a name", err, nil, "lookup server.example: the stack knows no name server")
}

// The device goes away under a stack: what is dialed fails at once, and what there is
// can be closed.
func TestLinkEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, err := link.NewPipe(link.PipeConfig{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := stack.New(stack.Config{Links: []stack.Link{l}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}})
		if err != nil {
			t.Fatal(err)
		}
		u, err := a.Dial("udp", "10.0.0.2:53")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		synctest.Wait()
		_, err = a.Dial("tcp", "10.0.0.2:80")
		wantError(t, "dial", err, syscall.ENETDOWN, "dial tcp 10.0.0.2:80")
		_, err = u.Write([]byte("hello"))
		wantError(t, "write", err, syscall.ENETDOWN, "write udp")
		// The host itself is still there.
		_, err = a.Dial("tcp", "10.0.0.1:80")
		wantError(t, "dial itself", err, syscall.ECONNREFUSED, "dial tcp 10.0.0.1:80")
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// A dial from an address of one's own takes any port that is free to that remote
// address: TIME-WAIT does not get in its way as long as there is one.
func TestDialFromAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ports = 10
		a, b, _ := far(t, rtt, stack.Config{Settings: stack.Settings{LowPort: 40000, HighPort: 40000 + ports - 1}}, stack.Config{})
		l, err := b.Listen("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for i := range ports {
			var from netip.AddrPort // in turn with such as say nothing, whose ports are others
			if i%2 == 0 {
				from = parse("10.0.0.1:0")
			}
			c, err := a.DialFastOpen(from, parse("10.0.0.2:80"), tfo.DialConfig{Off: true})
			if err != nil {
				t.Fatalf("dial %d: %v", i, err)
			}
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close() // first, so the TIME-WAIT is here
			time.Sleep(rtt)
			s.Close()
			time.Sleep(rtt)
		}
		_, err = a.DialFastOpen(parse("10.0.0.1:0"), parse("10.0.0.2:80"), tfo.DialConfig{Off: true})
		wantError(t, "one more", err, syscall.EADDRNOTAVAIL, "10.0.0.1:0->10.0.0.2:80")
		_, err = a.DialFastOpen(parse("192.0.2.1:0"), parse("10.0.0.2:80"), tfo.DialConfig{})
		wantError(t, "an address of others", err, syscall.EADDRNOTAVAIL, "192.0.2.1:0")
		time.Sleep(10 * time.Minute)
	})
}
