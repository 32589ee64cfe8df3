package stack

import (
	"encoding/binary"
	"net/netip"

	"github.com/fastopen-go/fastopen/wire"
)

// ethernet is what an attachment to an Ethernet link has besides.
type ethernet struct {
	neighbours[*wire.Packet]
	host *Host
	link int16
	slot int32
}

func newEthernet(h *Host, link int16, hardware hardwareAddr) *ethernet {
	e := &ethernet{host: h, link: link}
	e.Hardware, e.Seed = hardware, h.conns.key[1]
	e.Own = func(a netip.Addr) bool {
		l, ok := h.own[a]
		return ok && l == link
	}
	return e
}

// arriveFrame takes a frame off a packet. It reports false when there is nothing
// more to do with it.
func (h *Host) arriveFrame(e *ethernet, p *wire.Packet) (packet wire.Packet, ok bool) {
	b := p.Head
	if len(b) < etherHeader {
		h.stats.Drops.Malformed++
		return packet, false
	}
	to, kind := hardwareAddr(b[:6]), binary.BigEndian.Uint16(b[12:])
	if to != e.Hardware && !to.group() {
		h.stats.Drops.NotOurs++
		return packet, false
	}
	packet = *p
	packet.Head = b[etherHeader:]
	switch {
	case kind == etherTypeARP:
		e.arp(h.now, packet.Head)
		e.settle()
		return packet, false
	case kind == etherTypeIPv4 || kind == etherTypeIPv6:
		// To a group, only questions for neighbours are welcome.
		if to == e.Hardware || kind == etherTypeIPv6 {
			return packet, true
		}
		h.stats.Drops.NotOurs++
	default:
		h.stats.Drops.UnknownProtocol++
	}
	return packet, false
}

// discover takes messages of neighbour discovery out of what comes.
func (e *ethernet) discover(ip *wire.IP, body []byte) bool {
	if ip.Protocol != wire.ProtocolICMPv6 || ip.IsFragment() || !e.ndp(e.host.now, ip, body) {
		return false
	}
	e.settle()
	return true
}

// address writes the frame's header of the packet that waits at p, and reports
// false if the packet has to wait for it. What waits is a copy.
func (e *ethernet) address(src, dst netip.Addr, p *wire.Packet) bool {
	h := e.host
	_, next, ok := h.route(dst)
	if !ok {
		next = dst
	}
	var kept *wire.Packet
	if n := e.find(next); n == nil || n.state == incomplete {
		if !next.IsMulticast() && next != ipv4Broadcast {
			kept = &wire.Packet{Head: p.Append(nil), Split: p.Split, Check: p.Check, CheckStart: p.CheckStart, CheckOffset: p.CheckOffset}
		}
	}
	to, known := e.resolve(h.now, next, src, kept, p.Len())
	if !known {
		e.settle()
		return false
	}
	e.writeHeader(p, to)
	e.arm()
	return true
}

func (e *ethernet) writeHeader(p *wire.Packet, to hardwareAddr) {
	kind := uint16(etherTypeIPv6)
	if p.Head[etherHeader]>>4 == 4 {
		kind = etherTypeIPv4
	}
	appendEthernet(p.Head[:0], to, e.Hardware, kind)
}

// settle sends what neighbours have to send, and arms their timer.
func (e *ethernet) settle() {
	h := e.host
	var lost []*wire.Packet
	for {
		d, ok := e.send()
		if !ok {
			break
		}
		switch {
		case d.Message != nil:
			h.launch(h.links[e.link], wire.Packet{Head: d.Message})
		case d.Lost:
			lost = append(lost, d.Packet)
		default:
			e.writeHeader(d.Packet, d.To)
			h.launch(h.links[e.link], *d.Packet)
		}
	}
	for _, p := range lost {
		// Nobody answers for the address: what a router would say.
		h.stats.Drops.NoNeighbour++
		h.receiveError(h.now, &wire.ICMP{Kind: wire.HostUnreachable, Quote: p.Head[etherHeader:]})
	}
	e.arm()
}

func (e *ethernet) arm() {
	if d := e.deadline(); !d.IsZero() {
		e.host.alarms.set(e, e.host.clock(d))
	}
}

// launch queues a packet that was made elsewhere.
func (h *Host) launch(i *attachment, p wire.Packet) {
	i.batch[i.n] = p
	h.queue(i)
}

func (e *ethernet) place() *int32 { return &e.slot }

func (e *ethernet) wake(at int64) {
	e.host.now = e.host.time(at)
	e.tick(e.host.now)
	e.settle()
}

// hardwareOf reads an Ethernet address.
func hardwareOf(b []byte) (a hardwareAddr, ok bool) {
	if len(b) != len(a) {
		return a, false
	}
	copy(a[:], b)
	return a, !a.group()
}
