package netns

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ready returns when a device that has been brought up works. The kernel does
// two things late, on work queues: it takes notice that a device is connected,
// and it makes the route by which packets for an IPv6 address are accepted.
// Until then such packets are lost.
func (h *Host) ready(t testing.TB, device string, addrs []netip.Prefix) {
	t.Helper()
	const running = unix.IFF_RUNNING | unix.IFF_LOWER_UP
	await(t, fmt.Sprintf("host %s: %s to be connected", h, device),
		func(updates chan<- netlink.LinkUpdate, done <-chan struct{}) error {
			return netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{Namespace: &h.ns, ListExisting: true})
		},
		func(u netlink.LinkUpdate) bool { return u.Attrs().Name == device && u.Flags&running == running })
	for _, p := range addrs {
		if !p.Addr().Is6() {
			continue
		}
		await(t, fmt.Sprintf("host %s: %s to accept packets for %s", h, device, p.Addr()),
			func(updates chan<- netlink.RouteUpdate, done <-chan struct{}) error {
				return netlink.RouteSubscribeWithOptions(updates, done, netlink.RouteSubscribeOptions{Namespace: &h.ns, ListExisting: true})
			},
			func(u netlink.RouteUpdate) bool {
				return u.Type == unix.RTM_NEWROUTE && u.Route.Type == unix.RTN_LOCAL && u.Dst != nil && u.Dst.IP.Equal(p.Addr().AsSlice())
			})
	}
}

// await waits for the first of the updates of a netlink subscription that is
// the one.
func await[U any](t testing.TB, what string, subscribe func(chan<- U, <-chan struct{}) error, isIt func(U) bool) {
	t.Helper()
	updates, done := make(chan U), make(chan struct{})
	if err := subscribe(updates, done); err != nil {
		t.Fatalf("wait for %s: %v", what, err)
	}
	defer func() {
		close(done)
		for range updates { // until the subscription has ended
		}
	}()
	late := time.After(10 * time.Second)
	for {
		select {
		case u, ok := <-updates:
			if !ok {
				t.Fatalf("wait for %s: the kernel stopped telling", what)
			}
			if isIt(u) {
				return
			}
		case <-late:
			t.Fatalf("wait for %s: not in 10 seconds", what)
		}
	}
}
