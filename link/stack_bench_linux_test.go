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

// One stream between a stack at a device and the kernel, out of the stack and into
// it. Both ends are in this process.
func BenchmarkStack(b *testing.B) {
	if netns.IsolateBenchmark(b) {
		b.SkipNow()
	}
	b.Run("TUNQueue", func(b *testing.B) {
		h := netns.New(b, "bench")
		q := openQueues(b, h, link.TUNConfig{Name: "tun0"}, 1)[0]
		h.Up(b, "tun0", netip.PrefixFrom(netns.A4, 24))
		bothWays(b, h, q)
	})
	b.Run("Ethernet", func(b *testing.B) {
		h, m := netns.New(b, "bench"), netns.New(b, "m")
		_, toH := netns.Veth(b, h, m, netip.PrefixFrom(netns.A4, 24), netip.MustParsePrefix("192.0.2.1/32"))
		e := openEthernet(b, m, link.EthernetConfig{Interface: toH, HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 0x42}})
		bothWays(b, h, e)
	})
}

// bothWays measures between h's kernel at A4 and a stack at B4.
func bothWays(b *testing.B, h *netns.Host, at stack.Link) {
	st, err := stack.New(stack.Config{Links: []stack.Link{at}, Addresses: []netip.Prefix{netip.PrefixFrom(netns.B4, 24)}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	l, err := st.Listen("tcp", ":99")
	if err != nil {
		b.Fatal(err)
	}
	d := net.Dialer{Control: cubic}
	for _, way := range []string{"out", "in"} {
		b.Run(way, func(b *testing.B) {
			var from net.Conn
			h.Do(func() { from, err = d.Dial("tcp", netip.AddrPortFrom(netns.B4, 99).String()) })
			if err != nil {
				b.Fatal(err)
			}
			to, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			if way == "out" {
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
