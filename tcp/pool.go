package tcp

// A Pool keeps connections that are over, for those to come to be made of: all
// whose Config names it. The zero value is empty. Like a Conn it is not safe for
// concurrent use, so connections that run on several goroutines cannot share one.
type Pool struct {
	conns spares[Conn]
	dials spares[dialing]
}

// Recycle gives c to its Config's Pool. From then on it is another connection:
// nobody may have c any more, nor a block that Take has lent.
//
// It reports false, and does nothing, without a Pool and as long as c is needed:
// until it is Done or [Conn.Wait] has given what takes its place, while it waits for
// Accept, and between Lend and Fill.
func (c *Conn) Recycle() bool {
	p := c.cfg.Pool
	over := c.state == Closed || c.state == TimeWait && c.is(closedByUser)
	waits := c.is(passive) && !c.is(accepted) && (c.fo.child || c.is(confirmed))
	if p == nil || !over || c.due != 0 || waits || c.is(outLent) {
		return false
	}
	c.in.release(c.cfg.memory())
	c.out.release(c.cfg.memory())
	p.putDialing(c.dial)
	*c = Conn{}
	p.conns.put(c)
	return true
}

// Len is how many connections are kept.
func (p *Pool) Len() int { return len(p.conns.free) }

// KeepsMuch reports whether there is something for Trim to do, now or later.
func (p *Pool) KeepsMuch() bool {
	return len(p.conns.free) > sparesIdle || len(p.dials.free) > sparesIdle
}

// Trim leaves what was not used since the last Trim to the garbage collector, but
// for a few.
func (p *Pool) Trim() {
	p.conns.trim()
	p.dials.trim()
}

func (p *Pool) conn() *Conn {
	if p == nil {
		return &Conn{}
	}
	return p.conns.get()
}

func (p *Pool) dialing() *dialing {
	if p == nil {
		return &dialing{}
	}
	return p.dials.get()
}

func (p *Pool) putDialing(d *dialing) {
	if p != nil && d != nil {
		*d = dialing{}
		p.dials.put(d)
	}
}

// spares are zero values: what was given back last is lent first, while it is still
// in the processor's caches.
type spares[T any] struct {
	free []*T
	idle int // how many of free, from the first, were not used since the last trim
}

const (
	sparesMost = 4096 // are kept
	sparesIdle = 256  // of them for good
)

func (s *spares[T]) get() *T {
	n := len(s.free) - 1
	if n < 0 {
		return new(T)
	}
	x := s.free[n]
	s.free[n] = nil
	s.free = s.free[:n]
	s.idle = min(s.idle, n)
	return x
}

func (s *spares[T]) put(x *T) {
	if len(s.free) < sparesMost {
		s.free = append(s.free, x)
	}
}

func (s *spares[T]) trim() {
	n := min(s.idle, max(len(s.free)-sparesIdle, 0))
	rest := copy(s.free, s.free[n:])
	clear(s.free[rest:])
	s.free, s.idle = s.free[:rest], rest
}
