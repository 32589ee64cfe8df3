package tcp

import (
	"net/netip"
	"testing"

	"github.com/fastopen-go/fastopen/wire"
)

// TestClosedOwesNothing: a FIN that comes again, and acknowledges ours, ends the
// connection. No ACK may be left to be sent, or the connection would never be done.
func TestClosedOwesNothing(t *testing.T) {
	for _, unread := range []int{0, 1, 64 << 10} {
		cfg := benchConfig
		cfg.ReceiveBuffer, cfg.MaxReceiveBuffer = 64<<10, 1
		remote := netip.MustParseAddrPort("192.0.2.9:1000")
		l := Listen(&cfg, ListenConfig{}, serverAddr)
		syn := wire.Segment{Src: remote, Dst: serverAddr, Seq: 5, Flags: wire.SYN, Window: 65535}
		syn.Options = wire.Options{MSS: 1460, WindowScale: 8}
		c := l.Receive(testStart, &syn)
		sa, _ := c.Send(testStart)
		s := wire.Segment{Src: remote, Dst: serverAddr, Seq: 6, Ack: sa.Seq + 1, Flags: wire.ACK, Window: 500}
		for n := unread; n > 0; n -= len(s.Payload) {
			s.Payload = make([]byte, min(n, 1000))
			c.Receive(testStart, &s)
			for _, ok := c.Send(testStart); ok; _, ok = c.Send(testStart) {
			}
			s.Seq += uint32(len(s.Payload))
		}
		s.Payload = nil
		s.Flags |= wire.FIN
		c.Receive(testStart, &s)
		l.Accept()
		c.CloseWrite(testStart)
		var fin wire.Segment
		for x, ok := c.Send(testStart); ok; x, ok = c.Send(testStart) {
			fin = x
		}
		s.Ack = fin.End()
		c.Receive(testStart, &s)
		for _, ok := c.Send(testStart); ok; _, ok = c.Send(testStart) {
		}
		if c.State() == Closed && !c.Done() {
			t.Errorf("with %d bytes unread: closed, and not done: %b", unread, c.due)
		}
	}
}
