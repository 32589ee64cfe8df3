package fastopen_test

import (
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
)

// sockets counts the process's open sockets.
func sockets(t testing.TB) (n int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// TestNothingLeft uses and abandons connections in every state and checks
// that no socket and no goroutine stays behind.
func TestNothingLeft(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	fastOn(t, client, server)
	synData := &dropping{match: func(s sim.Seen) bool { return s.SYN && s.Len > 0 }}
	netns.Path(t, client, server, sim.NewPath(1, synData.hop(), sim.Delay(2*time.Millisecond)))
	for _, address := range serverAddrs {
		l := listen(t, server, fastopen.ListenConfig{}, address)
		go echo(l)
		addr := l.Addr().String()
		prime(t, client, addr)
		socketsBefore, goroutinesBefore := sockets(t), runtime.NumGoroutine()
		var wg sync.WaitGroup
		for i := range 100 {
			synData.on.Store(i >= 50)
			d := dialer()
			d.FallbackDelay = 5 * time.Millisecond
			c, err := d.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				defer c.Close()
				switch i % 5 {
				case 0: // closed unused
				case 1: // closed while the SYN is on its way
					c.Write([]byte("hello"))
				case 2:
					c.Write([]byte("hello"))
					io.ReadFull(c, make([]byte, 5))
				case 3: // closed by another goroutine
					time.AfterFunc(time.Duration(i)*100*time.Microsecond, func() { c.Close() })
					c.Write(make([]byte, 10000))
					io.Copy(io.Discard, c)
				case 4:
					c.SetDeadline(time.Now().Add(time.Duration(i) * 100 * time.Microsecond))
					c.Read(make([]byte, 1))
				}
			})
			if i%10 == 9 {
				wg.Wait()
			}
		}
		wg.Wait()
		synData.on.Store(false)
		// The kernel ends what was closed with data under way, after at most
		// one retransmission of the SYN.
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for deadline := time.Now().Add(20 * time.Second); sockets(t) > socketsBefore || runtime.NumGoroutine() > goroutinesBefore; <-ticker.C {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("%d sockets and %d goroutines, before %d and %d\n%s", sockets(t), runtime.NumGoroutine(),
					socketsBefore, goroutinesBefore, stacks[:runtime.Stack(stacks, true)])
			}
		}
	}
}
