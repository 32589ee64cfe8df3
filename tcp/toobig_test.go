package tcp

import (
	"net/netip"
	"testing"

	"github.com/fastopen-go/fastopen/wire"
)

// A router complains of each packet that was too big. Only what makes the segments
// smaller is news: the others are not to have sent again what was sent small enough
// meanwhile, nor are such as claim a size that is no smaller.
//
// "A host MUST not increase its estimate of the Path MTU in response to the contents of
// a Datagram Too Big message."
// https://www.rfc-editor.org/rfc/rfc1191#section-3
func TestTooBigAgain(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460,sackOK")
	h.write(4 * 1460)
	for i := range 4 {
		h.want("too big", sprint(". %d:%d(1460) ack 1", 1+i*1460, 1+(i+1)*1460))
	}
	h.at(30)
	h.icmp(wire.PacketTooBig, 1500, 1)
	h.icmp(wire.PacketTooBig, 9000, 1461)
	h.idle("no smaller than before")
	h.icmp(wire.PacketTooBig, 1040, 1)
	sent := 0
	for s, ok := h.send(); ok; s, ok = h.send() {
		if s.Len() > 1000 {
			t.Errorf("%s is still too big", h.format(s))
		}
		sent += s.Len()
	}
	if sent != 4*1460 {
		t.Errorf("%d bytes were sent again, want all %d", sent, 4*1460)
	}
	// More at the same instant, which are one stretch of the scoreboard.
	h.at(31)
	h.write(3000)
	for i := range 3 {
		h.want("new", sprint(". %d:%d(1000) ack 1", 5841+i*1000, 6841+i*1000))
	}
	h.at(32)
	for i := range 3 {
		h.icmp(wire.PacketTooBig, 1040, uint32(1461+i*1460))
		h.idle("said before")
	}
}

// "If a node receives a Packet Too Big message reporting a next-hop MTU that is less than
// the IPv6 minimum link MTU, it must discard it."
// https://www.rfc-editor.org/rfc/rfc8201#section-4
func TestTooBigBelowMinimum(t *testing.T) {
	h := newHarness(t)
	h.local, h.remote = netip.MustParseAddrPort("[2001:db8::1]:80"), netip.MustParseAddrPort("[2001:db8::2]:1000")
	h.listen(0)
	h.establish("mss 1440,sackOK")
	h.write(1440)
	h.want("data", ". 1:1441(1440) ack 1")
	for _, mtu := range []uint32{0, 68, 576, 1279} {
		h.icmp(wire.PacketTooBig, mtu, 1)
		h.idle("no such links")
	}
	h.icmp(wire.PacketTooBig, 1280, 1)
	h.want("smaller", ". 1:1221(1220) ack 1")
}
