package link

import (
	"sync"
	"syscall"

	"github.com/fastopen-go/fastopen/wire"
)

// polling lets whoever waits for an answer look for it himself, as sockets of
// Linux do with SO_BUSY_POLL, while somebody else waits in receive. Between the
// kernel and him there is then neither the poller nor another goroutine, and no
// processor that has to be woken: over TUN that is most of what an answer takes.
type polling struct {
	// turn is held from before packets are read until they have been used, so
	// that they are used in their order. Whoever waits in receive always waits
	// for his turn when he is told of packets, and looks again then: so a poll
	// may leave some behind.
	turn sync.Mutex
	lent bool // the turn is receive's, until done or receive is called
	in   receiving
	read func(fd uintptr)
}

// queued makes ready wait for its turn, and keep it if it has packets.
func (l *polling) queued(ready func(fd uintptr) bool) func(fd uintptr) bool {
	return func(fd uintptr) bool {
		l.take()
		if l.lent = ready(fd); !l.lent {
			l.turn.Unlock()
		}
		return l.lent
	}
}

// take waits for the turn, which is over soon: to sleep until then would cost more,
// and most of it whoever has the turn and would have to wake us.
func (l *polling) take() {
	for range 2000 {
		if l.turn.TryLock() {
			return
		}
	}
	l.turn.Lock()
}

// used ends the turn of those packets that the last receive has lent.
func (l *polling) used() {
	if l.lent {
		l.lent = false
		l.turn.Unlock()
	}
}

// init readies for calls of poll.
func (l *polling) init(lower int, socket bool) {
	l.in.init(lower, socket)
	l.read = func(fd uintptr) { l.in.ready(fd) }
}

// poll is Poll.
func (l *polling) poll(raw syscall.RawConn, batch []wire.Packet, deliver func([]wire.Packet)) (n int, err error) {
	if len(batch) == 0 || !l.turn.TryLock() {
		return 0, nil // who has the turn takes what has come
	}
	defer l.turn.Unlock()
	in := &l.in
	in.begin(batch)
	// Not raw.Read, which is the other's as long as he waits.
	n, err = in.end(raw.Control(l.read))
	if n > 0 {
		deliver(batch[:n])
	}
	return n, err
}
