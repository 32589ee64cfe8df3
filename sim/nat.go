package sim

import (
	"net/netip"
	"time"
)

// NAT returns a translator for the hosts at end A: a connection from there
// leaves with the next of the given addresses, one after the other, and a port
// of the translator's, as behind the address pool of a carrier. A cookie that
// was given to one address comes with another.
//
// Addresses of the family that the pool does not have, and what is not TCP, do
// not pass. A translation lasts as long as the path.
func NAT(pool ...netip.Addr) Box {
	n := &nat{pool: pool, outside: map[flow]netip.AddrPort{}, inside: map[flow]netip.AddrPort{}, port: 10000}
	return func(_ time.Time, d Dir, packet []byte, emit func(Dir, []byte)) {
		if s, ok := parse(packet); ok && n.translate(d, &s) {
			emit(d, s.ip)
		}
	}
}

type nat struct {
	pool    []netip.Addr
	outside map[flow]netip.AddrPort // by inner source and destination
	inside  map[flow]netip.AddrPort // by destination and outer source
	next    int                     // of pool
	port    uint16
}

func (n *nat) translate(d Dir, s *segment) bool {
	if d == BtoA {
		inner, ok := n.inside[flowOf(s)]
		if ok {
			s.edit(func() { s.setEnds(s.Src, inner) })
		}
		return ok
	}
	outer, ok := n.outside[flowOf(s)]
	if !ok || s.isSYN() && !s.intact() {
		if !s.isSYN() || !s.intact() {
			return false
		}
		if outer, ok = n.allot(s); !ok {
			return false
		}
	}
	s.edit(func() { s.setEnds(outer, s.Dst) })
	return true
}

// allot gives a new connection its address.
func (n *nat) allot(s *segment) (outer netip.AddrPort, ok bool) {
	for range n.pool {
		a := n.pool[n.next]
		n.next = (n.next + 1) % len(n.pool)
		if a.Is4() == s.Src.Addr().Is4() {
			n.port++
			outer = netip.AddrPortFrom(a, n.port)
			f := flowOf(s)
			n.outside[f] = outer
			n.inside[flow{f.dst, outer}] = f.src
			return outer, true
		}
	}
	return outer, false
}
