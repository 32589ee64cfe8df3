package link

import (
	"os"
	"sync"

	"github.com/fastopen-go/fastopen/internal/pile"
	"github.com/fastopen-go/fastopen/wire"
)

// A lane is one direction of a pipe: chunks of memory that the sender fills
// with packets one behind the other, and that the receiver empties. A long packet
// has a Buffer of its own, which the receiver may exchange. A chunk or Buffer that
// is free again is the next to be filled, while it is still in the cache.
type lane struct {
	offload bool
	mtu     int
	queue   int

	// sending is held while packets are copied, mu only to change what
	// follows: so the receiver does not wait for the copying.
	sending sync.Mutex
	cutter  Cutter

	mu      sync.Mutex
	arrived sync.Cond
	waiting bool     // the receiver waits
	filling bool     // the sender fills the last chunk
	chunks  []*chunk // the first is the receiver's, the last the sender's
	free    pile.Pile[*chunk]
	buffers pile.Pile[*wire.Buffer] // free ones
	emptied int                     // how often the lane has been, since it was trimmed
	bytes   int                     // that wait, packetCost for each packet included
	drops   uint64
	closed  bool
}

// A chunk holds many packets. What is visible belongs to the receiver, what comes
// after it to the sender.
type chunk struct {
	memory   [chunkSize]byte
	packets  [chunkPackets]wire.Packet  // their Heads are views into memory or buffers
	buffers  [chunkPackets]*wire.Buffer // of long packets
	used     int                        // bytes of memory
	count    int                        // of packets
	visible  int                        // how many the receiver may take
	taken    int                        // how many it has taken
	returned int                        // of how many of these the buffer has been taken back
}

const (
	chunkSize    = 128 << 10
	chunkPackets = 256
	freeChunks   = 4 // that are kept for good
	freeBuffers  = 8
	trimAfter    = 256
	packetCost   = 64
	// visibleAfter is how many bytes of a batch the receiver has to wait for at
	// most: so it works while the rest is copied, and reads what is still in the
	// cache.
	visibleAfter = 128 << 10
)

func newLane(c PipeConfig) *lane {
	l := &lane{offload: c.Offload, mtu: c.MTU, queue: c.Queue}
	l.arrived.L = &l.mu
	return l
}

// receive returns zero only after close, or for an empty batch.
func (l *lane) receive(batch []wire.Packet) (n int) {
	if len(batch) == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release()
	for {
		for _, c := range l.chunks {
			k := copy(batch[n:], c.packets[c.taken:c.visible])
			c.taken += k
			for i := n; i < n+k; i++ {
				l.bytes -= len(batch[i].Head) + packetCost
			}
			n += k
		}
		if n > 0 || l.closed {
			return n
		}
		l.waiting = true
		l.arrived.Wait()
		l.waiting = false
	}
}

// release takes back what has been received, and was lent until now.
func (l *lane) release() {
	for len(l.chunks) > 0 {
		c := l.chunks[0]
		last := len(l.chunks) == 1
		for ; c.returned < c.taken; c.returned++ {
			if at := &c.buffers[c.returned]; *at != nil {
				l.buffers.Put(*at)
				*at = nil
			}
		}
		if c.taken < c.visible || last && l.filling {
			return
		}
		c.used, c.count, c.visible, c.taken, c.returned = 0, 0, 0, 0, 0
		if last {
			l.trim()
			return
		}
		copy(l.chunks, l.chunks[1:])
		l.chunks[len(l.chunks)-1] = nil
		l.chunks = l.chunks[:len(l.chunks)-1]
		l.free.Put(c)
	}
}

// trim gives up memory that was not used while the lane was emptied many times, so
// that one that was full once does not keep it, and one that fills again and again
// does.
func (l *lane) trim() {
	if l.emptied++; l.emptied < trimAfter {
		return
	}
	l.emptied = 0
	l.free.Trim(l.free.Len() - freeChunks)
	l.buffers.Trim(l.buffers.Len() - freeBuffers)
}

