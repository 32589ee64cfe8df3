package stack

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// TestDrops sends what is not to be used, and looks for it in the counters.
func TestDrops(t *testing.T) {
	ip := func(src, dst netip.Addr, protocol uint8) *wire.IP {
		return &wire.IP{Src: src, Dst: dst, Protocol: protocol}
	}
	whole := func(h *wire.IP, body []byte) []byte { return append(h.Append(nil, len(body)), body...) }
	seg := func(f func(*wire.Segment)) []byte {
		s := wire.Segment{Src: netip.AddrPortFrom(addrA4, 1000), Dst: at80, Flags: wire.SYN, Window: 100}
		f(&s)
		return s.AppendPacket(nil, wire.Full)
	}
	broken := func(p []byte) []byte {
		p[len(p)-1] ^= 1
		return p
	}
	routed := ip(addrA4, addrB4, wire.ProtocolTCP)
	routed.Options = []byte{131, 7, 4, 1, 2, 3, 4, 0}
	d := wire.Datagram{Src: netip.AddrPortFrom(addrA4, 5), Dst: netip.AddrPortFrom(addrB4, 5), Payload: []byte("x")}
	icmp := func(m wire.ICMP) []byte {
		return whole(ip(addrA4, addrB4, wire.ProtocolICMP), m.Append(nil, addrA4, addrB4))
	}
	other := netip.MustParseAddr("10.0.0.77")
	for name, c := range map[string]struct {
		packet []byte
		count  func(*Drops) *uint64
	}{
		"no packet":         {[]byte{1, 2, 3}, func(d *Drops) *uint64 { return &d.Malformed }},
		"to another":        {whole(ip(addrA4, other, wire.ProtocolTCP), make([]byte, 20)), func(d *Drops) *uint64 { return &d.NotOurs }},
		"from a group":      {whole(ip(netip.MustParseAddr("224.0.0.1"), addrB4, wire.ProtocolTCP), make([]byte, 20)), func(d *Drops) *uint64 { return &d.BadSource }},
		"from ourselves":    {whole(ip(addrB4, addrB4, wire.ProtocolTCP), make([]byte, 20)), func(d *Drops) *uint64 { return &d.BadSource }},
		"from loopback":     {whole(ip(netip.MustParseAddr("127.0.0.1"), addrB4, wire.ProtocolTCP), make([]byte, 20)), func(d *Drops) *uint64 { return &d.BadSource }},
		"source route":      {whole(routed, make([]byte, 20)), func(d *Drops) *uint64 { return &d.SourceRoute }},
		"TCP checksum":      {broken(seg(func(*wire.Segment) {})), func(d *Drops) *uint64 { return &d.BadTCP }},
		"UDP checksum":      {broken(whole(ip(addrA4, addrB4, wire.ProtocolUDP), append(d.AppendHeader(nil), 'x'))), func(d *Drops) *uint64 { return &d.BadUDP }},
		"ICMP checksum":     {broken(icmp(wire.ICMP{Kind: wire.EchoRequest, Body: []byte("abcd")})), func(d *Drops) *uint64 { return &d.BadICMP }},
		"ICMP of nothing":   {icmp(wire.ICMP{Kind: wire.PortUnreachable, Quote: seg(func(*wire.Segment) {})}), func(d *Drops) *uint64 { return &d.BadICMPQuote }},
		"unknown protocol":  {whole(ip(addrA4, addrB4, 99), nil), func(d *Drops) *uint64 { return &d.UnknownProtocol }},
		"nobody's port":     {seg(func(s *wire.Segment) { s.Dst = netip.AddrPortFrom(addrB4, 81) }), func(d *Drops) *uint64 { return &d.NoSocket }},
		"nobody's datagram": {whole(ip(addrA4, addrB4, wire.ProtocolUDP), append(d.AppendHeader(nil), 'x')), func(d *Drops) *uint64 { return &d.NoSocket }},
		"SYN with FIN":      {seg(func(s *wire.Segment) { s.Flags |= wire.FIN }), func(d *Drops) *uint64 { return &d.BadSYN }},
	} {
		w := newWorld(t, Settings{}, Settings{})
		w.listen(at80, 0)
		w.b.Input(w.now, c.packet)
		got := w.b.Stats().Drops
		if n := c.count(&got); *n != 1 {
			t.Errorf("%s: %+v", name, got)
		} else if *n = 0; got != (Drops{}) {
			t.Errorf("%s: besides, %+v", name, got)
		}
		if s := w.b.Stats(); s.PacketsIn != 1 || s.BytesIn != uint64(len(c.packet)) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// Too many of all that is bounded.
	w := newWorld(t, Settings{}, Settings{MaxSockets: 3})
	l := w.listen(at80, 0)
	want(t, "Listen", l.Listen(w.now, 1), nil)
	for range 5 {
		want(t, "Connect", w.a.Socket().Connect(w.now, at80), syscall.EINPROGRESS)
	}
	u := w.b.UDP()
	u.SetReceiveBuffer(2048)
	want(t, "Bind", u.Bind(d.Dst), nil)
	for range 40 {
		if _, err := w.a.UDP().SendTo(w.now, make([]byte, 100), d.Dst); err != nil {
			t.Fatal(err)
		}
	}
	x := w.a.UDP()
	want(t, "Bind", x.Bind(netip.AddrPortFrom(addrA4, 5)), nil)
	for range 10 {
		x.SendTo(w.now, nil, netip.AddrPortFrom(addrB4, 6))
	}
	w.run(time.Second / 2)
	got := w.b.Stats().Drops
	if got.TooManySockets != 2 || got.ListenOverflows != 1 || got.ReceiveQueueFull != 24 || got.RateLimited != 4 {
		t.Errorf("%+v", got)
	}
}

// TestEcho answers pings.
func TestEcho(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	for _, a := range [][2]netip.Addr{{addrA4, addrB4}, {addrA6, addrB6}} {
		var replies [][]byte
		w.drop = func(_ *Host, p []byte) bool { replies = append(replies, p); return true }
		m := wire.ICMP{Kind: wire.EchoRequest, Body: []byte("1234payload")}
		ip := wire.IP{Src: a[0], Dst: a[1], Protocol: wire.ProtocolICMP}
		if !a[0].Is4() {
			ip.Protocol = wire.ProtocolICMPv6
		}
		body := m.Append(nil, ip.Src, ip.Dst)
		w.b.Input(w.now, append(ip.Append(nil, len(body)), body...))
		if len(replies) != 1 {
			t.Fatalf("%d replies", len(replies))
		}
		r, got, _ := wire.ParseIP(replies[0])
		e, ok := wire.ParseICMP(r.Src, r.Dst, got)
		if !ok || e.Kind != wire.EchoReply || string(e.Body) != "1234payload" || r.Src != a[1] || r.Dst != a[0] {
			t.Errorf("got %+v %+v", r, e)
		}
	}
}
