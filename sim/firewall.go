package sim

import (
	"net/netip"
	"time"
)

// LateBlackHole returns a box that lets the handshake of a connection that uses
// Fast Open pass, and then no more of it in either direction, as boxes did that
// made Linux watch for timeouts after a Fast Open that had seemed to work.
// Connections without Fast Open pass.
func LateBlackHole() Box {
	doomed := map[flow]bool{}
	return segments(func(_ time.Time, _ Dir, s *segment) bool {
		f := flowOf(s)
		switch {
		case s.isSYN():
			if s.Len() > 0 || s.hasFastOpen() {
				doomed[f] = true
			} else {
				delete(doomed, f)
			}
			return true
		case s.isSYNACK():
			return true
		}
		return !doomed[f] && !doomed[f.reverse()]
	})
}

// Blacklist returns a firewall that takes data in a SYN for an attack: it drops
// the SYN, and for the time given all that its source sends to its destination
// after it: packets of this one connection, or, with hosts, those of every
// connection between the two addresses.
func Blacklist(d time.Duration, hosts bool) Box {
	until := map[flow]time.Time{}
	return segments(func(now time.Time, _ Dir, s *segment) bool {
		f := flowOf(s)
		if hosts {
			f.src = netip.AddrPortFrom(f.src.Addr(), 0)
			f.dst = netip.AddrPortFrom(f.dst.Addr(), 0)
		}
		if s.isSYN() && s.Len() > 0 {
			until[f] = now.Add(d)
			return false
		}
		return !now.Before(until[f])
	})
}
