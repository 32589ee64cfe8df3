package stack

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// A Route says where packets go.
type Route struct {
	Prefix  netip.Prefix // which destinations
	Gateway netip.Addr   // through whom, on an Ethernet link; the zero Addr is directly
	Link    int          // on which link, by its number
}

// AddAddress gives the host an address on a link. The prefix says which others
// are reached there directly.
func (h *Host) AddAddress(link int, p netip.Prefix) error {
	if err := h.checkLink(link); err != nil {
		return err
	}
	return h.addAddress(link, p)
}

func (h *Host) addAddress(link int, p netip.Prefix) error {
	a := p.Addr().Unmap().WithZone("")
	if !p.IsValid() || a.IsMulticast() || a.IsUnspecified() {
		return fmt.Errorf("add address %v: it is none that a host can have", p)
	}
	bits := p.Bits()
	if p.Addr().Is4In6() {
		bits = max(bits-96, 0)
	}
	if _, ok := h.own[a]; !ok {
		h.order = append(h.order, a)
	}
	h.own[a] = int16(link)
	h.insert(Route{Prefix: netip.PrefixFrom(a, bits).Masked(), Link: link})
	return nil
}

// RemoveAddress takes an address away. Connections from it die by themselves.
func (h *Host) RemoveAddress(a netip.Addr) {
	delete(h.own, a)
	h.order = slices.DeleteFunc(h.order, func(b netip.Addr) bool { return a == b })
}

// AddRoute adds a route. Of those that match, the one with the longest prefix
// counts, and of equal ones the latest.
func (h *Host) AddRoute(r Route) error {
	if err := h.checkLink(r.Link); err != nil {
		return err
	}
	if !r.Prefix.IsValid() {
		return fmt.Errorf("add route: prefix %v is not valid; the default routes are 0.0.0.0/0 and ::/0", r.Prefix)
	}
	r.Prefix = r.Prefix.Masked()
	h.insert(r)
	return nil
}

// Routes returns the routes, longest prefix first.
func (h *Host) Routes() []Route { return slices.Clone(h.routes) }

// Addrs returns the host's addresses in the order they were added.
func (h *Host) Addrs() []netip.Addr { return slices.Clone(h.order) }

func (h *Host) checkLink(link int) error {
	if link < 0 || link >= len(h.links)-1 {
		return fmt.Errorf("link %d does not exist: the host has %d, counted from 0", link, len(h.links)-1)
	}
	return nil
}

func (h *Host) insert(r Route) {
	h.routes = slices.DeleteFunc(h.routes, func(o Route) bool { return o.Prefix == r.Prefix })
	i := slices.IndexFunc(h.routes, func(o Route) bool { return o.Prefix.Bits() <= r.Prefix.Bits() })
	if i < 0 {
		i = len(h.routes)
	}
	h.routes = slices.Insert(h.routes, i, r)
	h.conns.each(func(s *Socket) {
		if link, _, ok := h.route(s.conn.Remote().Addr()); ok {
			s.link = link
		}
	})
}

// route finds the link for a destination, and the address of who takes the
// packet there.
func (h *Host) route(to netip.Addr) (link int16, next netip.Addr, ok bool) {
	if _, own := h.own[to]; own || to.IsLoopback() {
		return h.loopback, to, true
	}
	for i := range h.routes {
		if r := &h.routes[i]; r.Prefix.Contains(to) {
			if r.Gateway.IsValid() {
				return int16(r.Link), r.Gateway, true
			}
			return int16(r.Link), to, true
		}
	}
	return 0, netip.Addr{}, false
}

// source chooses the local address for a destination: one on the link that
// leads there, best one whose network holds it.
func (h *Host) source(to netip.Addr, link int16) (netip.Addr, bool) {
	if link == h.loopback {
		if _, own := h.own[to]; own || to.IsLoopback() {
			return to, true
		}
	}
	var best netip.Addr
	for _, a := range h.order {
		if a.Is4() != to.Is4() {
			continue
		}
		here := h.own[a] == link
		switch {
		case !best.IsValid(), here && h.own[best] != link:
			best = a
		case here && common(a, to) > common(best, to):
			best = a
		}
	}
	return best, best.IsValid()
}

// common is how many bits two addresses have in common from the first.
func common(a, b netip.Addr) int {
	x, y := a.As16(), b.As16()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			n := 0
			for d&0x80 == 0 {
				d <<= 1
				n++
			}
			return 8*i + n
		}
	}
	return 128
}

// isOwn reports whether packets to a are for this host.
func (h *Host) isOwn(a netip.Addr) bool {
	_, ok := h.own[a]
	return ok
}

// bindable checks the address that a socket is to have.
func (h *Host) bindable(a netip.Addr) error {
	if a.IsValid() && !a.IsUnspecified() && !a.IsLoopback() && !h.isOwn(a) {
		return syscall.EADDRNOTAVAIL
	}
	return nil
}
