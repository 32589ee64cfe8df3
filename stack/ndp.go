package stack

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// https://www.rfc-editor.org/rfc/rfc4861#section-4
const (
	ndpSolicitation  = 135
	ndpAdvertisement = 136
	ndpMessageLen    = 24 // before the options

	optionSource = 1 // source link-layer address
	optionTarget = 2 // target link-layer address

	flagRouter    = 1 << 31
	flagSolicited = 1 << 30
	flagOverride  = 1 << 29
)

var allNodes = netip.MustParseAddr("ff02::1")

// ndpMessage is a neighbour solicitation or advertisement.
type ndpMessage struct {
	kind        uint8
	flags       uint32 // of an advertisement
	target      netip.Addr
	hardware    hardwareAddr // of the option that belongs to the kind
	hasHardware bool
}

// parseNDP reads a message, an ICMPv6 packet whose IP header is h, and checks all
// that RFC 4861 says to check (sections 7.1.1, 7.1.2). It reports false for what
// is no neighbour solicitation or advertisement, or no valid one.
func parseNDP(h *wire.IP, b []byte) (m ndpMessage, ok bool) {
	if h.Src.Is4() || h.Protocol != wire.ProtocolICMPv6 || len(b) < ndpMessageLen {
		return m, false
	}
	m.kind = b[0]
	if m.kind != ndpSolicitation && m.kind != ndpAdvertisement {
		return m, false
	}
	// A message with a fragment header is ignored, also where it is whole
	// (RFC 6980, section 5); so is one with any other extension header, which
	// nobody sends.
	// https://www.rfc-editor.org/rfc/rfc6980#section-5
	if h.HeaderLen != 40 {
		return m, false
	}
	// "The IP Hop Limit field has a value of 255, i.e., the packet could not
	// possibly have been forwarded by a router."
	if h.HopLimit != 255 || b[1] != 0 {
		return m, false
	}
	if wire.Fold(wire.Sum(wire.PseudoHeader(h.Src, h.Dst, wire.ProtocolICMPv6, len(b)), b)) != 0 {
		return m, false
	}
	m.target = netip.AddrFrom16([16]byte(b[8:24]))
	if m.target.IsMulticast() || m.target.IsUnspecified() || m.target.Is4In6() || h.Src.IsMulticast() {
		return m, false
	}
	own := uint8(optionSource)
	if m.kind == ndpAdvertisement {
		m.flags, own = binary.BigEndian.Uint32(b[4:]), optionTarget
	}
	// "All included options have a length that is greater than zero."
	for options := b[ndpMessageLen:]; len(options) > 0; {
		if len(options) < 2 || options[1] == 0 || len(options) < 8*int(options[1]) {
			return m, false
		}
		if options[0] == own && options[1] == 1 {
			m.hardware, m.hasHardware = hardwareAddr(options[2:8]), true
		}
		options = options[8*int(options[1]):]
	}
	if m.hasHardware && m.hardware.group() {
		return m, false
	}
	switch {
	case m.kind == ndpAdvertisement:
		// "If the IP Destination Address is a multicast address the
		// Solicited flag is zero."
		return m, !h.Src.IsUnspecified() && (!h.Dst.IsMulticast() || m.flags&flagSolicited == 0)
	case h.Src.IsUnspecified():
		// "If the IP source address is the unspecified address, the IP
		// destination address is a solicited-node multicast address [and]
		// there is no source link-layer address option in the message."
		return m, !m.hasHardware && h.Dst == solicitedNode(m.target)
	}
	return m, true
}

// append writes the message as a packet of its own.
func (m *ndpMessage) append(dst []byte, src, dest netip.Addr) []byte {
	size := ndpMessageLen
	if m.hasHardware {
		size += 8
	}
	h := wire.IP{Src: src, Dst: dest, Protocol: wire.ProtocolICMPv6, HopLimit: 255}
	dst = h.Append(dst, size)
	start := len(dst)
	target := m.target.As16()
	dst = append(dst, m.kind, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, m.flags)
	dst = append(dst, target[:]...)
	if m.hasHardware {
		option := byte(optionSource)
		if m.kind == ndpAdvertisement {
			option = optionTarget
		}
		dst = append(append(dst, option, 1), m.hardware[:]...)
	}
	sum := wire.PseudoHeader(src, dest, wire.ProtocolICMPv6, size)
	binary.BigEndian.PutUint16(dst[start+2:], wire.Fold(wire.Sum(sum, dst[start:])))
	return dst
}

