package stack_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// TestConnectAllocations: what a connection costs that is opened, sends 64 bytes each
// way and is closed, both ends and all that they leave behind counted. It is the two
// sockets, which are their owners' to keep, and what these tell afterwards.
func TestConnectAllocations(t *testing.T) {
	if slower > 1 {
		t.Skip("the race detector allocates, too")
	}
	for name, early := range map[string]bool{"plain": false, "fast open": true} {
		set := stack.Settings{LowPort: 1024, HighPort: 65535}
		set.TCP.TimeWait = 2 * time.Millisecond
		x, y := ends(t, link.PipeConfig{Offload: true}, stack.Config{Settings: set}, stack.Config{Settings: set})
		l, err := y.ListenFastOpen(parse(serverAddr4+":80"), tfo.ListenConfig{Queue: 100})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			var b [64]byte
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				if _, err := io.ReadFull(c, b[:]); err == nil {
					_, _ = c.Write(b[:])
					_, _ = c.Read(b[:])
				}
				c.Close()
			}
		}()
		var b [64]byte
		open := func() (net.Conn, error) {
			if early {
				return x.DialEarly(context.Background(), "tcp", serverAddr4+":80", b[:])
			}
			c, err := x.Dial("tcp", serverAddr4+":80")
			if err == nil {
				_, err = c.Write(b[:])
			}
			return c, err
		}
		use := func(n int) {
			for range n {
				c, err := open()
				if err == nil {
					_, err = io.ReadFull(c, b[:])
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				c.Close()
			}
		}
		use(500) // what there is once for all
		const n = 2000
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		use(n)
		runtime.ReadMemStats(&after)
		allocs, bytes := float64(after.Mallocs-before.Mallocs)/n, float64(after.TotalAlloc-before.TotalAlloc)/n
		t.Logf("%s: %.2f allocations, %.0f bytes", name, allocs, bytes)
		if allocs > 4.5 || bytes > 512 {
			t.Errorf("%s: a connection takes %.2f allocations and %.0f bytes, at most 4.5 and 512 are allowed", name, allocs, bytes)
		}
		l.Close()
	}
}
