package link_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
	"golang.org/x/sys/unix"
)

// openQueues makes a TUN device in h.
func openQueues(t testing.TB, h *netns.Host, c link.TUNConfig, n int) (queues []*link.TUNQueue) {
	t.Helper()
	var err error
	h.Do(func() { queues, err = link.OpenTUNQueues(c, n) })
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queues {
		t.Cleanup(func() { q.Close() })
	}
	return queues
}

// A cable carries packets between two links until the end of the test, and
// counts super-segments by direction.
type cable struct {
	supers, packets [2]atomic.Uint64
}

func connect(t testing.TB, a, b []link.Link) *cable {
	c := new(cable)
	var work sync.WaitGroup
	for d, ends := range [2][2][]link.Link{{a, b}, {b, a}} {
		for i, from := range ends[0] {
			to := ends[1][i%len(ends[1])]
			work.Go(func() {
				batch := make([]wire.Packet, 64)
				for {
					n, err := from.Receive(batch)
					if err != nil {
						if !errors.Is(err, os.ErrClosed) {
							t.Error(err)
						}
						return
					}
					for _, p := range batch[:n] {
						c.packets[d].Add(1)
						if p.Split > 0 {
							c.supers[d].Add(1)
						}
					}
					if _, err := to.Send(batch[:n]); err != nil && !errors.Is(err, os.ErrClosed) {
						t.Error(err)
					}
				}
			})
		}
	}
	t.Cleanup(func() {
		for _, l := range append(a, b...) {
			l.Close()
		}
		work.Wait()
	})
	return c
}

func links[L link.Link](of ...L) (all []link.Link) {
	for _, l := range of {
		all = append(all, l)
	}
	return all
}

