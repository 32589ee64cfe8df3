package stack

import (
	"sync"
	"sync/atomic"
	"time"
)

// blocked is what a socket of a Stack needs while somebody waits for it, or while
// it has a deadline. Idle sockets have none.
type blocked struct {
	read, write     sync.Cond
	readBy, writeBy deadline
	waiting         int
	calls           atomic.Uint32 // how often somebody was woken, or would have been
	prev, next      *blocked      // of all, so that Close can wake everybody
}

// deadline wakes those who wait on one side when it has come.
type deadline struct {
	at   int64 // of the host's clock; 0 is none
	slot int32
	set  bool
	of   *blocked
}

func (d *deadline) place() *int32 { return &d.slot }

func (d *deadline) wake(int64) { d.of.wakeSide(d == &d.of.readBy) }

func (d *deadline) over(now int64) bool { return d.set && d.at <= now }

func (b *blocked) side(read bool) *sync.Cond {
	if read {
		return &b.read
	}
	return &b.write
}

func (b *blocked) wakeSide(read bool) {
	b.calls.Add(1)
	b.side(read).Broadcast()
}

func (b *blocked) wakeReaders() { b.wakeSide(true) }

func (b *blocked) wakeAll() {
	b.calls.Add(1)
	b.read.Broadcast()
	b.write.Broadcast()
}

// block makes *at be there.
func (t *Stack) block(at **blocked) *blocked {
	if *at != nil {
		return *at
	}
	b, ok := t.spares.Take()
	if !ok {
		b = &blocked{}
		b.read.L, b.write.L = &t.mu, &t.mu
		b.readBy.of, b.writeBy.of = b, b
	}
	b.next = t.blocks
	if b.next != nil {
		b.next.prev = b
	}
	t.blocks = b
	*at = b
	return b
}

// unblock gives *at back if nobody needs it.
func (t *Stack) unblock(at **blocked) {
	b := *at
	if b == nil || b.waiting > 0 || b.readBy.set || b.writeBy.set {
		return
	}
	t.host.alarms.drop(&b.readBy)
	t.host.alarms.drop(&b.writeBy)
	if b.next != nil {
		b.next.prev = b.prev
	}
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		t.blocks = b.next
	}
	b.prev, b.next = nil, nil
	*at = nil
	if t.spares.Len() < 1024 {
		t.spares.Put(b)
	}
}

// wait gives the lock up until something has happened on one side of a socket, and
// returns the time then.
func (t *Stack) wait(at **blocked, read bool) time.Time {
	b := t.block(at)
	b.waiting++
	t.arm()
	now := t.sleep(b, read)
	b.waiting--
	t.unblock(at)
	return now
}

// setDeadline changes a deadline, and wakes those whom it concerns.
func (t *Stack) setDeadline(at **blocked, d *deadline, when time.Time) {
	t.host.alarms.drop(d)
	d.set = !when.IsZero()
	if d.set {
		// Not before 1, so that the past is the past whatever the clock's
		// beginning.
		d.at = t.host.clock(when)
		t.host.alarms.set(d, d.at)
	}
	d.wake(0)
	t.unblock(at)
}
