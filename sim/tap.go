package sim

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// A Tap is a hop that lets everything pass and remembers it. The zero Tap is
// ready for use in one path. Its methods may be called from any goroutine,
// while packets pass.
//
// A round trip is the time between what an end sends and what it gets for it,
// so a tap that is to count round trips stands next to that end, before any
// link.
type Tap struct {
	mu      sync.Mutex
	seen    []Seen
	changed chan struct{} // closed at the next packet; nil while nobody waits
}

// Seen is a packet that passed a tap. Of a packet that is not an unfragmented
// TCP segment only At, Dir and Packet are set.
type Seen struct {
	At     time.Time
	Dir    Dir
	Packet []byte // whole, from the IP header on

	TCP                bool
	Src, Dst           netip.AddrPort
	SYN, ACK, FIN, RST bool
	Seq, Ack           uint32
	Len                int  // bytes of data
	FastOpen           bool // has a Fast Open option, of either form
	Cookie             int  // length of the cookie in the last such option; zero also where the option requests one
}

// Seen returns all packets that have passed and match, in order. A nil match
// is for all.
func (t *Tap) Seen(match func(Seen) bool) []Seen {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.selectLocked(match)
}

// Await waits until n packets that match have passed, those before the call
// included, and returns them, or until ctx ends, and returns those that have.
func (t *Tap) Await(ctx context.Context, n int, match func(Seen) bool) ([]Seen, error) {
	for {
		t.mu.Lock()
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		seen, changed := t.selectLocked(match), t.changed
		t.mu.Unlock()
		if len(seen) >= n {
			return seen, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return seen, fmt.Errorf("tap has seen %d of %d packets: %w", len(seen), n, context.Cause(ctx))
		}
	}
}

// String lists the packets seen, one a line, with times since the first.
func (t *Tap) String() string {
	var b strings.Builder
	seen := t.Seen(nil)
	for _, s := range seen {
		fmt.Fprintf(&b, "%9.3fms %v\n", float64(s.At.Sub(seen[0].At))/float64(time.Millisecond), s)
	}
	return b.String()
}

// String returns the packet as a line of text, without its time and data.
func (s Seen) String() string {
	if !s.TCP {
		return fmt.Sprintf("%v %d bytes, not TCP", s.Dir, len(s.Packet))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v > %v", s.Dir, s.Src, s.Dst)
	for _, f := range []struct {
		set  bool
		name string
	}{{s.SYN, "SYN"}, {s.FIN, "FIN"}, {s.RST, "RST"}} {
		if f.set {
			b.WriteString(" " + f.name)
		}
	}
	fmt.Fprintf(&b, " seq %d", s.Seq)
	if s.ACK {
		fmt.Fprintf(&b, " ack %d", s.Ack)
	}
	fmt.Fprintf(&b, " len %d", s.Len)
	switch {
	case s.FastOpen && s.Cookie == 0:
		b.WriteString(" cookie request")
	case s.FastOpen:
		fmt.Fprintf(&b, " cookie of %d bytes", s.Cookie)
	}
	return b.String()
}

func (t *Tap) join(p *Path, i int) passer {
	return func(d Dir, packet []byte) {
		t.record(see(p.now, d, bytes.Clone(packet)))
		p.pass(d, next(d, i), packet)
	}
}

func (t *Tap) record(s Seen) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = append(t.seen, s)
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

func (t *Tap) selectLocked(match func(Seen) bool) []Seen {
	var found []Seen
	for _, s := range t.seen {
		if match == nil || match(s) {
			found = append(found, s)
		}
	}
	return found
}

// see describes a packet. What it returns shares the bytes of packet.
func see(at time.Time, d Dir, packet []byte) Seen {
	v := Seen{At: at, Dir: d, Packet: packet}
	s, ok := parse(packet)
	if !ok {
		return v
	}
	v.TCP = true
	v.Src, v.Dst = s.Src, s.Dst
	f := s.Flags
	v.SYN, v.ACK, v.FIN, v.RST = f.Has(wire.SYN), f.Has(wire.ACK), f.Has(wire.FIN), f.Has(wire.RST)
	v.Seq, v.Ack, v.Len = s.Seq, s.Ack, s.Len()
	for _, cookie := range s.fastOpen {
		v.FastOpen, v.Cookie = true, cookie
	}
	return v
}
