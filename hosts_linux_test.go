package fastopen_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/tfo"
)

// fastOn lets a host use Fast Open in both roles.
func fastOn(t testing.TB, hosts ...*netns.Host) {
	t.Helper()
	for _, h := range hosts {
		h.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	}
}

// listen makes a listener on h, which ends with the test.
func listen(t testing.TB, h *netns.Host, lc fastopen.ListenConfig, address string) *fastopen.Listener {
	t.Helper()
	var l *fastopen.Listener
	var err error
	h.Do(func() { l, err = lc.Listen(context.Background(), "tcp", address) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.FastOpen(); err != nil && lc.Queue >= 0 {
		t.Fatalf("listener on %s: %v", address, err)
	}
	return l
}

// echo answers every connection of l with what it sends.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			io.Copy(c, c)
			c.Close()
		}()
	}
}

// prime lets the client's kernel forget all cookies and get one for address,
// so that the next dial is put off.
func prime(t testing.TB, client *netns.Host, address string) {
	t.Helper()
	client.FlushTCPMetrics(t)
	d := fastopen.Dialer{Cache: new(tfo.Cache)}
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if o := c.(*fastopen.Conn).Outcome(); o.Status != tfo.CookieRequested {
		t.Fatalf("first contact with %s: got %v, want a cookie request", address, o)
	}
	c.Close()
}
