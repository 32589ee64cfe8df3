package sim

import (
	"io"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

// Pcap is a hop that lets everything pass and writes it to a file that Wireshark
// and tcpdump read. It may stand in several places, of several paths.
type Pcap struct{ file *link.Pcap }

// NewPcap writes the header of the file to w and returns the hop. What goes
// wrong with writing is told by Err.
func NewPcap(w io.Writer) *Pcap { return &Pcap{file: link.NewPcap(w)} }

// Err is the first error of the writer. After it nothing more is written.
func (c *Pcap) Err() error { return c.file.Err() }

func (c *Pcap) join(p *Path, i int) passer {
	return func(d Dir, packet []byte) {
		c.file.Add(p.now, &wire.Packet{Head: packet})
		p.pass(d, next(d, i), packet)
	}
}
