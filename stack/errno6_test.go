package stack

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// TestErrnosOfICMPv6: what a connect fails with that meets each ICMPv6 error. The numbers
// were read off Linux 6.18, to which such messages were sent.
func TestErrnosOfICMPv6(t *testing.T) {
	for kind, no := range map[wire.ICMPKind]syscall.Errno{
		wire.NetUnreachable: syscall.ENETUNREACH, wire.HostUnreachable: syscall.EHOSTUNREACH,
		wire.PortUnreachable: syscall.ECONNREFUSED, wire.AdminProhibited: syscall.EACCES,
		wire.ProtocolUnknown: syscall.EPROTO, wire.HopLimitExceeded: syscall.EHOSTUNREACH,
	} {
		w := newWorld(t, Settings{}, Settings{})
		at := netip.AddrPortFrom(addrB6, 80)
		l := w.listen(at, 0)
		c, _ := w.connect(at, l)
		w.drop = func(to *Host, p []byte) bool {
			if to != w.b {
				return false
			}
			m := wire.ICMP{Kind: kind, Quote: p}
			ip := wire.IP{Src: netip.MustParseAddr("fd00::ff"), Dst: addrA6, Protocol: wire.ProtocolICMPv6}
			body := m.Append(nil, ip.Src, ip.Dst)
			w.flight = append(w.flight, inFlight{w.now.Add(w.delay), w.a, append(ip.Append(nil, len(body)), body...)})
			return true
		}
		s := w.a.Socket()
		want(t, "Connect", s.Connect(w.now, at), syscall.EINPROGRESS)
		c.Send(w.now, []byte("x"))
		w.run(100 * time.Millisecond)
		want(t, "PendingError, connecting", s.PendingError(), no)
		want(t, "PendingError, soft", c.PendingError(), no)
	}
}