// ndp takes an ICMPv6 packet whose IP header is h. It reports whether that was a
// message of neighbour discovery, good or bad; others are not touched.
func (n *neighbours[P]) ndp(now time.Time, h *wire.IP, b []byte) bool {
	if len(b) == 0 || b[0] != ndpSolicitation && b[0] != ndpAdvertisement {
		return false
	}
	m, ok := parseNDP(h, b)
	switch {
	case !ok || m.hasHardware && m.hardware == n.Hardware:
		n.Drops.Malformed++
	case m.kind == ndpSolicitation:
		n.solicited(now, h, &m)
	default:
		n.advertised(now, &m)
	}
	return true
}

// solicited answers a question.
//
// https://www.rfc-editor.org/rfc/rfc4861#section-7.2.3
func (n *neighbours[P]) solicited(now time.Time, h *wire.IP, m *ndpMessage) {
	switch {
	case !n.Own(m.target):
		return
	case n.Own(h.Src):
		n.Drops.Conflict++
		return
	case m.hasHardware:
		// "If an entry already exists, and the cached link-layer address
		// differs from the one in the received Source Link-Layer option, the
		// cached address should be replaced by the received address, and the
		// entry's reachability state MUST be set to STALE."
		n.learn(now, h.Src, m.hardware, false, true, true)
	}
	a := ndpMessage{kind: ndpAdvertisement, flags: flagSolicited | flagOverride, target: m.target, hardware: n.Hardware, hasHardware: true}
	to, hardware := h.Src, m.hardware
	switch {
	case h.Src.IsUnspecified():
		// "If the source of the solicitation is the unspecified address, the
		// node MUST set the Solicited flag to zero and multicast the
		// advertisement to the all-nodes address."
		a.flags = flagOverride
		to, hardware = allNodes, multicastHardware(allNodes)
	case !m.hasHardware:
		at := n.known[h.Src]
		if at == nil || at.Value.(*neighbour[P]).state == incomplete {
			// Who asks us without an address of theirs asks again, as
			// soon as we know it; for a unicast question this is rare.
			a.flags &^= flagSolicited
			to, hardware = allNodes, multicastHardware(allNodes)
			break
		}
		hardware = at.Value.(*neighbour[P]).hardware
	}
	n.reply(hardware, a.append(appendEthernet(nil, hardware, n.Hardware, etherTypeIPv6), m.target, to))
}

// advertised takes an answer, or news.
//
// https://www.rfc-editor.org/rfc/rfc4861#section-7.2.5
func (n *neighbours[P]) advertised(now time.Time, m *ndpMessage) {
	if n.Own(m.target) {
		n.Drops.Conflict++
		return
	}
	at := n.known[m.target]
	if at == nil {
		n.Drops.Unasked++ // "the advertisement SHOULD be silently discarded"
		return
	}
	e := at.Value.(*neighbour[P])
	answer := m.flags&flagSolicited != 0
	switch {
	case m.hasHardware:
		n.learn(now, m.target, m.hardware, answer, m.flags&flagOverride != 0, false)
	case e.state != incomplete && answer:
		n.become(now, e, reachable)
	}
}

// neighbourSolicitation asks for e's hardware address.
func (n *neighbours[P]) neighbourSolicitation(to hardwareAddr, e *neighbour[P]) []byte {
	m := ndpMessage{kind: ndpSolicitation, target: e.addr, hardware: n.Hardware, hasHardware: e.from.IsValid()}
	dest := e.addr
	if e.state == incomplete {
		dest = solicitedNode(e.addr)
	}
	return m.append(appendEthernet(nil, to, n.Hardware, etherTypeIPv6), e.from, dest)
}
