package stack

import (
	"encoding/binary"
	"net/netip"
	"time"
)

const (
	arpLen       = 28
	arpEthernet  = 1
	arpRequested = 1
	arpReplied   = 2
)

// arpMessage is an ARP message between Ethernet stations about IPv4 addresses.
//
// https://www.rfc-editor.org/rfc/rfc826
type arpMessage struct {
	op                     uint16
	senderHW, targetHW     hardwareAddr
	sender, targetProtocol netip.Addr
}

// parseARP reads a message. What comes after it is an Ethernet frame's padding.
func parseARP(b []byte) (m arpMessage, ok bool) {
	be := binary.BigEndian
	if len(b) < arpLen || be.Uint16(b) != arpEthernet || be.Uint16(b[2:]) != etherTypeIPv4 || b[4] != 6 || b[5] != 4 {
		return m, false
	}
	return arpMessage{
		op:             be.Uint16(b[6:]),
		senderHW:       hardwareAddr(b[8:14]),
		sender:         netip.AddrFrom4([4]byte(b[14:18])),
		targetHW:       hardwareAddr(b[18:24]),
		targetProtocol: netip.AddrFrom4([4]byte(b[24:28])),
	}, true
}

func (m *arpMessage) append(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint16(dst, arpEthernet)
	dst = be.AppendUint16(dst, etherTypeIPv4)
	dst = append(dst, 6, 4)
	dst = be.AppendUint16(dst, m.op)
	sender, target := m.sender.As4(), m.targetProtocol.As4()
	dst = append(append(dst, m.senderHW[:]...), sender[:]...)
	return append(append(dst, m.targetHW[:]...), target[:]...)
}

// arp takes an ARP message, the payload of a frame.
//
// "If the pair <protocol type, sender protocol address> is already in my
// translation table, update the sender hardware address field of the entry with
// the new information in the packet [...]. Am I the target protocol address?
// [...] If Merge_flag is false, add the triplet [...] to the translation table.
// Is the opcode ares_op$REQUEST? [...] Send the packet to the (new) target
// hardware address"
// https://www.rfc-editor.org/rfc/rfc826
//
// With two cautions: who only announces an address is not believed at once, but
// asked (the entry becomes stale), and nobody can be remembered who does not
// ask for us.
func (n *neighbours[P]) arp(now time.Time, b []byte) {
	m, ok := parseARP(b)
	if !ok || m.senderHW.group() || m.sender.IsMulticast() || m.sender == ipv4Broadcast || m.op != arpRequested && m.op != arpReplied {
		n.Drops.Malformed++
		return
	}
	forUs := n.Own(m.targetProtocol)
	switch {
	case m.senderHW == n.Hardware:
		return // our own, come back
	case n.Own(m.sender):
		n.Drops.Conflict++
		if m.op == arpRequested && !forUs || m.op == arpReplied {
			return
		}
	case m.sender.IsUnspecified():
		// Somebody makes sure that an address is free: RFC 5227. We say
		// if it is not.
	default:
		answer := m.op == arpReplied && forUs && m.targetHW == n.Hardware
		n.learn(now, m.sender, m.senderHW, answer, true, forUs && m.op == arpRequested)
	}
	if m.op == arpRequested && forUs {
		reply := arpMessage{op: arpReplied, senderHW: n.Hardware, sender: m.targetProtocol, targetHW: m.senderHW, targetProtocol: m.sender}
		n.reply(m.senderHW, reply.append(appendEthernet(nil, m.senderHW, n.Hardware, etherTypeARP)))
	}
}

// arpRequest asks for e's hardware address.
func (n *neighbours[P]) arpRequest(to hardwareAddr, e *neighbour[P]) []byte {
	m := arpMessage{op: arpRequested, senderHW: n.Hardware, sender: e.from, targetProtocol: e.addr}
	if !m.sender.Is4() {
		m.sender = netip.IPv4Unspecified()
	}
	if e.state != incomplete {
		m.targetHW = e.hardware
	}
	return m.append(appendEthernet(nil, to, n.Hardware, etherTypeARP))
}

// reply sends an answer of ours. Answers leave one at a time, and there is one
// for each question, so that they need no limit of their own.
func (n *neighbours[P]) reply(to hardwareAddr, message []byte) {
	n.out = append(n.out, departure[P]{To: to, Message: message})
}
