package stack

import (
	"cmp"
	"container/list"
	"net/netip"
	"time"
)

// hardwareAddr is an Ethernet address.
type hardwareAddr [6]byte

var broadcastHardware = hardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// group reports whether it stands for several stations, or for none: nobody's
// own address is such.
func (a hardwareAddr) group() bool { return a[0]&1 != 0 || a == hardwareAddr{} }

// A neighbourState is how sure we are of a neighbour's hardware address.
//
// https://www.rfc-editor.org/rfc/rfc4861#section-7.3.2
type neighbourState uint8

const (
	incomplete neighbourState = iota // asked for, not known
	reachable                        // known to be right a short while ago
	stale                            // known, and not lately confirmed
	delay                            // used while stale: upper layers may confirm it
	probe                            // being asked whether it is still so
)

// neighbours is what a host knows of the hardware addresses on one Ethernet
// link: by ARP (RFC 826) for IPv4 and by neighbour discovery (RFC 4861) for
// IPv6, with the states of the latter for both, as in Linux. P is the packets
// that wait for an address.
//
// It is a pure value: no clock, no lock. After every call, take from send until
// there is nothing left, and arm deadline, at which tick is to be called.
type neighbours[P any] struct {
	// Hardware is our own address.
	Hardware hardwareAddr
	// Own reports whether an address is one of ours on this link.
	Own func(netip.Addr) bool
	// Seed spreads times that are to be random.
	Seed uint64
	// Capacity is how many neighbours are remembered. If zero, 1024.
	Capacity int
	// QueuePackets and QueueBytes bound what waits for one neighbour. If
	// zero, 64 packets and 256 KiB.
	QueuePackets, QueueBytes int

	known map[netip.Addr]*list.Element // of *neighbour[P]
	ages  list.List                    // the one used last in front
	out   []departure[P]
	asks  bucket    // bounds what is asked, in all
	next  time.Time // not after any due of those who are asked
	Drops neighbourDrops
}

// neighbourDrops counts what came and was not used.
type neighbourDrops struct {
	Malformed uint64 // no ARP or neighbour discovery message, or a forged one
	Conflict  uint64 // somebody else says to have an address of ours
	Unasked   uint64 // an answer to no question
	TooSoon   uint64 // a change of address right after the last one
	Queue     uint64 // packets that gave way to later ones in a full queue
	Crowded   uint64 // questions not asked, since there were too many
}

type neighbour[P any] struct {
	addr     netip.Addr
	state    neighbourState
	hardware hardwareAddr
	from     netip.Addr // whom of us it was asked by
	due      time.Time  // of the state; zero for never
	changed  time.Time  // the hardware address
	asked    int        // how often, in this state
	queue    []waitingPacket[P]
	bytes    int
}

type waitingPacket[P any] struct {
	packet P
	size   int
}

// A departure is something for the link: a message of ours, a packet whose
// neighbour was found, or one whose neighbour was not.
type departure[P any] struct {
	To      hardwareAddr
	Message []byte // a whole frame, with its Ethernet header; nil for a packet
	Packet  P
	Lost    bool       // nobody answered: tell who sent the packet (host unreachable)
	Next    netip.Addr // of a packet
}

// https://www.rfc-editor.org/rfc/rfc4861#section-10
const (
	maxSolicit         = 3                // MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT
	retransTimer       = time.Second      // RETRANS_TIMER
	reachableTime      = 30 * time.Second // REACHABLE_TIME, times 0.5 to 1.5
	delayFirstProbe    = 5 * time.Second  // DELAY_FIRST_PROBE_TIME
	neighbourLock      = time.Second      // how long the first answer counts: Linux's locktime
	asksPerSecond      = 200              // in all
	asksBurst          = 400              //
	defaultNeighbours  = 1024             //
	defaultQueueLength = 64               //
	defaultQueueBytes  = 256 << 10        //
)

// resolve returns where to send a packet of size bytes for the neighbour next. If
// that is not known, the packet waits until it is, and the neighbour is asked
// for in the name of from, which should be the packet's source if that is ours.
func (n *neighbours[P]) resolve(now time.Time, next, from netip.Addr, packet P, size int) (hardwareAddr, bool) {
	if next.IsMulticast() || next == ipv4Broadcast {
		return multicastHardware(next), true
	}
	e := n.find(next)
	if e == nil {
		e = n.add(next, true)
		e.from = from
		n.ask(now, e)
	}
	switch e.state {
	case incomplete:
		n.enqueue(e, packet, size)
		return hardwareAddr{}, false
	case reachable:
		if !now.Before(e.due) {
			n.become(now, e, stale)
		}
	}
	if e.state == stale {
		// "The first time a node sends a packet to a neighbor whose entry is
		// STALE, the sender changes the state to DELAY"
		// https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
		e.from = from
		n.become(now, e, delay)
	}
	return e.hardware, true
}

