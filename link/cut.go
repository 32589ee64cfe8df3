package link

import (
	"encoding/binary"
	"errors"

	"github.com/fastopen-go/fastopen/wire"
)

// What may be wrong with a packet that is to be sent. All of them are the
// fault of the program.
var (
	errNotIP    = errors.New("not an IP packet, or its headers are not all in Head: put them there")
	errTooLong  = errors.New("longer than the MTU: set Split, or send less")
	errChecksum = errors.New("the place of the checksum lies outside of the headers: correct CheckStart and CheckOffset")
	errSplit    = errors.New("cannot be cut: only TCP can, with whole headers in Head")
)

const (
	protocolTCP = wire.ProtocolTCP
	tcpCheckAt  = 16 // where in the TCP header its checksum is
	udpCheckAt  = 6
)

// A Cutter does what segmentation and checksum offload do, in software: of one
// packet it makes the packets that go onto a wire, whole checksums and all.
//
//	err := c.Reset(p, mtu)
//	for c.More() {
//		n := c.Next(buf)
//		// buf[:n] is a packet
//	}
type Cutter struct {
	p       *wire.Packet
	headers int // bytes before the data
	start   int // of the transport header
	check   int // offset of the checksum field from start
	left    int // data that is still to be sent
	sent    int
	size    int    // data in each packet
	pseudo  uint64 // sum of the pseudo-header; of one to be cut, without length
	split   bool
}

// Reset begins with a packet, none of whose parts are to be longer than
// longest. Of what cannot be cut or is too long it says so, and makes nothing.
func (c *Cutter) Reset(p *wire.Packet, longest int) error {
	*c = Cutter{p: p}
	err := c.reset(longest)
	if err != nil {
		c.p = nil
	}
	return err
}

func (c *Cutter) reset(longest int) error {
	p := c.p
	start, proto, ok := transport(p.Head)
	if !ok {
		return errNotIP
	}
	if p.Split == 0 {
		return c.resetWhole(longest)
	}
	if proto != protocolTCP || start+20 > len(p.Head) {
		return errSplit
	}
	c.start, c.check, c.split = start, tcpCheckAt, true
	c.headers = start + int(p.Head[start+12]>>4)*4
	if c.headers < start+20 || c.headers > len(p.Head) {
		return errSplit
	}
	c.size = int(p.Split)
	if c.headers+c.size > longest && p.Len() > longest {
		return errTooLong
	}
	c.left = p.Len() - c.headers
	// Counted anew, whatever Check says: of a packet that has been put
	// together the field says nothing.
	c.pseudo = pseudoHeader(p.Head, start)
	return nil
}

// resetWhole is for a packet that needs no cutting.
func (c *Cutter) resetWhole(longest int) error {
	p := c.p
	if p.Len() > longest {
		return errTooLong
	}
	c.headers, c.left = len(p.Head), p.Len()-len(p.Head)
	c.size = c.left
	if p.Check != wire.Partial {
		return nil
	}
	c.start, c.check = int(p.CheckStart), int(p.CheckOffset)
	if c.start+c.check+2 > len(p.Head) {
		return errChecksum
	}
	c.pseudo = uint64(binary.BigEndian.Uint16(p.Head[c.start+c.check:]))
	return nil
}

// More reports whether there is another packet.
func (c *Cutter) More() bool { return c.p != nil }

// NextLen is the length of the next packet, in bytes.
func (c *Cutter) NextLen() int { return c.headers + min(c.size, c.left) }

// Skip leaves out the next packet, for want of room.
func (c *Cutter) Skip() { c.advance(min(c.size, c.left)) }

// Next writes the next packet to dst, which has room for NextLen bytes, and
// returns its length.
func (c *Cutter) Next(dst []byte) int {
	p := c.p
	n := min(c.size, c.left)
	dst = dst[:c.headers+n]
	copy(dst, p.Head[:c.headers])
	c.copyData(dst[c.headers:])
	if c.split {
		c.fixHeaders(dst, n == c.left)
	}
	if c.split || p.Check == wire.Partial {
		c.sum(dst)
	}
	c.advance(n)
	return len(dst)
}

// advance goes on to what follows n bytes of data.
func (c *Cutter) advance(n int) {
	c.left -= n
	c.sent += n
	if c.left == 0 {
		c.p = nil
	}
}

// copyData fills dst with data from after what has been sent.
func (c *Cutter) copyData(dst []byte) {
	skip := c.sent
	for _, part := range [...][]byte{c.p.Head[c.headers:], c.p.Payload, c.p.Rest} {
		if skip >= len(part) {
			skip -= len(part)
			continue
		}
		dst = dst[copy(dst, part[skip:]):]
		skip = 0
	}
}

// fixHeaders makes the headers those of the next packet.
func (c *Cutter) fixHeaders(b []byte, last bool) {
	if b[0]>>4 == 4 {
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		if b[6]&0x40 == 0 {
			// "[...] the IPv4 ID field MUST NOT be reused": in packets that
			// may be fragmented, that is.
			// https://www.rfc-editor.org/rfc/rfc6864#section-4.2
			id := binary.BigEndian.Uint16(b[4:]) + uint16(c.sent/c.size)
			binary.BigEndian.PutUint16(b[4:], id)
		}
		sumIPv4(b)
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	}
	tcp := b[c.start:]
	binary.BigEndian.PutUint32(tcp[4:], binary.BigEndian.Uint32(tcp[4:])+uint32(c.sent))
	if !last {
		tcp[13] &^= uint8(wire.FIN | wire.PSH)
	}
	if c.sent > 0 {
		// "[...] the CWR bit [is set] in the TCP header of the first new data
		// packet sent after the window reduction."
		// https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
		tcp[13] &^= uint8(wire.CWR)
	}
}

// sum finishes the checksum of b.
func (c *Cutter) sum(b []byte) {
	t := b[c.start:]
	field := t[c.check : c.check+2 : c.check+2]
	field[0], field[1] = 0, 0
	acc := c.pseudo
	if c.split {
		acc = wire.Join(acc, 0, uint64(len(t)))
	}
	sum := wire.Fold(wire.Sum(acc, t))
	if sum == 0 && c.check == udpCheckAt {
		sum = 0xffff // RFC 768: "If the computed checksum is zero, it is transmitted as all ones"
	}
	binary.BigEndian.PutUint16(field, sum)
}

// sumIPv4 writes the checksum of the IPv4 header that b begins with.
func sumIPv4(b []byte) {
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], wire.Fold(wire.Sum(0, b[:int(b[0]&15)*4])))
}

// pseudoHeader is the sum of the pseudo-header of the TCP packet that b begins
// with, but for the length.
func pseudoHeader(b []byte, start int) uint64 {
	addresses := b[8:40]
	if b[0]>>4 == 4 {
		addresses = b[12:20]
	}
	return wire.Sum(protocolTCP, addresses)
}

// transport finds the header after the IP header that b begins with. Of IPv6
// extension headers it says only that they are there: proto is the first's.
func transport(b []byte) (start int, proto uint8, ok bool) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		start = int(b[0]&15) * 4
		return start, b[9], start >= 20 && start <= len(b)
	case len(b) >= 40 && b[0]>>4 == 6:
		return 40, b[6], true
	}
	return 0, 0, false
}
