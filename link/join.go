package link

import (
	"bytes"
	"encoding/binary"

	"github.com/fastopen-go/fastopen/wire"
)

// A Joiner does what a receive offload does (GRO), in software: it makes one
// packet of several TCP segments that follow each other, so that whoever takes
// them parses, looks up and locks once. The zero Joiner is ready.
type Joiner struct {
	flows []joining
	arena []byte
	used  int
}

// A joining is a packet that others may be joined to.
type joining struct {
	at      int // index in the batch
	start   int // of the TCP header
	headers int
	data    int    // length of the data
	size    int    // data in each segment
	next    uint32 // sequence number that would follow
	open    bool   // another may still be joined
	limit   int    // how long Head can become; 0 before that is known
}

const (
	maxPacket = 65535
	// joinDepth is how many packets back a flow is looked for.
	joinDepth = 16
	// joinArena holds the packets that had no room in their own memory.
	joinArena = 4 * (maxPacket + 1)
)

// Join makes the batch shorter and returns its new length. Packets of one flow
// stay in order. Data is appended to the Head of the first packet of each row
// if its capacity allows (so Head's capacity must not reach into other
// packets), and else is copied to memory of the Joiner, which is good until
// the next call.
//
// Joined packets have Split set and their checksum begun, Check is wire.Partial:
// as if they were to be sent, for they may be sent on. Data that was not joined
// has Check wire.Unchecked, for it has been verified. What is not TCP data with
// a right checksum stays as it is.
func (j *Joiner) Join(batch []wire.Packet) int {
	j.flows, j.used = j.flows[:0], 0
	n := 0
	for i := range batch {
		p := batch[i]
		f, ok := candidate(&p)
		if ok && j.merge(batch, &p, f) {
			continue
		}
		// Whatever else belongs to the flow must not be overtaken by what
		// comes later.
		j.shut(batch, &p)
		batch[n] = p
		if ok {
			f.at = n
			j.flows = append(j.flows, f)
		}
		n++
	}
	for i := range j.flows {
		j.flows[i].finish(batch)
	}
	return n
}

// candidate reports whether data may be joined to p, or p to other data.
func candidate(p *wire.Packet) (f joining, ok bool) {
	if p.Split != 0 || len(p.Payload) != 0 {
		return f, false
	}
	b := p.Head
	start, proto, ok := transport(b)
	if !ok || proto != protocolTCP || len(b) < start+20 || len(b) > maxPacket {
		return f, false
	}
	if b[0]>>4 == 4 {
		if start != 20 || int(binary.BigEndian.Uint16(b[2:])) != len(b) || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 || wire.Fold(wire.Sum(0, b[:20])) != 0 {
			return f, false // options, padding, a fragment, a bad checksum
		}
	} else if int(binary.BigEndian.Uint16(b[4:])) != len(b)-40 {
		return f, false
	}
	tcp := b[start:]
	f = joining{start: start, headers: start + int(tcp[12]>>4)*4}
	f.data = len(b) - f.headers
	flags := wire.Flags(tcp[13])
	if f.headers < start+20 || f.data <= 0 || flags&^wire.PSH&^wire.ECE != wire.ACK {
		return f, false
	}
	if p.Check == wire.Full && wire.Fold(wire.Sum(wire.Join(pseudoHeader(b, start), 0, uint64(len(tcp))), tcp)) != 0 {
		return f, false
	}
	p.Check = wire.Unchecked
	f.size = f.data
	f.next = binary.BigEndian.Uint32(tcp[4:]) + uint32(f.data)
	f.open = flags&wire.PSH == 0
	return f, true
}

