package kernel

import "net/netip"

// PendingOf shares out what [Pending] returned among listeners: the result has
// for each of them how many connections are pending there. A listener of one
// address takes those of that address before one of all addresses does. Where
// several sockets listen at the same address the kernel does not tell which
// of them a connection belongs to, and all are counted for the first.
func PendingOf(listeners []Listener, pending map[netip.AddrPort]int) []int {
	counts := make([]int, len(listeners))
	for at, n := range pending {
		best := -1
		for i, l := range listeners {
			if l.takes(at) && (best < 0 || listeners[best].Local.Addr().IsUnspecified() && !l.Local.Addr().IsUnspecified()) {
				best = i
			}
		}
		if best >= 0 {
			counts[best] += n
		}
	}
	return counts
}

// takes reports whether connections to an address can come to l.
func (l Listener) takes(at netip.AddrPort) bool {
	own := l.Local.Addr()
	switch {
	case l.Local.Port() != at.Port():
		return false
	case !own.IsUnspecified():
		return own.WithZone("") == at.Addr()
	case own.Is4():
		return at.Addr().Is4()
	}
	return at.Addr().Is6() || !l.V6Only
}
