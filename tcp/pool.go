package tcp

import "github.com/fastopen-go/fastopen/internal/pile"

// A Pool keeps connections that are over, for those to come to be made of: all
// whose Config names it. The zero value is empty. Like a Conn it is not safe for
// concurrent use, so connections that run on several goroutines cannot share one.
type Pool struct {
	conns pile.Pile[*Conn]
	dials pile.Pile[*dialing]
}

const (
	poolMost = 4096 // connections are kept
	poolIdle = 256  // of them for good
)

// Recycle gives c to its Config's Pool. From then on it is another connection:
// nobody may have c any more.
//
// It reports false, and does nothing, without a Pool and as long as c is needed:
// until it is Done or [Conn.Wait] has given what takes its place, while it waits for
// Accept, and between Lend and Fill.
func (c *Conn) Recycle() bool {
	p := c.cfg.Pool
	over := c.state == Closed || c.state == TimeWait && c.is(closedByUser)
	waits := c.is(passive) && !c.is(accepted) && (c.fo.child || c.is(confirmed))
	if p == nil || !over || c.due != 0 || waits || c.is(outLent) || c.loan() != nil {
		return false
	}
	c.in.release(c.cfg.memory())
	c.out.release(c.cfg.memory())
	p.putDialing(c.dial)
	p.putConn(c)
	return true
}

// Len is how many connections are kept.
func (p *Pool) Len() int { return p.conns.Len() }

// KeepsMuch reports whether there is something for Trim to do, now or later.
func (p *Pool) KeepsMuch() bool {
	return max(p.conns.Len(), p.dials.Len()) > poolIdle
}

// Trim leaves what was not used since the last Trim to the garbage collector, but
// for a few.
func (p *Pool) Trim() {
	p.conns.Trim(p.conns.Len() - poolIdle)
	p.dials.Trim(p.dials.Len() - poolIdle)
}

func (p *Pool) conn() *Conn {
	if p == nil {
		return &Conn{}
	}
	return lastOrNew(&p.conns)
}

func (p *Pool) putConn(c *Conn) {
	*c = Conn{}
	if p.conns.Len() < poolMost {
		p.conns.Put(c)
	}
}

func (p *Pool) dialing() *dialing {
	if p == nil {
		return &dialing{}
	}
	return lastOrNew(&p.dials)
}

func (p *Pool) putDialing(d *dialing) {
	if p != nil && d != nil && p.dials.Len() < poolMost {
		*d = dialing{}
		p.dials.Put(d)
	}
}

// lastOrNew takes what was put back last, or makes one.
func lastOrNew[T any](p *pile.Pile[*T]) *T {
	if x, ok := p.Take(); ok {
		return x
	}
	return new(T)
}