// merge joins p, described by f, to a packet that it continues.
func (j *Joiner) merge(batch []wire.Packet, p *wire.Packet, f joining) bool {
	g := j.find(batch, p)
	if g == nil || !g.open {
		return false
	}
	first := &batch[g.at]
	seq := binary.BigEndian.Uint32(p.Head[f.start+4:])
	if seq != g.next || f.data > g.size || !sameHeaders(first.Head, p.Head, g) || g.headers != f.headers {
		return false
	}
	if g.limit == 0 {
		j.room(first, g)
	}
	if len(first.Head)+f.data > g.limit {
		return false
	}
	first.Head = append(first.Head, p.Head[f.headers:]...)
	first.Head[g.start+13] |= p.Head[f.start+13] & uint8(wire.PSH)
	g.data += f.data
	g.next = f.next
	g.open = f.open && f.data == g.size
	return true
}

// find is the last packet of p's flow.
func (j *Joiner) find(batch []wire.Packet, p *wire.Packet) *joining {
	for i := len(j.flows) - 1; i >= max(0, len(j.flows)-joinDepth); i-- {
		g := &j.flows[i]
		if sameFlow(batch[g.at].Head, p.Head, g.start) {
			return g
		}
	}
	return nil
}

// shut ends the row of p's flow.
func (j *Joiner) shut(batch []wire.Packet, p *wire.Packet) {
	if g := j.find(batch, p); g != nil {
		g.open = false
	}
}

// room makes the first packet's memory long enough, if it can.
func (j *Joiner) room(first *wire.Packet, g *joining) {
	g.limit = min(cap(first.Head), maxPacket)
	if g.limit >= maxPacket/2 {
		return
	}
	if j.arena == nil {
		j.arena = make([]byte, joinArena)
	}
	if len(j.arena)-j.used >= maxPacket {
		room := j.arena[j.used : j.used : j.used+maxPacket]
		first.Head = append(room, first.Head...)
		j.used += maxPacket
		g.limit = maxPacket
	}
}

// finish writes the lengths of a packet that others were joined to.
func (g *joining) finish(batch []wire.Packet) {
	p := &batch[g.at]
	if g.data == g.size {
		return
	}
	p.Split = uint16(g.size)
	p.Check, p.CheckStart, p.CheckOffset = wire.Partial, uint16(g.start), tcpCheckAt
	begun := wire.Join(pseudoHeader(p.Head, g.start), 0, uint64(len(p.Head)-g.start))
	binary.BigEndian.PutUint16(p.Head[g.start+tcpCheckAt:], ^wire.Fold(begun))
	if p.Head[0]>>4 == 4 {
		binary.BigEndian.PutUint16(p.Head[2:], uint16(len(p.Head)))
		sumIPv4(p.Head)
	} else {
		binary.BigEndian.PutUint16(p.Head[4:], uint16(len(p.Head)-40))
	}
}

// sameFlow compares addresses and ports; start is where the TCP header of a is.
func sameFlow(a, b []byte, start int) bool {
	if len(b) < start+4 || a[0] != b[0] && (a[0]^b[0])&0xf0 != 0 {
		return false
	}
	if start == 20 {
		return b[0] == 0x45 && bytes.Equal(a[12:24], b[12:24])
	}
	return bytes.Equal(a[8:44], b[8:44])
}

// sameHeaders reports whether two packets of one flow differ only in what is
// different from segment to segment: if it hid anything, joining would too.
// The window is among what must be equal.
func sameHeaders(a, b []byte, g *joining) bool {
	if g.start == 20 {
		// Not the total length, the identification, the checksum.
		if a[1] != b[1] || !bytes.Equal(a[6:10], b[6:10]) {
			return false
		}
	} else if !bytes.Equal(a[:4], b[:4]) || !bytes.Equal(a[6:8], b[6:8]) {
		return false
	}
	if len(b) < g.headers {
		return false
	}
	ta, tb := a[g.start:g.headers], b[g.start:g.headers]
	return bytes.Equal(ta[8:13], tb[8:13]) && // acknowledgment, header length
		(ta[13]^tb[13])&^uint8(wire.PSH) == 0 &&
		bytes.Equal(ta[14:16], tb[14:16]) && bytes.Equal(ta[18:], tb[18:])
}
