package stack

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// attachment is a host's end of a link: packets on their way out.
type attachment struct {
	index   int
	mtu     int
	offload bool
	down    bool      // it has ended, and nothing leaves or comes any more
	ether   *ethernet // nil unless the link is of Ethernet
	n       int
	batch   [batchSize]wire.Packet
	heads   [batchSize * headSize]byte
}

const (
	// batchSize packets are handed over at once at most: what a window of
	// super-segments, or a burst of acknowledgments, comes to.
	batchSize = 64
	// headSize has room for the headers of a link, of IP and of TCP, with
	// all the options that are used.
	headSize = 128
)

func newAttachment(i int, c LinkConfig) *attachment {
	return &attachment{index: i, mtu: min(or(c.MTU, 1500), 65535), offload: c.Offload}
}

// next is the place for a packet: its headers are to be appended to Head.
func (i *attachment) next() *wire.Packet {
	p := &i.batch[i.n]
	at := i.n * headSize
	head := 0
	if i.ether != nil {
		head = etherHeader // to be filled in by queueTo
	}
	*p = wire.Packet{Head: i.heads[at : at+head : at+headSize]}
	return p
}

// transmit puts a segment on its way. Its data is not copied: it must not change
// before the next flush.
func (h *Host) transmit(link int16, s *wire.Segment) {
	i := h.links[link]
	p := i.next()
	ip := s.IP()
	p.Head = ip.Append(p.Head, s.HeaderLen()+s.Len())
	start := len(p.Head)
	p.Payload, p.Rest, p.Split = s.Payload, s.Rest, s.Split
	if i.offload {
		p.Head = s.AppendHeader(p.Head, wire.Partial)
		p.Check, p.CheckStart, p.CheckOffset = wire.Partial, uint16(start), 16
	} else {
		p.Head = s.AppendHeader(p.Head, wire.Full)
		sum := wire.PseudoHeader(ip.Src, ip.Dst, wire.ProtocolTCP, len(p.Head)-start+s.Len())
		finishChecksum(p, start, 16, sum)
	}
	h.stats.SegmentsOut++
	h.queueTo(i, ip.Src, ip.Dst)
}

// finishChecksum sums what follows start, and puts the result into the field at
// the offset from there.
func finishChecksum(p *wire.Packet, start, offset int, sum uint64) {
	sum = wire.Sum(sum, p.Head[start:])
	n := len(p.Head) - start
	sum = wire.Join(sum, n, wire.Sum(0, p.Payload))
	if len(p.Rest) > 0 {
		sum = wire.Join(sum, n+len(p.Payload), wire.Sum(0, p.Rest))
	}
	binary.BigEndian.PutUint16(p.Head[start+offset:], wire.Fold(sum))
}

// queueTo takes the packet that next has given, which goes to dst.
func (h *Host) queueTo(i *attachment, src, dst netip.Addr) {
	if i.ether != nil && !i.ether.address(src, dst, &i.batch[i.n]) {
		return
	}
	h.queue(i)
}

// queue takes a packet that is ready to leave.
func (h *Host) queue(i *attachment) {
	h.stats.PacketsOut++
	h.stats.BytesOut += uint64(i.batch[i.n].Len())
	if i.n++; i.n == batchSize {
		h.flushLink(i)
	}
}

// flush hands over what waits for the links.
func (h *Host) flush() {
	for _, i := range h.links {
		if i.n > 0 {
			h.flushLink(i)
		}
	}
}

func (h *Host) flushLink(i *attachment) {
	n := i.n
	i.n = 0
	if i.index == int(h.loopback) {
		h.loop(i.batch[:n])
		return
	}
	h.output(i.index, i.batch[:n])
}

// loopPacket is a packet to this host itself.
type loopPacket struct {
	b   []byte // of the host's memory
	len int
}

// loopMost is how many packets to itself a host keeps: beyond that they are lost,
// as on any link.
const loopMost = 1024

// loop keeps packets to this host until those that send them are done.
func (h *Host) loop(batch []wire.Packet) {
	for i := range batch {
		if len(h.looped) >= loopMost {
			h.stats.Drops.Loopback++
			continue
		}
		p := &batch[i]
		b := h.memory.Get(max(p.Len(), 64))
		p.Append(b[:0])
		h.looped = append(h.looped, loopPacket{b, p.Len()})
	}
}

// takeLooped gives the host what it has sent to itself, and reports whether there
// was any.
func (h *Host) takeLooped(now time.Time) bool {
	batch := h.looped
	if len(batch) == 0 {
		return false
	}
	h.looped = nil
	for i := range batch {
		p := wire.Packet{Head: batch[i].b[:batch[i].len], Check: wire.Unchecked}
		h.arrive(now, h.loopback, &p)
		h.memory.Put(batch[i].b)
	}
	return true
}
