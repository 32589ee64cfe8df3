package link

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// Pcap writes packets to a file that Wireshark and tcpdump read. Its methods may
// be called from any goroutine.
type Pcap struct {
	mu  sync.Mutex
	w   io.Writer
	err error
	buf []byte
}

// Of the file format, with times in nanoseconds.
//
// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
const (
	pcapMagic        = 0xa1b23c4d
	pcapSnap         = 1 << 18
	linktypeEthernet = 1
	linktypeRaw      = 101 // packets begin with their IP header
)

// NewPcap writes the header of a file of IP packets to w. What goes wrong with
// writing is told by Err.
func NewPcap(w io.Writer) *Pcap { return newPcap(w, linktypeRaw) }

func newPcap(w io.Writer, linktype uint32) *Pcap {
	c := &Pcap{w: w}
	c.buf = binary.LittleEndian.AppendUint32(c.buf, pcapMagic)
	c.buf = binary.LittleEndian.AppendUint16(c.buf, 2) // version 2.4
	c.buf = binary.LittleEndian.AppendUint16(c.buf, 4)
	c.buf = append(c.buf, make([]byte, 8)...)
	c.buf = binary.LittleEndian.AppendUint32(c.buf, pcapSnap)
	c.buf = binary.LittleEndian.AppendUint32(c.buf, linktype)
	_, c.err = w.Write(c.buf)
	return c
}

// Err is the first error of the writer. After it nothing more is written.
func (c *Pcap) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Add writes a packet that was seen at a time.
func (c *Pcap) Add(at time.Time, p *wire.Packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	n := p.Len()
	c.buf = binary.LittleEndian.AppendUint32(c.buf[:0], uint32(at.Unix()))
	c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(at.Nanosecond()))
	c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(min(n, pcapSnap)))
	c.buf = binary.LittleEndian.AppendUint32(c.buf, uint32(n))
	start := len(c.buf)
	c.buf = p.Append(c.buf)
	c.buf = c.buf[:start+min(n, pcapSnap)]
	_, c.err = c.w.Write(c.buf)
}

// Capture wraps a link so that every packet that is received through it or
// sent is written to w too, as it is: super-segments whole, with checksums that
// are only begun. What the link drops is there as well. Ask the Pcap whether
// writing has gone well. On an Ethernet link the frames are written.
func Capture(l Link, w io.Writer) (Link, *Pcap) {
	if e, ok := l.(hardwareLink); ok {
		c := newPcap(w, linktypeEthernet)
		return &capturedEthernet{captured{l, c}, e}, c
	}
	c := NewPcap(w)
	return &captured{l, c}, c
}

type hardwareLink interface{ HardwareAddr() net.HardwareAddr }

type captured struct {
	Link
	pcap *Pcap
}

func (c *captured) Receive(batch []wire.Packet) (n int, err error) {
	n, err = c.Link.Receive(batch)
	c.add(batch[:n])
	return n, err
}

func (c *captured) Send(batch []wire.Packet) (n int, err error) {
	c.add(batch)
	return c.Link.Send(batch)
}

func (c *captured) add(batch []wire.Packet) {
	now := time.Now()
	for i := range batch {
		c.pcap.Add(now, &batch[i])
	}
}

type capturedEthernet struct {
	captured
	hardwareLink
}
