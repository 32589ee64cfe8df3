package sim

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// Routers that report what is too big speak from these addresses.
var (
	// The address that is registered for routers without an IPv4 address of
	// their own: https://www.rfc-editor.org/rfc/rfc7600
	router4 = netip.AddrFrom4([4]byte{192, 0, 0, 8})
	router6 = netip.MustParseAddr("2001:db8::8")
)

// MTU returns a router that drops each packet longer than n bytes, as if all
// asked not to be fragmented, and reports it to the sender: RFC 1191, RFC 8201.
func MTU(n int) Box { return limitMTU(n, true) }

// SilentMTU returns a router that drops each packet longer than n bytes without
// a word, or in front of which all such words are filtered.
func SilentMTU(n int) Box { return limitMTU(n, false) }

func limitMTU(n int, report bool) Box {
	return func(_ time.Time, d Dir, packet []byte, emit func(Dir, []byte)) {
		if len(packet) <= n {
			emit(d, packet)
			return
		}
		if h, _, ok := wire.ParseIP(packet); ok && report && h.Protocol != wire.ProtocolICMP && h.Protocol != wire.ProtocolICMPv6 {
			emit(d.Reverse(), tooBig(h.Src, n, packet))
		}
	}
}

// tooBig is the report that a packet was longer than mtu.
func tooBig(to netip.Addr, mtu int, packet []byte) []byte {
	h := wire.IP{Src: router4, Dst: to, Protocol: wire.ProtocolICMP}
	if !to.Is4() {
		h.Src, h.Protocol = router6, wire.ProtocolICMPv6
	}
	m := wire.ICMP{Kind: wire.PacketTooBig, MTU: uint32(mtu), Quote: packet}
	body := m.Append(nil, h.Src, h.Dst)
	return append(h.Append(nil, len(body)), body...)
}
