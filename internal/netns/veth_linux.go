package netns

import (
	"fmt"
	"net/netip"
	"strconv"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The addresses that two hosts get when a test does not say which.
var (
	A4 = netip.MustParseAddr("10.77.0.1")
	B4 = netip.MustParseAddr("10.77.0.2")
	A6 = netip.MustParseAddr("fd77::1")
	B6 = netip.MustParseAddr("fd77::2")
)

// Veth joins a and b by a pair of virtual Ethernet devices, up and ready for
// IPv4 and IPv6 when it returns, and returns the names of the two ends.
//
// addrs go to a and b in turn; without any, a gets A4/24 and A6/64, and b gets
// B4/24 and B6/64.
func Veth(t testing.TB, a, b *Host, addrs ...netip.Prefix) (devA, devB string) {
	t.Helper()
	devA, devB = a.nextDevice("veth"), b.nextDevice("veth")
	pair := &netlink.Veth{
		// The kernel is quick to notice that a virtual device is connected
		// when its index is not that of its peer, and may else take a
		// second (linkwatch_urgent_event in net/core/link_watch.c). Two
		// fresh namespaces would give both the same one.
		LinkAttrs:     netlink.LinkAttrs{Name: devA, Index: 1000 + a.ends, TxQLen: -1},
		PeerName:      devB,
		PeerNamespace: netlink.NsFd(b.ns),
	}
	if err := a.nl.LinkAdd(pair); err != nil {
		t.Fatalf("join hosts %s and %s by veth: %v", a, b, err)
	}
	toA, toB := share(addrs)
	a.configure(t, devA, toA)
	b.configure(t, devB, toB)
	a.ready(t, devA, toA)
	b.ready(t, devB, toB)
	return devA, devB
}

// share deals addresses to two hosts in turn.
func share(addrs []netip.Prefix) (toA, toB []netip.Prefix) {
	if len(addrs) == 0 {
		addrs = []netip.Prefix{
			netip.PrefixFrom(A4, 24), netip.PrefixFrom(B4, 24),
			netip.PrefixFrom(A6, 64), netip.PrefixFrom(B6, 64),
		}
	}
	for i, p := range addrs {
		if i%2 == 0 {
			toA = append(toA, p)
		} else {
			toB = append(toB, p)
		}
	}
	return toA, toB
}

func (h *Host) nextDevice(kind string) string {
	h.ends++
	return kind + strconv.Itoa(h.ends-1)
}

// Up gives a device of h addresses, brings it up and returns when it works.
func (h *Host) Up(t testing.TB, device string, addrs ...netip.Prefix) {
	t.Helper()
	h.configure(t, device, addrs)
	h.ready(t, device, addrs)
}

func (h *Host) configure(t testing.TB, device string, addrs []netip.Prefix) {
	t.Helper()
	link, err := h.nl.LinkByName(device)
	if err != nil {
		t.Fatalf("host %s: find device %s: %v", h, device, err)
	}
	// Without a link-local address the kernel sends no router solicitations,
	// so that what crosses the link is what the test sends.
	h.Sysctl(t, fmt.Sprintf("net.ipv6.conf.%s.addr_gen_mode", device), "1")
	for _, p := range addrs {
		a, err := netlink.ParseAddr(p.String())
		if err != nil {
			t.Fatalf("host %s: address %s: %v", h, p, err)
		}
		// Duplicate address detection would hold back every IPv6
		// connection for a second or more.
		a.Flags = unix.IFA_F_NODAD
		if err := h.nl.AddrAdd(link, a); err != nil {
			t.Fatalf("host %s: give %s to %s: %v", h, p, device, err)
		}
	}
	if err := h.nl.LinkSetUp(link); err != nil {
		t.Fatalf("host %s: bring up %s: %v", h, device, err)
	}
}

// Delete removes a device of h.
func (h *Host) Delete(t testing.TB, device string) {
	t.Helper()
	link, err := h.nl.LinkByName(device)
	if err == nil {
		err = h.nl.LinkDel(link)
	}
	if err != nil {
		t.Fatalf("host %s: delete device %s: %v", h, device, err)
	}
}
