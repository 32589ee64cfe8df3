package link_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

func openEthernet(t testing.TB, h *netns.Host, c link.EthernetConfig) (e *link.Ethernet) {
	t.Helper()
	var err error
	h.Do(func() { e, err = link.OpenEthernet(c) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func macOf(t testing.TB, h *netns.Host, device string) (mac net.HardwareAddr) {
	t.Helper()
	h.Do(func() {
		i, err := net.InterfaceByName(device)
		if err != nil {
			t.Fatal(err)
		}
		mac = i.HardwareAddr
	})
	return mac
}

// between joins a and b to m, by a cable of each, and returns the names of the
// devices: a's, m's towards a, m's towards b, b's.
func between(t testing.TB, a, m, b *netns.Host) (devA, toA, toB, devB string) {
	t.Helper()
	devA, toA = netns.Veth(t, a, m, netip.PrefixFrom(netns.A4, 24), netip.MustParsePrefix("192.0.2.1/32"), netip.PrefixFrom(netns.A6, 64), netip.MustParsePrefix("fd99::1/128"))
	devB, toB = netns.Veth(t, b, m, netip.PrefixFrom(netns.B4, 24), netip.MustParsePrefix("192.0.2.2/32"), netip.PrefixFrom(netns.B6, 64), netip.MustParsePrefix("fd99::2/128"))
	return devA, toA, toB, devB
}

// Two kernels talk through two packet sockets of a host between, each of which
// has the address of the one on the other side: also address resolution gets
// through, and super-segments stay whole.
func TestEthernet(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, m, b := netns.New(t, "a"), netns.New(t, "m"), netns.New(t, "b")
	devA, toA, toB, devB := between(t, a, m, b)
	la := openEthernet(t, m, link.EthernetConfig{Interface: toA, HardwareAddr: macOf(t, b, devB), Addrs: []netip.Addr{netns.B4, netns.B6}})
	lb := openEthernet(t, m, link.EthernetConfig{Interface: toB, HardwareAddr: macOf(t, a, devA)})
	if name, err := la.Name(); name != toA || err != nil {
		t.Errorf("Name: %q, %v, want %q", name, err, toA)
	}
	if mtu, err := la.MTU(); mtu != 1500 || err != nil {
		t.Errorf("MTU: %d, %v, want 1500", mtu, err)
	}
	if got, want := la.HardwareAddr().String(), macOf(t, b, devB).String(); got != want {
		t.Errorf("HardwareAddr: %s, want %s", got, want)
	}
	c := connect(t, links(la), links(lb))
	for _, d := range []struct {
		from, to *netns.Host
		addrs    []netip.Addr
	}{{a, b, []netip.Addr{netns.B4, netns.B6}}, {b, a, []netip.Addr{netns.A4, netns.A6}}} {
		for _, addr := range d.addrs {
			transfer(t, d.from, d.to, addr, 10<<20)
		}
	}
	for d := range c.supers {
		if supers, packets := c.supers[d].Load(), c.packets[d].Load(); supers == 0 || packets > 20<<20/1500 {
			t.Errorf("%d super-segments of %d packets in direction %d: the kernel does not join", supers, packets, d)
		}
	}
	if la.Drops()+lb.Drops() != 0 || la.Lost()+lb.Lost() != 0 {
		t.Errorf("%d and %d dropped, %d and %d lost", la.Drops(), lb.Drops(), la.Lost(), lb.Lost())
	}
}

// frame is an Ethernet frame.
func frame(to, from net.HardwareAddr, etherType uint16, payload []byte) wire.Packet {
	b := binary.BigEndian.AppendUint16(slices.Concat(to, from), etherType)
	return wire.Packet{Head: append(b, payload...)}
}

// The filter lets through what is for the link's addresses, or for groups, and
// nothing else.
func TestEthernetFilter(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, b := netns.New(t, "a"), netns.New(t, "b")
	devA, devB := netns.Veth(t, a, b)
	for _, h := range []*netns.Host{a, b} {
		h.Sysctl(t, "net.ipv6.conf.all.disable_ipv6", "1") // no frames but ours
	}
	own := macOf(t, b, devB)
	mine := net.HardwareAddr{2, 0, 0, 0, 0, 0x77}
	other := net.HardwareAddr{2, 0, 0, 0, 0, 0x78}
	group := net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}
	broadcast := net.HardwareAddr{255, 255, 255, 255, 255, 255}
	from := openEthernet(t, a, link.EthernetConfig{Interface: devA})
	addrs := []netip.Addr{netns.B4, netip.MustParseAddr("10.77.0.3"), netns.B6, netip.MustParseAddr("fd77::3")}
	links := map[string]*link.Ethernet{
		"mine":     openEthernet(t, b, link.EthernetConfig{Interface: devB, HardwareAddr: mine, Addrs: addrs}),
		"mine/all": openEthernet(t, b, link.EthernetConfig{Interface: devB, HardwareAddr: mine}),
		"own":      openEthernet(t, b, link.EthernetConfig{Interface: devB, Addrs: addrs}),
	}
	ip := func(dst string) []byte {
		h := wire.IP{Dst: netip.MustParseAddr(dst), Protocol: wire.ProtocolUDP}
		h.Src = netns.A4
		if h.Dst.Is6() {
			h.Src = netns.A6
		}
		udp := make([]byte, 30)
		binary.BigEndian.PutUint16(udp[2:], 9)
		binary.BigEndian.PutUint16(udp[4:], 30)
		return append(h.Append(nil, 30), udp...)
	}
	arp := func(target string) []byte {
		b := make([]byte, 28)
		copy(b, []byte{0, 1, 8, 0, 6, 4, 0, 1})
		copy(b[24:], netip.MustParseAddr(target).AsSlice())
		return b
	}
	cases := []struct {
		name string
		p    wire.Packet
		want string // the links that receive it
	}{
		{"IPv4", frame(mine, own, 0x800, ip("10.77.0.2")), "mine mine/all"},
		{"IPv4, the second address", frame(mine, own, 0x800, ip("10.77.0.3")), "mine mine/all"},
		{"IPv4 for another address", frame(mine, own, 0x800, ip("10.77.0.4")), "mine/all"},
		{"IPv4 for all", frame(broadcast, own, 0x800, ip("255.255.255.255")), "mine mine/all own"},
		{"IPv4 for the interface", frame(own, mine, 0x800, ip("10.77.0.2")), "own"},
		{"IPv4 for another host", frame(other, mine, 0x800, ip("10.77.0.2")), ""},
		{"IPv6", frame(mine, own, 0x86dd, ip("fd77::2")), "mine mine/all"},
		{"IPv6, the second address", frame(mine, own, 0x86dd, ip("fd77::3")), "mine mine/all"},
		{"IPv6 for another address", frame(mine, own, 0x86dd, ip("fd77::1:0:0:3")), "mine/all"},
		{"IPv6 for a group", frame(group, own, 0x86dd, ip("ff02::1")), "mine mine/all own"},
		{"ARP", frame(broadcast, own, 0x806, arp("10.77.0.3")), "mine mine/all own"},
		{"ARP for another address", frame(broadcast, own, 0x806, arp("10.77.0.4")), "mine/all"},
		{"another protocol", frame(mine, own, 0x88cc, make([]byte, 40)), ""},
		{"a tag", frame(mine, own, 0x8100, append([]byte{0, 5, 8, 0}, ip("10.77.0.2")...)), ""},
	}
	for _, c := range cases {
		c.p.Head = append(c.p.Head, make([]byte, max(0, 60-len(c.p.Head)))...)
		if n, err := from.Send([]wire.Packet{c.p}); n != 1 || err != nil {
			t.Fatalf("%s: Send: %d, %v", c.name, n, err)
		}
	}
	// The last gets to all, and with it we know that no other will come.
	end := frame(broadcast, own, 0x800, ip("255.255.255.255"))
	end.Head[14+20+8] = 0xee
	from.Send([]wire.Packet{end})
	for name, l := range links {
		var want, got []string
		for _, c := range cases {
			if slices.Contains(strings.Fields(c.want), name) {
				want = append(want, c.name)
			}
		}
		batch := make([]wire.Packet, 64)
	receiving:
		for {
			n, err := l.Receive(batch)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range batch[:n] {
				if slices.Equal(p.Head, end.Head) {
					break receiving
				}
				if slices.Equal(p.Head[6:12], macOf(t, a, devA)) {
					continue // the other kernel's, about what it got
				}
				what := "an unknown frame"
				for _, c := range cases {
					if len(c.p.Head) <= len(p.Head) && slices.Equal(c.p.Head, p.Head[:len(c.p.Head)]) {
						what = c.name
					}
				}
				got = append(got, what)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("link %s received %q, want %q", name, got, want)
		}
	}
}

// Two links of a fanout group share the frames, flow by flow.
func TestEthernetFanout(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, m, b := netns.New(t, "a"), netns.New(t, "m"), netns.New(t, "b")
	devA, toA, toB, devB := between(t, a, m, b)
	var la []*link.Ethernet
	for range 2 {
		la = append(la, openEthernet(t, m, link.EthernetConfig{Interface: toA, HardwareAddr: macOf(t, b, devB), Fanout: 7}))
	}
	lb := openEthernet(t, m, link.EthernetConfig{Interface: toB, HardwareAddr: macOf(t, a, devA)})
	connect(t, links(la...), links(lb))
	for range 4 {
		transfer(t, a, b, netns.B4, 1<<20)
	}
}

func TestEthernetErrors(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, b := netns.New(t, "a"), netns.New(t, "b")
	devA, _ := netns.Veth(t, a, b)
	many := make([]netip.Addr, 5000)
	for i := range many {
		many[i] = netns.B4
	}
	for _, c := range []struct {
		name   string
		config link.EthernetConfig
		want   error
	}{
		{"no name", link.EthernetConfig{}, os.ErrNotExist},
		{"no such interface", link.EthernetConfig{Interface: "eth99"}, os.ErrNotExist},
		{"a name too long", link.EthernetConfig{Interface: "a-name-that-is-too-long"}, os.ErrNotExist},
		{"not Ethernet", link.EthernetConfig{Interface: "lo"}, nil},
		{"a short address", link.EthernetConfig{Interface: devA, HardwareAddr: net.HardwareAddr{2, 0}}, nil},
		{"a group's address", link.EthernetConfig{Interface: devA, HardwareAddr: net.HardwareAddr{3, 0, 0, 0, 0, 1}}, nil},
		{"an invalid address", link.EthernetConfig{Interface: devA, Addrs: make([]netip.Addr, 1)}, nil},
		{"too many addresses", link.EthernetConfig{Interface: devA, Addrs: many}, nil},
	} {
		a.Do(func() {
			e, err := link.OpenEthernet(c.config)
			if err == nil {
				e.Close()
				t.Errorf("%s: opened", c.name)
			} else if t.Log(err); c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
		})
	}
}

// An interface that goes down and up again does not end the link; one that goes
// away does, as Close does.
func TestEthernetGone(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	for _, how := range []string{"closed", "deleted"} {
		t.Run(how, func(t *testing.T) {
			a, b := netns.New(t, "a"), netns.New(t, "b")
			devA, devB := netns.Veth(t, a, b)
			e := openEthernet(t, a, link.EthernetConfig{Interface: devA})
			peer := openEthernet(t, b, link.EthernetConfig{Interface: devB})
			received, done := make(chan bool), make(chan error)
			batch := make([]wire.Packet, 8)
			probe := frame(e.HardwareAddr(), peer.HardwareAddr(), 0x800, append([]byte{0x45, 77}, make([]byte, 50)...))
			go func() {
				for {
					n, err := e.Receive(batch)
					for _, p := range batch[:n] {
						if slices.Equal(p.Head, probe.Head) {
							received <- true
						}
					}
					if err != nil {
						done <- err
						return
					}
				}
			}()
			for range 2 {
				ip(t, a, "link", "set", devA, "down")
				if n, err := e.Send([]wire.Packet{probe}); n != 0 || err != nil {
					t.Errorf("Send while the interface is down: %d, %v, want 0, nil", n, err)
				}
				a.Up(t, devA)
				if n, err := peer.Send([]wire.Packet{probe}); n != 1 || err != nil {
					t.Errorf("Send: %d, %v", n, err)
				}
				<-received
			}
			if how == "closed" {
				e.Close()
			} else {
				a.Delete(t, devA)
			}
			if err := <-done; !errors.Is(err, os.ErrClosed) {
				t.Errorf("Receive: %v, want os.ErrClosed", err)
			}
			if n, err := e.Send([]wire.Packet{probe}); n != 0 || !errors.Is(err, os.ErrClosed) {
				t.Errorf("Send: %d, %v, want os.ErrClosed", n, err)
			}
			if _, err := e.MTU(); !errors.Is(err, os.ErrClosed) {
				t.Errorf("MTU: %v, want os.ErrClosed", err)
			}
		})
	}
}

func TestEthernetAllocations(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, b := netns.New(t, "a"), netns.New(t, "b")
	devA, devB := netns.Veth(t, a, b)
	la, lb := openEthernet(t, a, link.EthernetConfig{Interface: devA}), openEthernet(t, b, link.EthernetConfig{Interface: devB})
	out := make([]wire.Packet, 20)
	for i := range out {
		out[i] = frame(lb.HardwareAddr(), la.HardwareAddr(), 0x800, append([]byte{0x45}, make([]byte, 59)...))
	}
	in := make([]wire.Packet, 64)
	if n, err := lb.Receive(nil); n != 0 || err != nil {
		t.Errorf("Receive of nothing: %d, %v", n, err)
	}
	if n := testing.AllocsPerRun(100, func() {
		la.Send(out)
		for got := 0; got < len(out); {
			n, err := lb.Receive(in)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}); n >= 1 {
		t.Errorf("%v allocations to send and receive %d frames, want none", n, len(out))
	}
}

func ip(t testing.TB, h *netns.Host, args ...string) {
	t.Helper()
	h.Do(func() {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	})
}
