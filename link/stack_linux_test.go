package link_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
)

// A stack on a cable with the kernel, found by ARP and neighbour discovery: with
// a hardware address of its own, and with the interface's, where the kernel sees
// the same frames. Who dials and who sends is crossed; bytes are compared.
func TestEthernetStack(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	for name, own := range map[string]net.HardwareAddr{"own address": {2, 0, 0, 0, 0, 0x42}, "the interface's": nil} {
		t.Run(name, func(t *testing.T) {
			a, m := netns.New(t, "a"), netns.New(t, "m")
			_, toA := netns.Veth(t, a, m, netip.PrefixFrom(netns.A4, 24), netip.MustParsePrefix("192.0.2.1/32"), netip.PrefixFrom(netns.A6, 64), netip.MustParsePrefix("fd99::1/128"))
			e := openEthernet(t, m, link.EthernetConfig{Interface: toA, HardwareAddr: own, Addrs: []netip.Addr{netns.B4, netns.B6}})
			st, err := stack.New(stack.Config{Links: []stack.Link{e}, Addresses: []netip.Prefix{netip.PrefixFrom(netns.B4, 24), netip.PrefixFrom(netns.B6, 64)}})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			ours, err := st.Listen("tcp", ":99")
			if err != nil {
				t.Fatal(err)
			}
			var kernels net.Listener
			a.Do(func() { kernels, err = net.Listen("tcp", ":98") })
			if err != nil {
				t.Fatal(err)
			}
			defer kernels.Close()
			for _, f := range [][2]netip.Addr{{netns.A4, netns.B4}, {netns.A6, netns.B6}} {
				for _, dials := range []string{"the kernel", "the stack"} {
					var c net.Conn
					l := kernels
					if dials == "the kernel" {
						l = ours
						a.Do(func() { c, err = net.Dial("tcp", netip.AddrPortFrom(f[1], 99).String()) })
					} else {
						c, err = st.Dial("tcp", netip.AddrPortFrom(f[0], 98).String())
					}
					if err != nil {
						t.Fatalf("%s dials %v: %v", dials, f, err)
					}
					s, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					compare(t, c, s, 4<<20)
					compare(t, s, c, 4<<20)
					c.Close()
					s.Close()
				}
			}
			if e.Drops() != 0 || e.Lost() != 0 {
				t.Errorf("%d dropped, %d lost", e.Drops(), e.Lost())
			}
		})
	}
}
