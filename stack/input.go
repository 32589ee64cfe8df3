package stack

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/wire"
)

// arrive is the way in: the IP layer, one look-up, and the machine.
func (h *Host) arrive(now time.Time, link int16, p *wire.Packet) {
	h.stats.PacketsIn++
	h.stats.BytesIn += uint64(len(p.Head))
	ether := h.links[link].ether
	if ether != nil {
		packet, ok := h.arriveFrame(ether, p)
		if !ok {
			return
		}
		p = &packet
	}
	ip, body, ok := wire.ParseIP(p.Head)
	if !ok {
		h.stats.Drops.Malformed++
		return
	}
	if ether != nil && ether.discover(&ip, body) {
		return
	}
	if !h.welcome(link, &ip) {
		return
	}
	if ip.IsFragment() {
		h.arriveInPart(now, link, &ip, p)
		return
	}
	h.deliver(now, link, &ip, body, p)
}

// arriveInPart keeps a fragment until the others have come.
func (h *Host) arriveInPart(now time.Time, link int16, ip *wire.IP, p *wire.Packet) {
	b, fate := h.fragments.add(now, p.Head, ip)
	switch fate {
	case kept, repeated:
		h.alarms.set((*fragmentEnd)(h), h.clock(h.fragments.deadline()))
		return
	case whole:
	default:
		h.stats.Drops.Fragments++
		return
	}
	ipWhole, body, ok := wire.ParseIP(b)
	if !ok || ipWhole.IsFragment() {
		h.stats.Drops.Fragments++
		return
	}
	h.deliver(now, link, &ipWhole, body, &wire.Packet{Head: b})
}

// fragmentEnd is the sleeper for packets of which fragments are missing.
type fragmentEnd Host

func (e *fragmentEnd) place() *int32 { return &e.fragmentPlace }

func (e *fragmentEnd) wake(at int64) {
	h := (*Host)(e)
	now := h.time(at)
	h.fragments.expire(now, func(quote []byte) {
		h.stats.Drops.Fragments++
		if ip, _, ok := wire.ParseQuotedIP(quote); ok && ip.Protocol != wire.ProtocolICMP && ip.Protocol != wire.ProtocolICMPv6 {
			if link, _, ok := h.route(ip.Src); ok {
				h.sendError(now, link, &ip, wire.ReassemblyTimeout, quote)
			}
		}
	})
	if d := h.fragments.deadline(); !d.IsZero() {
		h.alarms.set(e, h.clock(d))
	}
}

// deliver gives a whole packet to the protocol it is of.
func (h *Host) deliver(now time.Time, link int16, ip *wire.IP, body []byte, p *wire.Packet) {
	switch ip.Protocol {
	case wire.ProtocolTCP:
		s := &h.segment
		if !s.Parse(ip.Src, ip.Dst, body, p.Check) {
			h.stats.Drops.BadTCP++
			return
		}
		s.ECN, s.Buffer = ip.ECN(), p.Buffer
		h.stats.SegmentsIn++
		h.receive(now, link, s)
	case wire.ProtocolUDP:
		var d wire.Datagram
		if !d.Parse(ip.Src, ip.Dst, body, p.Check) {
			h.stats.Drops.BadUDP++
			return
		}
		h.receiveDatagram(now, link, &d, p.Head)
	case wire.ProtocolICMP, wire.ProtocolICMPv6:
		if (ip.Protocol == wire.ProtocolICMP) != ip.Src.Is4() {
			h.stats.Drops.UnknownProtocol++
			return
		}
		h.receiveICMP(now, link, ip, body)
	default:
		h.stats.Drops.UnknownProtocol++
		h.sendError(now, link, ip, wire.ProtocolUnknown, p.Head)
	}
}

