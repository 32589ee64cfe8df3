package link

import (
	"fmt"
	"os"

	"github.com/fastopen-go/fastopen/wire"
)

// PipeConfig says what kind of pipe [NewPipe] makes.
type PipeConfig struct {
	// MTU is the length of the longest IP packet, in bytes, between 68 and
	// 65535. If zero, it is 1500.
	MTU int
	// Offload lets packets pass as they are: cut later, checksums only
	// begun. Without it they are cut and summed on the way in, as for a wire,
	// and received with checksums that are to be verified.
	Offload bool
	// Queue is how many bytes may wait in each direction; each packet counts
	// for 64 bytes more than it has. If zero, it is 4 MiB. Memory is taken
	// only as far as packets wait.
	Queue int
}

// Pipe is one end of a pipe: what is sent at one is received at the other.
type Pipe struct {
	in, out *lane
	config  PipeConfig
}

// NewPipe makes a pipe in memory and returns its two ends.
func NewPipe(c PipeConfig) (a, b *Pipe, err error) {
	if c.MTU == 0 {
		c.MTU = 1500
	}
	if c.Queue == 0 {
		c.Queue = 4 << 20
	}
	if c.MTU < 68 || c.MTU > maxPacket {
		return nil, nil, fmt.Errorf("make a pipe: MTU %d: choose 68 to %d, or 0 for 1500", c.MTU, maxPacket)
	}
	if c.Queue < 0 {
		return nil, nil, fmt.Errorf("make a pipe: queue of %d bytes: choose a positive number, or 0 for 4 MiB", c.Queue)
	}
	ab, ba := newLane(c), newLane(c)
	return &Pipe{in: ba, out: ab, config: c}, &Pipe{in: ab, out: ba, config: c}, nil
}

// Receive waits for packets and lends them to batch; see the package's
// documentation. After Close of either end, and when nothing waits any more, the
// error is [os.ErrClosed].
func (p *Pipe) Receive(batch []wire.Packet) (n int, err error) {
	if n = p.in.receive(batch); n == 0 && len(batch) > 0 {
		return 0, &os.PathError{Op: "receive from", Path: "pipe", Err: os.ErrClosed}
	}
	return n, nil
}

// Send puts packets into the pipe as far as there is room and returns how many
// have gone in whole. It never waits; the rest is dropped.
func (p *Pipe) Send(batch []wire.Packet) (n int, err error) {
	n, err = p.out.send(batch)
	if err != nil {
		err = &os.PathError{Op: "send to", Path: "pipe", Err: err}
	}
	return n, err
}

// MTU is that of the PipeConfig.
func (p *Pipe) MTU() (int, error) { return p.config.MTU, nil }

// Drops is how many packets sent at this end found no room. Of a packet that
// is cut, each part counts.
func (p *Pipe) Drops() uint64 { return p.out.dropped() }

// Close closes both ends. What waits can still be received.
func (p *Pipe) Close() error {
	closed := p.in.close()
	p.out.close()
	if closed {
		return &os.PathError{Op: "close", Path: "pipe", Err: os.ErrClosed}
	}
	return nil
}
