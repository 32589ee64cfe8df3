package stack

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// TestEthernet connects two hosts by frames: they find each other by ARP and by
// neighbour discovery, keep packets until then, and learn of it when nobody is
// there.
func TestEthernet(t *testing.T) {
	w := &world{t: t, now: time.Unix(1_800_000_000, 0), delay: time.Millisecond}
	frames := 0
	host := func(id byte, addrs ...netip.Addr) *Host {
		var h *Host
		h = NewHost(w.now, HostConfig{
			Links: []LinkConfig{{Hardware: net.HardwareAddr{2, 0, 0, 0, 0, id}}}, Secret: [16]byte{id},
			Output: func(_ int, batch []wire.Packet) {
				for i := range batch {
					frames++
					to := w.b
					if h == w.b {
						to = w.a
					}
					w.flight = append(w.flight, inFlight{w.now.Add(w.delay), to, batch[i].Append(nil)})
				}
			},
		})
		for _, a := range addrs {
			bits := 24
			if !a.Is4() {
				bits = 64
			}
			if err := h.AddAddress(0, netip.PrefixFrom(a, bits)); err != nil {
				t.Fatal(err)
			}
		}
		return h
	}
	w.a, w.b = host(1, addrA4, addrA6), host(2, addrB4, addrB6)
	for _, to := range []netip.Addr{addrB4, addrB6} {
		at := netip.AddrPortFrom(to, 80)
		l := w.listen(at, 0)
		c, s := w.a.Socket(), (*Socket)(nil)
		want(t, "Connect", c.Connect(w.now, at), syscall.EINPROGRESS)
		w.run(10 * time.Millisecond)
		s, err := l.Accept(w.now)
		want(t, "Accept", err, nil)
		if _, err := c.Send(w.now, make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		w.run(time.Second)
		if n := s.Unread(); n != 5000 {
			t.Errorf("%d bytes came, want 5000", n)
		}
		// A datagram in fragments, too.
		u := w.b.UDP()
		want(t, "Bind", u.Bind(netip.AddrPortFrom(to, 53)), nil)
		if _, err := w.a.UDP().SendTo(w.now, make([]byte, 4000), netip.AddrPortFrom(to, 53)); err != nil {
			t.Fatal(err)
		}
		w.run(time.Second)
		if n := u.Unread(); n != 4000 {
			t.Errorf("a datagram of %d bytes came, want 4000", n)
		}
	}
	// Nobody is there.
	c := w.a.Socket()
	began := w.now
	want(t, "Connect", c.Connect(w.now, netip.MustParseAddrPort("10.0.0.9:80")), syscall.EINPROGRESS)
	for c.Poll()&PollErr == 0 && w.now.Sub(began) < time.Minute {
		w.run(time.Second)
	}
	want(t, "PendingError", c.PendingError(), syscall.EHOSTUNREACH)
	if d := w.now.Sub(began); d > 5*time.Second {
		t.Errorf("it took %v to find out that nobody is there", d)
	}
	if n := w.a.Stats().Drops.NoNeighbour; n == 0 {
		t.Error("no packet was counted as lost")
	}
}
