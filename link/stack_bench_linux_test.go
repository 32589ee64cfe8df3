package link_test

import (
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"golang.org/x/sys/unix"
)

// One stream between a stack on a TUN device and the kernel, out of the stack
// and into it. Both ends are in this process.
func BenchmarkStack(b *testing.B) {
	if netns.IsolateBenchmark(b) {
		b.SkipNow()
	}
	h := netns.New(b, "bench")
	q := openQueues(b, h, link.TUNConfig{Name: "tun0"}, 1)[0]
	h.Up(b, "tun0", netip.PrefixFrom(netns.A4, 24))
	st, err := stack.New(stack.Config{Links: []stack.Link{q}, Addresses: []netip.Prefix{netip.PrefixFrom(netns.B4, 24)}})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	l, err := st.Listen("tcp", ":99")
	if err != nil {
		b.Fatal(err)
	}
	d := net.Dialer{Control: cubic}
	for _, out := range []bool{true, false} {
		name := "in"
		if out {
			name = "out"
		}
		b.Run(name, func(b *testing.B) {
			var from net.Conn
			h.Do(func() { from, err = d.Dial("tcp", netip.AddrPortFrom(netns.B4, 99).String()) })
			if err != nil {
				b.Fatal(err)
			}
			to, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			if out {
				from, to = to, from
			}
			pump(b, from, to)
		})
	}
}

// pump sends b.N pieces of 256 KiB.
func pump(b *testing.B, from, to net.Conn) {
	b.Helper()
	defer to.Close()
	arrived := make(chan int)
	go func() {
		buf, total := make([]byte, 256<<10), 0
		for {
			n, err := to.Read(buf)
			total += n
			if err != nil {
				if err != io.EOF {
					b.Error(err)
				}
				arrived <- total
				return
			}
		}
	}()
	piece := pattern(256 << 10)
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := from.Write(piece); err != nil {
			b.Fatal(err)
		}
	}
	from.Close()
	if got, want := <-arrived, b.N*len(piece); got != want {
		b.Fatalf("%d bytes arrived, want %d", got, want)
	}
	b.ReportMetric(float64(b.N)*float64(len(piece))*8/float64(b.Elapsed().Nanoseconds()), "Gbit/s")
}

// cubic makes figures comparable, whatever the machine's own choice is.
func cubic(_, _ string, c syscall.RawConn) (err error) {
	cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
	})
	if cerr != nil {
		return cerr
	}
	return err
}
