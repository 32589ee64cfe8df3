package sim

import "time"

// Dir is the way a packet travels.
type Dir uint8

const (
	AtoB Dir = iota // from end A to end B
	BtoA            // from end B to end A
)

// Reverse returns the other way.
func (d Dir) Reverse() Dir { return d ^ 1 }

// String returns "A>B" or "B>A".
func (d Dir) String() string {
	if d == AtoB {
		return "A>B"
	}
	return "B>A"
}

// A Hop is one thing on a path: a [Link], a [Box] or a [*Tap].
type Hop interface {
	join(p *Path, i int) passer
}

// A passer takes a packet that reaches the hop at p.now and sees that it goes
// on, now or later, or not.
type passer func(d Dir, packet []byte)

// A Path carries packets between its ends A and B. Its methods:
//
//   - inputs: Send, with a packet that one end sends;
//   - outputs: Receive, with a packet that has arrived at an end;
//   - getters: Deadline.
//
// After any call, call Receive until it returns false, and again at Deadline.
// Extra calls are harmless. Time never goes back: an earlier now counts as the
// latest seen. A Path is not safe for concurrent use.
type Path struct {
	hops    []passer
	seed    uint64
	now     time.Time
	flying  flight // on a link
	count   uint64
	arrived []Packet // not yet received, from head on
	head    int
	free    [][]byte // buffers to use again
	lent    [][]byte // handed out by Receive, free at the next Send
}

// A Packet has arrived at the end of a path.
type Packet struct {
	At   time.Time // when it arrived, which is not after now
	Dir  Dir       // AtoB: it arrived at B
	Data []byte    // valid until the next call of Send
}

// NewPath returns the path that has the given hops from A to B. Chance on it,
// such as loss, comes from seed alone. Without hops, packets arrive as soon as
// they are sent.
func NewPath(seed uint64, hops ...Hop) *Path {
	p := &Path{seed: seed}
	for i, h := range hops {
		p.hops = append(p.hops, h.join(p, i))
	}
	return p
}

// Send puts a packet on the path at the end where d begins. The packet is
// copied.
func (p *Path) Send(now time.Time, d Dir, packet []byte) {
	p.advance(now)
	p.free = append(p.free, p.lent...)
	p.lent = p.lent[:0]
	first := 0
	if d == BtoA {
		first = len(p.hops) - 1
	}
	p.pass(d, first, append(p.buffer(), packet...))
}

// Receive returns the next packet that has arrived by now, in the order of
// arrival, or false when there is none.
func (p *Path) Receive(now time.Time) (Packet, bool) {
	p.advance(now)
	if p.head == len(p.arrived) {
		p.arrived, p.head = p.arrived[:0], 0
		return Packet{}, false
	}
	pkt := p.arrived[p.head]
	p.arrived[p.head] = Packet{}
	p.head++
	p.lent = append(p.lent, pkt.Data)
	return pkt, true
}

// Deadline returns when something happens on the path next: Receive may have a
// packet then. The zero time means that nothing will without another Send.
func (p *Path) Deadline() time.Time {
	switch {
	case p.head < len(p.arrived):
		return p.arrived[p.head].At
	case len(p.flying) > 0:
		return p.flying[0].at
	}
	return time.Time{}
}

// advance lets everything happen that is due by now, each thing at its time.
func (p *Path) advance(now time.Time) {
	for len(p.flying) > 0 && !p.flying[0].at.After(now) {
		f := p.flying.pop()
		p.now = f.at
		p.pass(f.dir, f.next, f.packet)
	}
	if now.After(p.now) {
		p.now = now
	}
}

// pass gives a packet to the hop with the given index, or to the end of the
// path when there is no such hop.
func (p *Path) pass(d Dir, hop int, packet []byte) {
	if hop < 0 || hop >= len(p.hops) {
		p.arrived = append(p.arrived, Packet{At: p.now, Dir: d, Data: packet})
		return
	}
	p.hops[hop](d, packet)
}

// next returns the index of the hop after hop i on the way d.
func next(d Dir, i int) int {
	if d == AtoB {
		return i + 1
	}
	return i - 1
}

func (p *Path) buffer() []byte {
	n := len(p.free)
	if n == 0 {
		return make([]byte, 0, 2048)
	}
	b := p.free[n-1]
	p.free = p.free[:n-1]
	return b[:0]
}