// confirm is told by upper layers that a neighbour has lately taken our packets:
// something new was acknowledged.
//
// https://www.rfc-editor.org/rfc/rfc4861#section-7.3.1
func (n *neighbours[P]) confirm(now time.Time, next netip.Addr) {
	if e := n.known[next]; e != nil {
		if e := e.Value.(*neighbour[P]); e.state != incomplete {
			n.become(now, e, reachable)
		}
	}
}

// send returns what is to leave next.
func (n *neighbours[P]) send() (departure[P], bool) {
	if len(n.out) == 0 {
		n.out = nil
		return departure[P]{}, false
	}
	d := n.out[0]
	n.out[0] = departure[P]{}
	n.out = n.out[1:]
	return d, true
}

// deadline is when tick may have something to do; zero for never.
func (n *neighbours[P]) deadline() time.Time { return n.next }

// tick asks again, and gives up.
func (n *neighbours[P]) tick(now time.Time) {
	if n.next.IsZero() || now.Before(n.next) {
		return
	}
	n.next = time.Time{}
	for at := n.ages.Front(); at != nil; {
		e := at.Value.(*neighbour[P])
		at = at.Next()
		switch e.state {
		case delay, incomplete, probe:
		default:
			continue
		}
		switch {
		case now.Before(e.due):
			n.wake(e.due)
		case e.state == delay:
			e.state, e.asked = probe, 0
			n.ask(now, e)
		case e.asked < maxSolicit:
			n.ask(now, e)
		default:
			n.forget(e)
		}
	}
}

// wake makes the deadline no later than t.
func (n *neighbours[P]) wake(t time.Time) {
	if n.next.IsZero() || t.Before(n.next) {
		n.next = t
	}
}

// learn takes a neighbour's word for its hardware address. answer says that it
// answers a question of ours; override that it may replace an address that is
// known; create that a neighbour who is not known is to be remembered.
func (n *neighbours[P]) learn(now time.Time, a netip.Addr, h hardwareAddr, answer, override, create bool) {
	at := n.known[a]
	if at == nil {
		if !create {
			n.Drops.Unasked++
			return
		}
		e := n.add(a, false)
		e.hardware, e.changed = h, now
		n.become(now, e, stale)
		return
	}
	e := at.Value.(*neighbour[P])
	switch {
	case e.state == incomplete:
		e.hardware, e.changed = h, now
		if answer {
			n.become(now, e, reachable)
		} else {
			n.become(now, e, stale)
		}
		n.release(e)
	case h == e.hardware:
		if answer {
			n.become(now, e, reachable)
		}
	case now.Sub(e.changed) < neighbourLock:
		// Of two who say to have an address, the first one counts, until
		// this is over: so that a proxy's or a forger's answer to the same
		// question changes nothing.
		n.Drops.TooSoon++
	case !override:
		// "If the Override flag is clear and the supplied link-layer address
		// differs from that in the cache": be suspicious, and ask.
		// https://www.rfc-editor.org/rfc/rfc4861#section-7.2.5
		if e.state == reachable {
			n.become(now, e, stale)
		}
	default:
		e.hardware, e.changed = h, now
		if answer {
			n.become(now, e, reachable)
		} else {
			n.become(now, e, stale)
		}
	}
}

// become changes the state of a neighbour whose hardware address is known.
func (n *neighbours[P]) become(now time.Time, e *neighbour[P], s neighbourState) {
	e.state, e.asked, e.due = s, 0, time.Time{}
	switch s {
	case reachable:
		e.due = now.Add(reachableTime/2 + time.Duration(n.random()%uint64(reachableTime)))
	case delay:
		e.due = now.Add(delayFirstProbe)
		n.wake(e.due)
	}
}