// transfer sends n random bytes from a's kernel to b's, and compares.
func transfer(t testing.TB, a, b *netns.Host, to netip.Addr, n int64) {
	t.Helper()
	var l net.Listener
	var err error
	b.Do(func() { l, err = net.Listen("tcp", netip.AddrPortFrom(to, 0).String()) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var c net.Conn
	a.Do(func() { c, err = net.DialTimeout("tcp", l.Addr().String(), 5*time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	compare(t, c, s, n)
}

// compare sends n random bytes over c, which s is to receive.
func compare(t testing.TB, c, s net.Conn, n int64) {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	c.SetDeadline(end)
	s.SetDeadline(end)
	sent, got := sha256.New(), sha256.New()
	var work sync.WaitGroup
	work.Go(func() {
		if _, err := io.CopyN(io.MultiWriter(c, sent), rand.NewChaCha8([32]byte{1}), n); err != nil {
			t.Error(err)
		}
	})
	if k, err := io.CopyN(got, s, n); err != nil {
		t.Errorf("%d bytes of %d arrived: %v", k, n, err)
	}
	work.Wait()
	if string(sent.Sum(nil)) != string(got.Sum(nil)) {
		t.Error("other bytes arrived than were sent")
	}
}

// Two kernels talk through two devices: super-segments go out and in, through
// one queue or two.
func TestTUNQueue(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			a, b := netns.New(t, "a"), netns.New(t, "b")
			qa := openQueues(t, a, link.TUNConfig{Name: "tun0", MTU: 1400}, n)
			qb := openQueues(t, b, link.TUNConfig{Name: "tun0", MTU: 1400}, n)
			a.Up(t, "tun0", netip.PrefixFrom(netns.A4, 24), netip.PrefixFrom(netns.A6, 64))
			b.Up(t, "tun0", netip.PrefixFrom(netns.B4, 24), netip.PrefixFrom(netns.B6, 64))
			for _, q := range qa {
				if name, err := q.Name(); name != "tun0" || err != nil {
					t.Errorf("Name: %q, %v", name, err)
				}
				if mtu, err := q.MTU(); mtu != 1400 || err != nil {
					t.Errorf("MTU: %d, %v", mtu, err)
				}
			}
			c := connect(t, links(qa...), links(qb...))
			for _, to := range []netip.Addr{netns.B4, netns.B6} {
				before := c.supers[0].Load()
				transfer(t, a, b, to, 10<<20)
				if c.supers[0].Load() == before {
					t.Errorf("%v: no super-segment was among the packets", to)
				}
			}
			var drops uint64
			for _, q := range append(qa, qb...) {
				drops += q.Drops()
			}
			if packets := c.packets[0].Load(); packets > 20<<20/1400/2 || drops != 0 {
				t.Errorf("%d packets for 20 MiB, %d dropped: the kernel does not join", packets, drops)
			}
		})
	}
}

// Between a device with offload and one without, everything is cut and joined
// in software; both kernels verify what comes.
func TestTUNQueueToPlain(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, b := netns.New(t, "a"), netns.New(t, "b")
	qa := openQueues(t, a, link.TUNConfig{Name: "tun0"}, 1)
	var plain *link.TUN
	b.Do(func() { plain = openTUN(t, link.TUNConfig{Name: "tun0"}) })
	lb, err := link.FromDevice(plain)
	if err != nil {
		t.Fatal(err)
	}
	a.Up(t, "tun0", netip.PrefixFrom(netns.A4, 24), netip.PrefixFrom(netns.A6, 64))
	b.Up(t, "tun0", netip.PrefixFrom(netns.B4, 24), netip.PrefixFrom(netns.B6, 64))
	c := connect(t, links(qa...), links(lb))
	for _, d := range []struct {
		from, to   *netns.Host
		addr4, to6 netip.Addr
	}{{a, b, netns.B4, netns.B6}, {b, a, netns.A4, netns.A6}} {
		transfer(t, d.from, d.to, d.addr4, 10<<20)
		transfer(t, d.from, d.to, d.to6, 10<<20)
	}
	if c.supers[0].Load() == 0 || c.supers[1].Load() == 0 {
		t.Errorf("super-segments: %d from offload, %d from plain, want some", c.supers[0].Load(), c.supers[1].Load())
	}
}

// The same, the other way round: a link as a device, as wireguard-go sees it.
func TestToDevice(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, b := netns.New(t, "a"), netns.New(t, "b")
	qa := openQueues(t, a, link.TUNConfig{Name: "tun0"}, 1)
	qb := openQueues(t, b, link.TUNConfig{Name: "tun0"}, 1)
	dev, err := link.ToDevice(qb[0])
	if err != nil {
		t.Fatal(err)
	}
	lb, err := link.FromDevice(dev)
	if err != nil {
		t.Fatal(err)
	}
	a.Up(t, "tun0", netip.PrefixFrom(netns.A4, 24))
	b.Up(t, "tun0", netip.PrefixFrom(netns.B4, 24))
	connect(t, links(qa...), links(lb))
	transfer(t, a, b, netns.B4, 10<<20)
	transfer(t, b, a, netns.A4, 10<<20)
}

func TestTUNQueueClose(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	for _, how := range []string{"closed", "deleted"} {
		t.Run(how, func(t *testing.T) {
			q := openQueues(t, h, link.TUNConfig{Name: "tun0"}, 1)[0]
			done := make(chan error)
			batch := make([]wire.Packet, 4)
			go func() {
				for {
					if _, err := q.Receive(batch); err != nil {
						done <- err
						return
					}
				}
			}()
			if how == "closed" {
				if err := q.Close(); err != nil {
					t.Error(err)
				}
			} else {
				h.Delete(t, "tun0")
			}
			if err := <-done; !errors.Is(err, os.ErrClosed) {
				t.Errorf("Receive: %v, want os.ErrClosed", err)
			}
			s := segment(0, nil)
			if n, err := q.Send([]wire.Packet{packet(&s)}); n != 0 || !errors.Is(err, os.ErrClosed) {
				t.Errorf("Send: %d, %v, want os.ErrClosed", n, err)
			}
		})
	}
}

func TestTUNQueueSend(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	q := openQueues(t, h, link.TUNConfig{Name: "tun0"}, 1)[0]
	s := segment(0, pattern(5000))
	s.Split = 1000
	good := packet(&s)
	if n, err := q.Send([]wire.Packet{good, good}); n != 0 || err != nil || q.Drops() != 2 {
		t.Errorf("Send to a device that is down: %d, %v, %d dropped, want 0, nil, 2", n, err, q.Drops())
	}
	h.Up(t, "tun0")
	for name, spoil := range map[string]func(*wire.Packet){
		"not IP":              func(p *wire.Packet) { *p = wire.Packet{Head: []byte{0xf0, 1, 2, 3}} },
		"checksum outside":    func(p *wire.Packet) { p.CheckStart = 5000 },
		"split UDP":           func(p *wire.Packet) { p.CheckOffset = 6 },
		"split, whole sum":    func(p *wire.Packet) { p.Check = wire.Full },
		"headers not in Head": func(p *wire.Packet) { p.Head = p.Head[:39] },
	} {
		bad := good
		spoil(&bad)
		if n, err := q.Send([]wire.Packet{good, bad, good}); n != 2 || err == nil || q.Drops() != 2 {
			t.Errorf("%s: Send: %d, %v, %d dropped, want 2, an error, 2", name, n, err, q.Drops())
		}
	}
	batch := []wire.Packet{good, good}
	if n := testing.AllocsPerRun(100, func() { q.Send(batch) }); n >= 1 {
		t.Errorf("%v allocations for a Send, want none", n)
	}
}

// Packets that the kernel sends without offload are complete.
func TestTUNQueueReceive(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	q := openQueues(t, h, link.TUNConfig{Name: "tun0"}, 1)[0]
	h.Sysctl(t, "net.ipv6.conf.tun0.disable_ipv6", "1") // which may send of itself
	h.Up(t, "tun0", netip.PrefixFrom(netns.A4, 24))
	c, err := net.Dial("udp", netip.AddrPortFrom(netns.B4, 9).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	batch := make([]wire.Packet, 2)
	for round := range 3 {
		for i := range 3 {
			c.Write([]byte{byte(i), 1, 2})
		}
		var got []byte
		for _, want := range []int{2, 1} {
			n, err := q.Receive(batch)
			if n != want || err != nil {
				t.Fatalf("round %d: Receive: %d, %v, want %d", round, n, err, want)
			}
			for i := range n {
				b := cut(t, &batch[i], 1500)[0]
				hdr, udp, ok := wire.ParseIP(b)
				if !ok || wire.Fold(wire.Sum(wire.PseudoHeader(hdr.Src, hdr.Dst, wire.ProtocolUDP, len(udp)), udp)) != 0 {
					t.Fatalf("round %d: a bad packet: % x", round, b)
				}
				got = append(got, udp[8])
			}
		}
		if string(got) != "\x00\x01\x02" {
			t.Errorf("round %d: received %v", round, got)
		}
	}
	one := []byte{1}
	if n := testing.AllocsPerRun(100, func() {
		c.Write(one)
		q.Receive(batch)
	}); n >= 1 {
		t.Errorf("%v allocations for a Receive, want none", n)
	}
}

func TestOpenTUNQueuesErrors(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	for _, c := range []struct {
		config link.TUNConfig
		n      int
	}{{link.TUNConfig{Name: "a-name-that-is-too-long"}, 1}, {link.TUNConfig{MTU: 67}, 1}, {link.TUNConfig{}, 0}, {link.TUNConfig{}, 257}, {link.TUNConfig{Name: "lo"}, 2}} {
		if q, err := link.OpenTUNQueues(c.config, c.n); err == nil || q != nil {
			t.Errorf("%+v opened", c)
		} else {
			t.Log(err)
		}
	}
	// The name is in use, by a device of another kind.
	q := openQueues(t, netns.Self(t), link.TUNConfig{Name: "tun5"}, 2)
	if _, err := link.OpenTUN(link.TUNConfig{Name: "tun5"}); !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EBUSY) {
		t.Errorf("a plain device of the same name: %v", err)
	}
	for i := range q {
		q[i].Close()
	}
	openQueues(t, netns.Self(t), link.TUNConfig{Name: "tun5"}, 1)
}

// Persistent devices are attached to, whatever the number of their queues, and
// pass plain packets again when that is over.
func TestTUNQueuePersistent(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, b := netns.New(t, "a"), netns.New(t, "b")
	for _, multi := range [][]string{nil, {"multi_queue"}} {
		ip(t, a, append([]string{"tuntap", "add", "dev", "tun0", "mode", "tun"}, multi...)...)
		q := openQueues(t, a, link.TUNConfig{Name: "tun0"}, 1)[0]
		a.Up(t, "tun0", netip.PrefixFrom(netns.A4, 24))
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if err := q.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		if multi == nil {
			plainAgain(t, a, b)
		}
		ip(t, a, "link", "delete", "tun0")
	}
}

// plainAgain has a's kernel send through its device without offload.
func plainAgain(t *testing.T, a, b *netns.Host) {
	t.Helper()
	var ends []link.Link
	for _, h := range []*netns.Host{a, b} {
		h.Do(func() {
			l, err := link.FromDevice(openTUN(t, link.TUNConfig{Name: "tun0"}))
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, l)
		})
	}
	b.Up(t, "tun0", netip.PrefixFrom(netns.B4, 24))
	connect(t, ends[:1], ends[1:])
	transfer(t, a, b, netns.B4, 1<<20)
	for _, l := range ends {
		l.Close()
	}
}
