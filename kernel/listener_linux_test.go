package kernel

import (
	"context"
	"testing"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
)

// Requirement SRV-27: the limit is cut to net.core.somaxconn.
func TestQueue(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	netns.Self(t).Sysctl(t, "net.core.somaxconn", "128")
	for _, c := range []struct{ ask, want int }{{100, 100}, {128, 128}, {4096, 128}, {-1, 0}} {
		l, err := (&fastopen.ListenConfig{Queue: c.ask}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if got, err := Queue(l); err != nil || got != c.want {
			t.Errorf("asked for %d: got %d, %v; want %d", c.ask, got, err, c.want)
		}
	}
}