// send copies packets, cut or as they are, to where the receiver finds them.
func (l *lane) send(batch []wire.Packet) (n int, err error) {
	l.sending.Lock()
	defer l.sending.Unlock()
	f, ok := l.begin()
	if !ok {
		return 0, os.ErrClosed
	}
	for i := range batch {
		p := &batch[i]
		whole, e := true, error(nil)
		if l.offload {
			whole, e = f.pass(p)
		} else {
			whole, e = f.cut(p)
		}
		if e != nil {
			err = e
		} else if whole {
			n++
		}
	}
	l.finish(&f)
	return n, err
}

// A fill is what one call of send does.
type fill struct {
	lane  *lane
	chunk *chunk
	room  int // bytes that the queue still takes
	bytes int // put into the chunk and not yet visible
	drops uint64
}

func (l *lane) begin() (f fill, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return f, false
	}
	l.filling = true
	if len(l.chunks) == 0 {
		l.chunks = append(l.chunks, l.fresh())
	}
	return fill{lane: l, chunk: l.chunks[len(l.chunks)-1], room: l.queue - l.bytes}, true
}

func (l *lane) finish(f *fill) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.publish(f)
	l.filling = false
	l.drops += f.drops
}

// publish lets the receiver see what has been put into the chunk.
func (l *lane) publish(f *fill) {
	l.bytes += f.bytes
	f.bytes = 0
	if f.chunk.visible != f.chunk.count {
		f.chunk.visible = f.chunk.count
		if l.waiting {
			l.arrived.Signal()
		}
	}
}

func (l *lane) fresh() *chunk {
	if c, ok := l.free.Take(); ok {
		return c
	}
	return new(chunk)
}

func (l *lane) freshBuffer() *wire.Buffer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.buffers.Take(); ok {
		return b
	}
	return wire.NewBuffer()
}

// pass puts a packet into the lane as it is.
func (f *fill) pass(p *wire.Packet) (whole bool, err error) {
	if _, _, ok := transport(p.Head); !ok {
		return false, errNotIP
	}
	if p.Len() > maxPacket || p.Split == 0 && p.Len() > f.lane.mtu {
		return false, errTooLong
	}
	to := f.place(p.Len())
	if to == nil {
		return false, nil
	}
	q := *p
	q.Head, q.Payload, q.Rest = p.Append(to[:0]), nil, nil
	f.took(q)
	return true, nil
}

// cut puts into the lane the packets that p is on a wire.
func (f *fill) cut(p *wire.Packet) (whole bool, err error) {
	c := &f.lane.cutter
	if err := c.Reset(p, f.lane.mtu); err != nil {
		return false, err
	}
	whole = true
	for c.More() {
		to := f.place(c.NextLen())
		if to == nil {
			whole = false
			c.Skip()
			continue
		}
		c.Next(to)
		f.took(wire.Packet{Head: to})
	}
	return whole, nil
}

// place is memory for a packet of n bytes, or nil if the queue is full.
func (f *fill) place(n int) []byte {
	if f.room < n+packetCost {
		f.drops++
		return nil
	}
	l, c, long := f.lane, f.chunk, n >= wire.KeepLeast
	if !long && c.used+n > chunkSize || c.count == chunkPackets {
		l.mu.Lock()
		l.publish(f)
		c = l.fresh()
		l.chunks = append(l.chunks, c)
		l.mu.Unlock()
		f.chunk = c
	}
	if long {
		b := l.freshBuffer()
		c.buffers[c.count] = b
		return b.Memory[:n]
	}
	return c.memory[c.used : c.used+n : c.used+n]
}

// took puts a packet that lies in its place behind the others.
func (f *fill) took(p wire.Packet) {
	c, n := f.chunk, len(p.Head)
	if at := &c.buffers[c.count]; *at != nil {
		p.Buffer = at
	} else {
		// The next begins on a cache line of its own.
		c.used = min(c.used+(n+63)&^63, chunkSize)
	}
	c.packets[c.count] = p
	c.count++
	f.room -= n + packetCost
	if f.bytes += n + packetCost; f.bytes >= visibleAfter {
		f.lane.mu.Lock()
		f.lane.publish(f)
		f.lane.mu.Unlock()
	}
}

func (l *lane) dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.drops
}

// close reports whether it was closed already.
func (l *lane) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	closed := l.closed
	l.closed = true
	l.arrived.Broadcast()
	return closed
}