// ask sends a question: to everybody, or to the neighbour alone if its address
// is thought to be known.
func (n *neighbours[P]) ask(now time.Time, e *neighbour[P]) {
	e.due = now.Add(retransTimer)
	n.wake(e.due)
	e.asked++
	if n.asks.at.IsZero() {
		n.asks.fill(now, asksBurst)
	}
	if !n.asks.has(now, asksPerSecond, asksBurst) {
		n.Drops.Crowded++
		return
	}
	n.asks.tokens--
	d := departure[P]{To: e.hardware}
	if e.addr.Is4() {
		if e.state == incomplete {
			d.To = broadcastHardware
		}
		d.Message = n.arpRequest(d.To, e)
	} else {
		if e.state == incomplete {
			d.To = multicastHardware(solicitedNode(e.addr))
		}
		d.Message = n.neighbourSolicitation(d.To, e)
	}
	n.out = append(n.out, d)
}

// enqueue keeps a packet until its neighbour is known.
//
// "When a queue overflows, the new arrival SHOULD replace the oldest entry."
// https://www.rfc-editor.org/rfc/rfc4861#section-7.2.2
func (n *neighbours[P]) enqueue(e *neighbour[P], packet P, size int) {
	limit, room := cmp.Or(n.QueuePackets, defaultQueueLength), cmp.Or(n.QueueBytes, defaultQueueBytes)
	if size > room {
		n.Drops.Queue++
		return
	}
	for len(e.queue) >= limit || e.bytes+size > room {
		e.bytes -= e.queue[0].size
		e.queue[0] = waitingPacket[P]{}
		e.queue = e.queue[1:]
		n.Drops.Queue++
	}
	e.queue = append(e.queue, waitingPacket[P]{packet, size})
	e.bytes += size
}

// release sends what has waited for e.
func (n *neighbours[P]) release(e *neighbour[P]) {
	for _, w := range e.queue {
		n.out = append(n.out, departure[P]{To: e.hardware, Packet: w.packet, Next: e.addr})
	}
	e.queue, e.bytes = nil, 0
}

// forget drops a neighbour, and what has waited for it.
func (n *neighbours[P]) forget(e *neighbour[P]) {
	for _, w := range e.queue {
		n.out = append(n.out, departure[P]{Packet: w.packet, Lost: true, Next: e.addr})
	}
	n.ages.Remove(n.known[e.addr])
	delete(n.known, e.addr)
}

func (n *neighbours[P]) find(a netip.Addr) *neighbour[P] {
	at := n.known[a]
	if at == nil {
		return nil
	}
	n.ages.MoveToFront(at)
	return at.Value.(*neighbour[P])
}

// add remembers a neighbour. One that has only spoken to us, and that we have
// sent nothing to, is the first to be forgotten: so that a flood of forged ones
// drives out nobody else.
func (n *neighbours[P]) add(a netip.Addr, used bool) *neighbour[P] {
	if n.known == nil {
		n.known = map[netip.Addr]*list.Element{}
	}
	if len(n.known) >= cmp.Or(n.Capacity, defaultNeighbours) {
		n.forget(n.ages.Back().Value.(*neighbour[P]))
	}
	e := &neighbour[P]{addr: a}
	if used {
		n.known[a] = n.ages.PushFront(e)
	} else {
		n.known[a] = n.ages.PushBack(e)
	}
	return e
}

func (n *neighbours[P]) random() uint64 {
	n.Seed = n.Seed*6364136223846793005 + 1442695040888963407
	return n.Seed >> 11
}

var ipv4Broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// multicastHardware is the hardware address of a group.
//
// https://www.rfc-editor.org/rfc/rfc1112#section-6.4, https://www.rfc-editor.org/rfc/rfc2464#section-7
func multicastHardware(a netip.Addr) hardwareAddr {
	if a == ipv4Broadcast {
		return broadcastHardware
	}
	if a.Is4() {
		b := a.As4()
		return hardwareAddr{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	}
	b := a.As16()
	return hardwareAddr{0x33, 0x33, b[12], b[13], b[14], b[15]}
}

// solicitedNode is the group that a neighbour listens to for questions.
//
// https://www.rfc-editor.org/rfc/rfc4291#section-2.7.1
func solicitedNode(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
}

const (
	etherTypeIPv4 = 0x0800
	etherTypeARP  = 0x0806
	etherTypeIPv6 = 0x86dd
	etherHeader   = 14
)

// appendEthernet writes the header of a frame.
func appendEthernet(dst []byte, to, from hardwareAddr, etherType uint16) []byte {
	dst = append(append(dst, to[:]...), from[:]...)
	return append(dst, byte(etherType>>8), byte(etherType))
}
