package tcp

import (
	"net/netip"
	"testing"

	"github.com/fastopen-go/fastopen/wire"
)

// TestAnnouncedIsTaken fills the window that is announced to its last byte: all of
// it must be taken, although 65,535 cannot be told with a window scale.
func TestAnnouncedIsTaken(t *testing.T) {
	cfg := benchConfig
	cfg.ReceiveBuffer, cfg.MaxReceiveBuffer = 64<<10, 6<<20
	cfg.DelayedACK = -1
	remote := netip.MustParseAddrPort("192.0.2.9:1000")
	l := Listen(&cfg, ListenConfig{}, serverAddr)
	syn := wire.Segment{Src: remote, Dst: serverAddr, Seq: 5, Flags: wire.SYN, Window: 65535}
	syn.Options = wire.Options{MSS: 1460, WindowScale: 8}
	c := l.Receive(testStart, &syn)
	sa, _ := c.Send(testStart)
	data := wire.Segment{Src: remote, Dst: serverAddr, Seq: 6, Ack: sa.Seq + 1, Flags: wire.ACK, Window: 500, Payload: make([]byte, 1000)}
	for {
		c.Receive(testStart, &data)
		ack, ok := c.Send(testStart)
		if !ok {
			t.Fatal("not acknowledged at once")
		}
		data.Seq += uint32(len(data.Payload))
		if ack.Ack != data.Seq {
			t.Fatalf("of what was announced, %d bytes were not taken", data.Seq-ack.Ack)
		}
		window := int(ack.Window) << c.rcv.scale
		if window == 0 {
			break
		}
		data.Payload = make([]byte, min(window, 1000))
	}
}
