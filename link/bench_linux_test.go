package link_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

// What it costs to hand the kernel a packet, which it drops: nobody listens, and
// nobody is told.
func BenchmarkTUNQueueSend(b *testing.B) {
	if netns.IsolateBenchmark(b) {
		b.SkipNow()
	}
	h := netns.New(b, "bench")
	q := openQueues(b, h, link.TUNConfig{Name: "tun0"}, 1)[0]
	h.Up(b, "tun0", netip.MustParsePrefix("10.99.0.1/24"))
	for _, size := range []int{64, 1500, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			data := min(size-52, 65535-52)
			s := segment(0, pattern(data)) // to an address that is not the host's
			if data > 1448 {
				s.Split = 1448
			}
			batch := []wire.Packet{packet(&s)}
			b.SetBytes(int64(s.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := q.Send(batch); n != 1 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// What it costs to receive what the kernel sends: UDP datagrams, each after it
// was sent.
func BenchmarkTUNQueueReceive(b *testing.B) {
	if netns.IsolateBenchmark(b) {
		b.SkipNow()
	}
	h := netns.New(b, "bench")
	q := openQueues(b, h, link.TUNConfig{Name: "tun0"}, 1)[0]
	h.Sysctl(b, "net.ipv6.conf.tun0.disable_ipv6", "1")
	h.Up(b, "tun0", netip.PrefixFrom(netns.A4, 24))
	var c net.Conn
	var err error
	h.Do(func() { c, err = net.Dial("udp", netip.AddrPortFrom(netns.B4, 9).String()) })
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	batch, payload := make([]wire.Packet, 64), pattern(1472)
	b.SetBytes(1472)
	b.ReportAllocs()
	const burst = 32
	for b.Loop() {
		b.StopTimer()
		for range burst {
			c.Write(payload)
		}
		b.StartTimer()
		for got := 0; got < burst; {
			n, err := q.Receive(batch)
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/burst, "ns/packet")
}

// Two kernels that talk TCP through a loop that copies: what a stack at a device
// could reach at best, if it cost nothing.
func BenchmarkRelay(b *testing.B) {
	if netns.IsolateBenchmark(b) {
		b.SkipNow()
	}
	b.Run("TUNQueue", func(b *testing.B) {
		x, y := netns.New(b, "x"), netns.New(b, "y")
		qx, qy := openQueues(b, x, link.TUNConfig{Name: "tun0"}, 1), openQueues(b, y, link.TUNConfig{Name: "tun0"}, 1)
		x.Up(b, "tun0", netip.PrefixFrom(netns.A4, 24))
		y.Up(b, "tun0", netip.PrefixFrom(netns.B4, 24))
		connect(b, links(qx...), links(qy...))
		stream(b, x, y)
	})
	b.Run("TUN", func(b *testing.B) {
		x, y := netns.New(b, "x"), netns.New(b, "y")
		var ends [2]link.Link
		for i, h := range []*netns.Host{x, y} {
			var dev *link.TUN
			var err error
			h.Do(func() { dev, err = link.OpenTUN(link.TUNConfig{Name: "tun0"}) })
			if err != nil {
				b.Fatal(err)
			}
			if ends[i], err = link.FromDevice(dev); err != nil {
				b.Fatal(err)
			}
		}
		x.Up(b, "tun0", netip.PrefixFrom(netns.A4, 24))
		y.Up(b, "tun0", netip.PrefixFrom(netns.B4, 24))
		connect(b, ends[:1], ends[1:])
		stream(b, x, y)
	})
	b.Run("Ethernet", func(b *testing.B) {
		x, m, y := netns.New(b, "x"), netns.New(b, "m"), netns.New(b, "y")
		devX, toX, toY, devY := between(b, x, m, y)
		lx := openEthernet(b, m, link.EthernetConfig{Interface: toX, HardwareAddr: macOf(b, y, devY)})
		ly := openEthernet(b, m, link.EthernetConfig{Interface: toY, HardwareAddr: macOf(b, x, devX)})
		connect(b, links(lx), links(ly))
		stream(b, x, y)
		b.ReportMetric(float64(lx.Lost()+ly.Lost()+lx.Drops()+ly.Drops()), "lost")
	})
}

// stream sends from x's kernel to y's.
func stream(b *testing.B, x, y *netns.Host) {
	b.Helper()
	var l net.Listener
	var c net.Conn
	var err error
	y.Do(func() { l, err = net.Listen("tcp", netip.AddrPortFrom(netns.B4, 0).String()) })
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	x.Do(func() { c, err = (&net.Dialer{Control: cubic}).Dial("tcp", l.Addr().String()) })
	if err != nil {
		b.Fatal(err)
	}
	to, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	pump(b, c, to)
}
