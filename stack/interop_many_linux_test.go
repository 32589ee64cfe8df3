package stack_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/tfo"
)

// many is how many connections are open at one time: as many as the process may
// have descriptors for the kernel's ends, 10,000 at most.
func many(t *testing.T) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n := min(10_000, int(limit.Cur)-200)
	if testing.Short() || slower > 1 {
		n = min(n, 1000)
	}
	return n
}

// Ten thousand connections are open at the same time, and each is answered.
func TestInteropMany(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	p.kernel.Sysctl(t, "net.core.somaxconn", "10000")
	n := many(t)
	hold := func(t *testing.T, dial func(ctx context.Context, network, address string) (net.Conn, error), address string) {
		ctx := within(t)
		conns := make([]net.Conn, n)
		each := func(what string, f func(i int) error) {
			t.Helper()
			began := time.Now()
			var all sync.WaitGroup
			errs := make(chan error, n)
			turns := make(chan struct{}, 100)
			for i := range n {
				turns <- struct{}{}
				all.Go(func() {
					errs <- f(i)
					<-turns
				})
			}
			all.Wait()
			close(errs)
			failed := 0
			for err := range errs {
				if err != nil {
					if failed++; failed == 1 {
						t.Errorf("%s: %v", what, err)
					}
				}
			}
			if failed > 0 {
				t.Fatalf("%s: %d of %d failed", what, failed, n)
			}
			t.Logf("%s: %d in %v", what, n, time.Since(began).Round(time.Millisecond))
		}
		each("open", func(i int) (err error) {
			conns[i], err = dial(ctx, "tcp", address)
			return err
		})
		each("ask", func(i int) error {
			conns[i].SetDeadline(time.Now().Add(time.Minute))
			question := fmt.Sprintf("%064d", i)
			if _, err := io.WriteString(conns[i], question); err != nil {
				return err
			}
			b := make([]byte, 64)
			if _, err := io.ReadFull(conns[i], b); err != nil || string(b) != question {
				return fmt.Errorf("connection %d was answered %q: %v", i, b, err)
			}
			return nil
		})
		each("close", func(i int) error { return conns[i].Close() })
	}
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		t.Run("kernel dials", func(t *testing.T) {
			s := p.serveStack(t, ours, tfo.ListenConfig{Queue: 10}).serve(echo)
			hold(t, new(net.Dialer).DialContext, s.address())
		})
		t.Run("stack dials", func(t *testing.T) {
			s := serveKernel(t, kernel, fastopen.ListenConfig{}).serve(echo)
			hold(t, p.stack.DialContext, s.address())
		})
	})
	if d := p.stack.Stats().Drops; d.ListenOverflows+d.TooManySockets+d.BadTCP != 0 {
		t.Errorf("the stack dropped %+v", d)
	}
}
