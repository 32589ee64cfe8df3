package sim

import "net/netip"

// A flow is the segments of a connection that go one way.
type flow struct{ src, dst netip.AddrPort }

func flowOf(s *segment) flow { return flow{s.Src, s.Dst} }

func (f flow) reverse() flow { return flow{f.dst, f.src} }
