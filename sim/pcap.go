package sim

import (
	"encoding/binary"
	"io"
)

// Pcap is a hop that lets everything pass and writes it to a file that Wireshark
// and tcpdump read. It may stand in several places, of several paths.
type Pcap struct {
	w   io.Writer
	err error
	buf []byte
}

// Of the file format, with times in nanoseconds and packets that begin with
// their IP header.
//
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
const (
	pcapMagic   = 0xa1b23c4d
	linktypeRaw = 101
	pcapSnap    = 1 << 18
)

// NewPcap writes the header of the file to w and returns the hop. What goes
// wrong with writing is told by Err.
func NewPcap(w io.Writer) *Pcap {
	c := &Pcap{w: w}
	c.buf = binary.LittleEndian.AppendUint32(c.buf, pcapMagic)
	c.buf = binary.LittleEndian.AppendUint16(c.buf, 2) // version 2.4
	c.buf = binary.LittleEndian.AppendUint16(c.buf, 4)
	c.buf = append(c.buf, make([]byte, 8)...)
	c.buf = binary.LittleEndian.AppendUint32(c.buf, pcapSnap)
	c.buf = binary.LittleEndian.AppendUint32(c.buf, linktypeRaw)
	_, c.err = w.Write(c.buf)
	return c
}

// Err is the first error of the writer. After it nothing more is written.
func (c *Pcap) Err() error { return c.err }

func (c *Pcap) join(p *Path, i int) passer {
	return func(d Dir, packet []byte) {
		if c.err == nil {
			c.buf = binary.LittleEndian.AppendUint32(c.buf[:0], uint32(p.now.Unix()))
			c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(p.now.Nanosecond()))
			kept := packet[:min(len(packet), pcapSnap)]
			c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(len(kept)))
			c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(len(packet)))
			c.buf = append(c.buf, kept...)
			_, c.err = c.w.Write(c.buf)
		}
		p.pass(d, next(d, i), packet)
	}
}
