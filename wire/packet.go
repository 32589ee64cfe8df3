package wire

// A Packet is what crosses a link in one piece: an IP packet or, on an Ethernet
// link, a frame. Its bytes are those of Head, Payload and Rest, in this order.
//
// It may be longer than the link's MTU. Then Split is not zero, and the link (or
// what lies below it) cuts it into packets of the right size, or has put it
// together out of such packets.
type Packet struct {
	// Head begins with the first header. What is received lies whole in
	// Head. What is sent has at least all of its headers there, and may have
	// data in Payload and, following it, Rest, which are [Segment]'s: so
	// data leaves from the send buffer, where it lies.
	Head, Payload, Rest []byte
	// Split is how many bytes of data each packet has, but for the last,
	// which may have less. Zero is a packet that is not to be cut. Only TCP
	// is cut, and sent with Check Partial; the headers are those of a packet
	// with all of the data, the length included.
	Split uint16
	// Check is Full where the checksum field of the transport holds the
	// whole checksum: right when sent, to be verified when received.
	// It is Partial where the field holds the sum of the pseudo-header alone,
	// as [Segment.AppendHeader] leaves it: the rest is added on the way to a
	// wire, if there is one. What is received with Partial (it comes from this
	// very machine, or has been verified and put together) or with Unchecked
	// (somebody below has looked) is to be trusted.
	Check Checksumming
	// CheckStart is where in the packet the bytes begin that the checksum
	// covers, and CheckOffset where, counted from there, its field is: 16 for
	// TCP, 6 for UDP, 2 for ICMPv6. They count only if Check is Partial.
	CheckStart, CheckOffset uint16
	// Buffer, if not nil, is where the link keeps the Buffer that Head lies
	// in, which holds nothing else. Who receives the packet may take it from
	// there, before the next Receive, and puts another in its place.
	Buffer **Buffer
}

// Len is the length in bytes, headers and data.
func (p *Packet) Len() int { return len(p.Head) + len(p.Payload) + len(p.Rest) }

// Append writes the bytes as they are.
func (p *Packet) Append(dst []byte) []byte {
	dst = append(dst, p.Head...)
	dst = append(dst, p.Payload...)
	return append(dst, p.Rest...)
}
