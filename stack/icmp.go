package stack

import (
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// receiveICMP answers echo requests, and gives errors to the sockets whose packets
// they are about.
func (h *Host) receiveICMP(now time.Time, link int16, ip *wire.IP, body []byte) {
	m, ok := wire.ParseICMP(ip.Src, ip.Dst, body)
	if !ok {
		h.stats.Drops.BadICMP++
		return
	}
	switch m.Kind {
	case wire.EchoRequest:
		if h.settings.NoEcho {
			return
		}
		// "Every host MUST implement an ICMP Echo server function"
		// https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.6
		h.sendICMP(now, link, ip, &wire.ICMP{Kind: wire.EchoReply, Body: m.Body})
	case wire.EchoReply, wire.ICMPOther:
	default:
		h.receiveError(now, &m)
	}
}

// receiveError finds the socket that sent what the error quotes. That it did is
// for the machine to check.
func (h *Host) receiveError(now time.Time, m *wire.ICMP) {
	if q, ok := m.QuotedTCP(); ok {
		f := flowOf(q.Src, q.Dst)
		if s, ok := h.conns.get(&f); ok {
			if !s.conn.ICMP(now, m, q) {
				h.stats.Drops.OutOfWindowICMP++
			}
			s.noteSoft()
			h.touch(s)
			return
		}
	} else if q, ok := m.QuotedUDP(); ok {
		if u := h.datagramSocket(q.Src, q.Dst); u != nil {
			u.receiveError(m)
			return
		}
	}
	h.stats.Drops.BadICMPQuote++
}

// sendICMP answers a packet.
func (h *Host) sendICMP(now time.Time, link int16, to *wire.IP, m *wire.ICMP) {
	ip := wire.IP{Src: to.Dst, Dst: to.Src, Protocol: wire.ProtocolICMP, TrafficClass: to.TrafficClass &^ 3}
	if !ip.Src.Is4() {
		ip.Protocol = wire.ProtocolICMPv6
	}
	b := m.Append(nil, ip.Src, ip.Dst)
	h.sendWhole(link, &ip, b)
}

// sendError tells the sender of a packet why it was not used.
//
// "An ICMP error message MUST NOT be sent as the result of receiving: an ICMP
// error message, or a datagram destined to an IP broadcast or IP multicast
// address, or [...] a non-initial fragment, or a datagram whose source address
// does not define a single host". Of these, only the first can have come so far.
// https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2
func (h *Host) sendError(now time.Time, link int16, to *wire.IP, kind wire.ICMPKind, packet []byte) {
	if !h.errors.allow(now, to.Src) {
		h.stats.Drops.RateLimited++
		return
	}
	h.sendICMP(now, link, to, &wire.ICMP{Kind: kind, Quote: packet})
}

// sendWhole sends a packet whose body is b, in fragments if it has to be.
func (h *Host) sendWhole(link int16, ip *wire.IP, b []byte) {
	i := h.links[link]
	header := 20
	if !ip.Src.Is4() {
		header = 40
	}
	h.identify(ip)
	if header+len(b) <= i.mtu {
		h.sendPart(i, ip, b)
		return
	}
	// The header of a fragment is longer by 8 bytes in IPv6, and offsets count
	// in units of 8.
	if header == 40 {
		header = 48
	}
	most := (i.mtu - header) &^ 7
	for off := 0; off < len(b); off += most {
		part := b[off:min(off+most, len(b))]
		ip.FragmentOffset, ip.MoreFragments = uint16(off), off+len(part) < len(b)
		h.sendPart(i, ip, part)
	}
}

// identify lets routers cut a packet that is not of TCP: nobody here would make use
// of it if they said that it is too big.
func (h *Host) identify(ip *wire.IP) {
	h.fragmentID++
	ip.ID, ip.DontFragment = h.fragmentID, false
}

// sendPart hands one packet over at once: what b is made of need not stay.
func (h *Host) sendPart(i *attachment, ip *wire.IP, b []byte) {
	p := i.next()
	p.Head = ip.Append(p.Head, len(b))
	p.Payload = b
	h.queueTo(i, ip.Src, ip.Dst)
	if i.n > 0 {
		h.flushLink(i)
	}
}
