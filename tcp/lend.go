package tcp

import "time"

// This file saves copies: buffers are lent to the application, and it lends one in
// return. What is lent stays good whatever happens to the connection meanwhile.

// Take is Read without copying: it returns all that was received and not read, in
// two parts where the buffer wraps, and the block that they are in, which the
// caller gives back by [Conn.Return] when it has done with them. It returns nil if
// there is nothing, or if something is missing in between: then there is Read.
func (c *Conn) Take(now time.Time) (a, b, block []byte) {
	if c.in.n == 0 || !c.asm.empty() {
		return nil, nil, nil
	}
	n := c.in.n
	a, b = c.in.view(0, n)
	block = c.in.b
	c.in = ring{most: c.in.most}
	c.haveRead(now, n)
	return a, b, block
}

// Return gives a block back that Take has lent.
func (c *Conn) Return(block []byte) { c.cfg.memory().Put(block) }

// Lend is the first half of a Write without copying: it returns at most n bytes of
// the send buffer for the caller to fill, none if there is no room. Then [Conn.Fill]
// has to be called, and until then Write takes nothing.
func (c *Conn) Lend(n int) ([]byte, error) {
	if err := c.writeError(); err != nil {
		return nil, err
	}
	if n = min(n, c.writeRoom()); n == 0 {
		return nil, nil
	}
	c.out.reserve(c.cfg.memory(), c.out.n+n)
	c.set(outLent)
	return c.out.tail(n), nil
}

// Fill says that the first n bytes of what Lend has lent are to be sent, and gives
// it back. If the connection cannot be written to any more, they are not sent.
func (c *Conn) Fill(now time.Time, n int) error {
	if !c.is(outLent) {
		return nil
	}
	c.clear(outLent)
	c.events |= EventWritable
	err := c.writeError()
	if err == nil {
		c.out.extend(n)
	}
	if c.out.n == 0 {
		c.out.release(c.cfg.memory())
	}
	return err
}

// releaseOut throws away what was to be sent.
func (c *Conn) releaseOut() {
	if c.is(outLent) {
		c.out.n = 0
		return
	}
	c.out.release(c.cfg.memory())
}
