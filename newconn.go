package fastopen

import (
	"context"
	"time"
)

// newConn makes a Conn of the attempt that won, and writes what is left of
// the early data.
func (d *dialing) newConn(ctx context.Context, a attempt) (*Conn, error) {
	c := &Conn{dialed: &dialed{
		cache:  d.cache(),
		path:   d.path(d.candidates[a.to].remote),
		out:    a.out,
		entry:  a.entry,
		asked:  a.asked,
		cookie: a.cookie,
		begun:  !a.cookie || d.early != nil,
	}}
	c.tc.Store(a.tc)
	if a.cookie && d.early == nil {
		c.opening = d.opening(ctx, a)
		return c, nil
	}
	c.open.Store(true)
	if a.hedge {
		c.dialed.path = d.path(d.candidates[d.spokeTo()].remote)
		c.dialed.overtaken(d.silenced())
	}
	c.note()
	if err := d.writeRest(ctx, a); err != nil {
		c.Close()
		return nil, d.error(a.tc.RemoteAddr(), err)
	}
	return c, nil
}

// opening returns the beginning of a connection that was put off.
func (d *dialing) opening(ctx context.Context, a attempt) *opening {
	rest := d.candidates[a.to:]
	second := min(1, len(rest)-1)
	o := &opening{
		dialing: d,
		delay:   d.delay(a.entry),
		rest:    append(append([]candidate{}, rest[second], rest[0]), rest[second+1:]...),
	}
	if second == 0 {
		o.rest = o.rest[1:]
	}
	if end, ok := ctx.Deadline(); ok {
		o.timeout = max(time.Until(end), time.Millisecond)
	}
	return o
}

// writeRest writes the early data that was not in the SYN.
func (d *dialing) writeRest(ctx context.Context, a attempt) error {
	if len(a.rest) == 0 {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { a.tc.SetWriteDeadline(time.Unix(1, 0)) })
	_, err := a.tc.Write(a.rest)
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}