// welcome reports whether a packet is for this host, from somebody who can be
// answered.
//
// "A host MUST silently discard an incoming datagram that is not destined for
// the host"; "[...] whose source address is invalid".
// https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3
func (h *Host) welcome(link int16, ip *wire.IP) bool {
	if !h.isOwn(ip.Dst) && !(link == h.loopback && ip.Dst.IsLoopback()) {
		h.stats.Drops.NotOurs++
		return false
	}
	if !possible(ip.Src) || link != h.loopback && (ip.Src.IsLoopback() || h.isOwn(ip.Src)) {
		h.stats.Drops.BadSource++
		return false
	}
	if hasSourceRoute(ip.Options) {
		h.stats.Drops.SourceRoute++
		return false
	}
	return true
}

// possible reports whether a host can have the address.
func possible(a netip.Addr) bool {
	return !a.IsMulticast() && !a.IsUnspecified() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// hasSourceRoute looks for an option that says by what way to answer: nobody
// uses it in earnest, and it lets a packet pretend where it comes from.
//
// https://www.rfc-editor.org/rfc/rfc7126#section-4.3.5
func hasSourceRoute(options []byte) bool {
	for len(options) > 0 {
		switch options[0] {
		case 0: // end
			return false
		case 1: // no operation
			options = options[1:]
			continue
		case 131, 137: // loose, strict
			return true
		}
		if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
			return false
		}
		options = options[options[1]:]
	}
	return false
}

// receive gives a segment to whom it is for.
func (h *Host) receive(now time.Time, link int16, s *wire.Segment) {
	f := flowOf(s.Dst, s.Src)
	if c, ok := h.conns.get(&f); ok {
		c.conn.Receive(now, s)
		h.touch(c)
		if c.conn.Gap() {
			// Each such segment is told of: the sender counts them.
			h.attend(now, c)
			h.flush()
		}
		return
	}
	l := h.listener(s.Dst)
	w, waits := h.waits.get(&f)
	if waits {
		cfg := h.config(variant{link: link})
		reply, send, reuse := w.Receive(now, cfg, s)
		if reuse && l == nil {
			reuse = false
			reply, send = w.Refuse(now, cfg, s)
		}
		if send {
			h.transmit(link, &reply)
		}
		if !reuse {
			return
		}
		h.endWait(w)
	}
	if l != nil {
		l.arrive(now, link, s, w)
		return
	}
	h.stats.Drops.NoSocket++
	if r, ok := tcp.Reset(s); ok {
		h.stats.ResetsOut++
		h.transmit(link, &r)
	}
}

// listener finds who listens on an address: that very one, or all of its family,
// or all.
func (h *Host) listener(a netip.AddrPort) *Socket {
	if len(h.listeners) == 0 {
		return nil
	}
	if l := h.listeners[a]; l != nil {
		return l
	}
	wild := netip.IPv6Unspecified()
	if a.Addr().Is4() {
		wild = netip.IPv4Unspecified()
	}
	if l := h.listeners[netip.AddrPortFrom(wild, a.Port())]; l != nil {
		return l
	}
	return h.listeners[netip.AddrPortFrom(netip.Addr{}, a.Port())]
}

// arrive takes a segment for no connection, at a listener; w is not nil if there was
// one lately, which s may open anew.
func (l *Socket) arrive(now time.Time, link int16, s *wire.Segment, w *waiting) {
	h, machine := l.host, l.ext.listener
	if s.Flags.Has(wire.SYN) && h.conns.n >= h.settings.maxSockets() {
		h.stats.Drops.TooManySockets++
		return
	}
	machine.SetConfig(h.config(l.ext.variant(link)))
	var c *tcp.Conn
	if w != nil {
		c = machine.Reopen(now, &w.Wait, s)
	} else {
		c = machine.Receive(now, s)
	}
	if c != nil {
		h.stats.Accepted++
		child := &Socket{host: h, conn: c, parent: l, link: link, flags: passive}
		l.inherit(now, child)
		l.ext.children[c] = child
		h.conns.add(child)
		h.touch(child)
	}
	for {
		reply, ok := machine.Send()
		if !ok {
			return
		}
		h.transmit(link, &reply)
	}
}
