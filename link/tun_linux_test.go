package link_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"golang.org/x/sys/unix"
)

const headroom = 10

func openTUN(t *testing.T, c link.TUNConfig) *link.TUN {
	t.Helper()
	dev, err := link.OpenTUN(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}

func buffers(n int) (bufs [][]byte, sizes []int) {
	for range n {
		bufs = append(bufs, make([]byte, headroom+1500))
	}
	return bufs, make([]int, n)
}

// readUDP reads packets until one carries a UDP datagram: the kernel also
// sends of itself.
func readUDP(t *testing.T, dev *link.TUN) []byte {
	t.Helper()
	bufs, sizes := buffers(dev.BatchSize())
	for {
		n, err := dev.Read(bufs, sizes, headroom)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if p := bufs[i][headroom:][:sizes[i]]; p[0]>>4 == 4 && p[9] == unix.IPPROTO_UDP || p[0]>>4 == 6 && p[6] == unix.IPPROTO_UDP {
				return p
			}
		}
	}
}

// Packets go out of the kernel and back in, IPv4 and IPv6.
func TestTUN(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	dev := openTUN(t, link.TUNConfig{Name: "tun7", MTU: 1400})
	h.Up(t, "tun7", netip.PrefixFrom(netns.A4, 24), netip.PrefixFrom(netns.A6, 64))
	for _, remote := range []netip.Addr{netns.B4, netns.B6} {
		t.Run(remote.String(), func(t *testing.T) {
			c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(remote, 9)))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			p := readUDP(t, dev)
			if !bytes.HasSuffix(p, []byte("ping")) {
				t.Fatalf("read % x, want it to end in %q", p, "ping")
			}
			// Swapping both addresses and both ports keeps every checksum.
			src, dst, udp := p[12:16], p[16:20], p[20:]
			if remote.Is6() {
				src, dst, udp = p[8:24], p[24:40], p[40:]
			}
			swap(src, dst)
			swap(udp[0:2], udp[2:4])
			if n, err := dev.Write([][]byte{p}, 0); n != 1 || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			b := make([]byte, 10)
			if n, err := c.Read(b); err != nil || string(b[:n]) != "ping" {
				t.Fatalf("the socket read %q, %v", b[:n], err)
			}
		})
	}
}

func swap(a, b []byte) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

// One Read takes all packets that wait, up to the number of buffers.
func TestTUNBatch(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	dev := openTUN(t, link.TUNConfig{Name: "tun0"})
	h.Sysctl(t, "net.ipv6.conf.tun0.disable_ipv6", "1") // which may send of itself
	h.Up(t, "tun0", netip.PrefixFrom(netns.A4, 24))
	c, err := net.Dial("udp", netip.AddrPortFrom(netns.B4, 9).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 7 {
		if _, err := c.Write([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	bufs, sizes := buffers(4)
	var got []byte
	for _, want := range []int{4, 3} {
		n, err := dev.Read(bufs, sizes, headroom)
		if n != want || err != nil {
			t.Fatalf("Read: %d, %v, want %d", n, err, want)
		}
		for i := range n {
			got = append(got, bufs[i][headroom+sizes[i]-1])
		}
	}
	if !bytes.Equal(got, []byte{0, 1, 2, 3, 4, 5, 6}) {
		t.Fatalf("read %v", got)
	}
	one := []byte{1}
	if n := testing.AllocsPerRun(100, func() {
		c.Write(one)
		dev.Read(bufs, sizes, headroom)
		dev.Write(bufs[:1], headroom)
	}); n != 0 {
		t.Errorf("%v allocations for a Read and a Write, want none", n)
	}
}

// A device belongs to the namespace of the thread that opened it, and its
// settings can be read from any other.
func TestTUNNamespace(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	other := netns.New(t, "other")
	var dev *link.TUN
	other.Do(func() { dev = openTUN(t, link.TUNConfig{Name: "there%d", MTU: 1280}) })
	if name, err := dev.Name(); name != "there0" || err != nil {
		t.Errorf("Name: %q, %v", name, err)
	}
	if mtu, err := dev.MTU(); mtu != 1280 || err != nil {
		t.Errorf("MTU: %d, %v", mtu, err)
	}
	if _, err := net.InterfaceByName("there0"); err == nil {
		t.Error("the device is in the namespace of the process")
	}
	other.Do(func() {
		if _, err := net.InterfaceByName("there0"); err != nil {
			t.Error(err)
		}
		dev.Close()
		if _, err := net.InterfaceByName("there0"); err == nil {
			t.Error("the device is still there after Close")
		}
	})
}

func TestTUNClose(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	dev := openTUN(t, link.TUNConfig{})
	bufs, sizes := buffers(1)
	done := make(chan error)
	go func() {
		_, err := dev.Read(bufs, sizes, headroom)
		done <- err
	}()
	if err := dev.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read: %v, want os.ErrClosed", err)
	}
	if _, err := dev.Write(bufs, headroom); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write: %v, want os.ErrClosed", err)
	}
	if _, err := dev.Name(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Name: %v, want os.ErrClosed", err)
	}
	if err := dev.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Close: %v, want os.ErrClosed", err)
	}
}

// A device deleted by someone else reads as closed.
func TestTUNDeleted(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	dev := openTUN(t, link.TUNConfig{Name: "tun0"})
	bufs, sizes := buffers(1)
	done := make(chan error)
	go func() {
		_, err := dev.Read(bufs, sizes, headroom)
		done <- err
	}()
	h.Delete(t, "tun0")
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read: %v, want os.ErrClosed", err)
	}
	if _, err := dev.Write(bufs, headroom); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write: %v, want os.ErrClosed", err)
	}
}

func TestTUNWriteDrops(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	dev := openTUN(t, link.TUNConfig{Name: "tun0"})
	packet := make([]byte, 20)
	packet[0] = 0x45
	binary.BigEndian.PutUint16(packet[2:], 20)
	junk := []byte{0xf0, 1, 2, 3}
	if n, err := dev.Write([][]byte{packet, packet}, 0); n != 0 || err != nil || dev.Drops() != 2 {
		t.Errorf("Write to a device that is down: %d, %v, %d dropped, want 0, nil, 2", n, err, dev.Drops())
	}
	h.Up(t, "tun0")
	if n, err := dev.Write([][]byte{packet, junk, packet}, 0); n != 2 || !errors.Is(err, unix.EINVAL) || dev.Drops() != 2 {
		t.Errorf("Write with junk in the middle: %d, %v, %d dropped, want 2, EINVAL, 2", n, err, dev.Drops())
	}
}

func TestOpenTUNErrors(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	for _, c := range []link.TUNConfig{{Name: "a-name-that-is-too-long"}, {MTU: 67}, {MTU: 65536}, {MTU: -1}, {Name: "lo"}} {
		if dev, err := link.OpenTUN(c); err == nil {
			dev.Close()
			t.Errorf("%+v opened", c)
		} else {
			t.Log(err)
		}
	}
}
