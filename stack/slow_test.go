package stack_test

import (
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/wire"
)

// slow is one end of a link that takes its time: for virtual clocks.
type slow struct {
	delay time.Duration
	mu    sync.Mutex
	some  sync.Cond
	queue []late
	done  bool
	peer  *slow
	drop  func(p []byte) bool // asked for what this end sends
}

// late is a packet on its way.
type late struct {
	p  []byte
	at time.Time
}

func newSlow(delay time.Duration) (a, b *slow) {
	a, b = &slow{delay: delay}, &slow{delay: delay}
	a.some.L, b.some.L = &a.mu, &b.mu
	a.peer, b.peer = b, a
	return a, b
}

func (s *slow) MTU() (int, error) { return 1500, nil }

func (s *slow) Send(batch []wire.Packet) (int, error) {
	for i := range batch {
		for _, p := range cut(&batch[i]) {
			if s.drop != nil && s.drop(p) {
				continue
			}
			s.peer.mu.Lock()
			s.peer.queue = append(s.peer.queue, late{p, time.Now().Add(s.delay)})
			s.peer.mu.Unlock()
			time.AfterFunc(s.delay, s.peer.some.Signal)
		}
	}
	return len(batch), nil
}

// cut is a packet as the packets that a wire would see.
func cut(p *wire.Packet) (all [][]byte) {
	whole := p.Append(nil)
	ip, body, ok := wire.ParseIP(whole)
	var s wire.Segment
	if !ok || ip.Protocol != wire.ProtocolTCP || !s.Parse(ip.Src, ip.Dst, body, p.Check) {
		return [][]byte{whole}
	}
	size, data := int(p.Split), s.Payload
	if size == 0 {
		size = max(len(data), 1)
	}
	for off := 0; off == 0 || off < len(data); off += size {
		piece := s
		piece.Seq += uint32(off)
		piece.Payload = data[off:min(off+size, len(data))]
		if off+size < len(data) {
			piece.Flags &^= wire.FIN | wire.PSH
		}
		all = append(all, piece.AppendPacket(nil, wire.Full))
	}
	return all
}

func (s *slow) Receive(batch []wire.Packet) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := func() bool { return len(s.queue) > 0 && !s.queue[0].at.After(time.Now()) }
	for !due() && !s.done {
		s.some.Wait()
	}
	if s.done {
		return 0, os.ErrClosed
	}
	for n < len(batch) && due() {
		batch[n] = wire.Packet{Head: s.queue[0].p}
		s.queue = s.queue[1:]
		n++
	}
	return n, nil
}

func (s *slow) Close() error {
	s.mu.Lock()
	s.done = true
	s.mu.Unlock()
	s.some.Broadcast()
	return nil
}

// far is two stacks a round trip apart. At the end nothing may be left of what they
// had.
func far(t *testing.T, rtt time.Duration, client, server stack.Config) (a, b *stack.Stack, la *slow) {
	t.Helper()
	la, lb := newSlow(rtt / 2)
	client.Links, server.Links = []stack.Link{la}, []stack.Link{lb}
	var err error
	for _, p := range []string{"10.0.0.1/24", "fd00::1/64"} {
		client.Addresses = append(client.Addresses, netip.MustParsePrefix(p))
	}
	for _, p := range []string{"10.0.0.2/24", "fd00::2/64"} {
		server.Addresses = append(server.Addresses, netip.MustParsePrefix(p))
	}
	if a, err = stack.New(client); err == nil {
		b, err = stack.New(server)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		b.Close()
		nothingLent(t, a, b)
	})
	return a, b, la
}

// nothingLent checks that closed stacks have all of their buffers back.
func nothingLent(t testing.TB, stacks ...*stack.Stack) {
	t.Helper()
	for _, s := range stacks {
		s.Do(func(_ time.Time, h *stack.Host) {
			if n := stack.Lent(h); n != 0 {
				t.Errorf("%d buffers were not given back", n)
			}
		})
	}
}
