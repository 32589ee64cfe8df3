package sim

import (
	"net/netip"
	"time"
)

// A NAT is a translator for the hosts at end A: a connection from there leaves
// with the next of some addresses, one after the other, and a port of the
// translator's, as behind the address pool of a carrier. A cookie that was given
// to one address comes with another.
//
// Addresses of a family that the pool does not have, and what is not TCP, do
// not pass. A translation lasts as long as the path.
type NAT struct {
	pool    []netip.Addr
	outside map[flow]netip.AddrPort // by inner source and destination
	inside  map[flow]netip.AddrPort // by destination and outer source
	next    int                     // of pool
	port    uint16
}

// NewNAT returns a translator with a pool of addresses, for one path.
func NewNAT(pool ...netip.Addr) *NAT {
	return &NAT{pool: pool, outside: map[flow]netip.AddrPort{}, inside: map[flow]netip.AddrPort{}, port: 10000}
}

// Inside tells which host at A is behind the address and port of an end that
// speaks with the server.
func (n *NAT) Inside(server, outside netip.AddrPort) (inside netip.AddrPort, ok bool) {
	inside, ok = n.inside[flow{server, outside}]
	return inside, ok
}

func (n *NAT) join(p *Path, i int) passer {
	return Box(func(_ time.Time, d Dir, packet []byte, emit func(Dir, []byte)) {
		if s, ok := parse(packet); ok && n.translate(d, &s) {
			emit(d, s.ip)
		}
	}).join(p, i)
}

func (n *NAT) translate(d Dir, s *segment) bool {
	if d == BtoA {
		inner, ok := n.inside[flowOf(s)]
		if ok {
			s.edit(func() { s.setEnds(s.Src, inner) })
		}
		return ok
	}
	outer, ok := n.outside[flowOf(s)]
	if !ok && s.isSYN() && s.intact() {
		outer, ok = n.allot(s)
	}
	if !ok {
		return false
	}
	s.edit(func() { s.setEnds(outer, s.Dst) })
	return true
}

// allot gives a new connection its address.
func (n *NAT) allot(s *segment) (outer netip.AddrPort, ok bool) {
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
