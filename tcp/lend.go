package tcp

import (
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// This file saves copies: buffers are lent to the application, and it lends one in
// return. What is lent stays good whatever happens to the connection meanwhile.

// Taken is a part of the receive buffer that [Conn.Take] has taken out of it.
type Taken struct {
	chain  *wire.Buffer // what comes next of it
	given  *wire.Buffer // what has come, in no order
	a, b   []byte       // parts of block, behind the chain
	block  []byte
	memory Memory
}

// Next is the next piece of what was received, nil after the last. It is good until
// Return.
func (k *Taken) Next() (p []byte) {
	if b := k.chain; b != nil {
		k.chain, b.Next, k.given = b.Next, k.given, b
		return b.Data
	}
	p, k.a, k.b = k.a, k.b, nil
	return p
}

// Return gives back all that was taken. It needs whatever lock the Memory needs.
func (k *Taken) Return() {
	putChain(k.memory, k.chain)
	putChain(k.memory, k.given)
	if k.block != nil {
		k.memory.Put(k.block)
	}
	*k = Taken{}
}

// takeCopied is how much Take copies at most, where it has to.
const takeCopied = 64 << 10

// Take is Read without copying: it takes out all that was received and not read, or
// a part of it, and reports false if there is nothing. The caller gives it back.
func (c *Conn) Take(now time.Time) (k Taken, ok bool) {
	n := c.in.chained()
	k.memory, k.chain = c.cfg.memory(), c.in.detach()
	switch {
	case c.in.n == 0:
	case c.asm.empty():
		n += c.in.n
		k.a, k.b = c.in.view(0, c.in.n)
		k.block, c.in.ring = c.in.b, ring{most: c.in.most}
	case n == 0:
		// Something is missing behind it: the block is still in use.
		n = min(c.in.n, takeCopied)
		k.block = k.memory.Get(max(n, 64))
		k.a = k.block[:c.in.read(k.memory, k.block[:n], true)]
	}
	if n > 0 {
		c.haveRead(now, n)
	}
	return k, n > 0
}

// Lend is the first half of a Write without copying: it returns at most n bytes of
// the send buffer for the caller to fill, none if there is no room. Then [Conn.Fill]
// has to be called, and until then nothing more is lent. What is written meanwhile
// goes before.
func (c *Conn) Lend(n int) ([]byte, error) {
	if err := c.writeError(); err != nil {
		return nil, err
	}
	if n = min(n, c.writeRoom()); n == 0 || c.is(outLent) || c.loan() != nil {
		return nil, nil
	}
	c.out.reserve(c.cfg.memory(), c.out.n+n)
	c.set(outLent)
	return c.out.tail(n), nil
}

// Fill says that the first n bytes of what Lend has lent are to be sent, and gives
// it back. If the connection cannot be written to any more, they are not sent.
func (c *Conn) Fill(now time.Time, n int) error {
	l := c.loan()
	if !c.is(outLent) && l == nil {
		return nil
	}
	c.clear(outLent)
	c.events |= EventWritable
	err := c.writeError()
	switch {
	case l != nil:
		if err == nil {
			c.out.append(c.cfg.memory(), l.block[l.at:l.at+n])
		}
		c.cfg.memory().Put(l.block)
		c.seldom.loan = nil
	case err == nil:
		c.out.extend(n)
	}
	if c.out.n == 0 {
		c.out.release(c.cfg.memory())
	}
	return err
}

// loan is a block of the send buffer that is lent, and no part of that any more.
type loan struct {
	block []byte
	at    int // where what was lent begins
}

func (c *Conn) loan() *loan {
	if c.seldom == nil {
		return nil
	}
	return c.seldom.loan
}

// withdraw goes on with another block while a part of the send buffer is lent, so that
// who waits long for something to put there keeps nobody else from writing.
func (c *Conn) withdraw() {
	r, m := &c.out, c.cfg.memory()
	c.needs().loan = &loan{r.b, (int(r.head) + r.n) & (len(r.b) - 1)}
	a, b := r.view(0, r.n)
	*r = ring{most: r.most}
	r.append(m, a)
	r.append(m, b)
	c.clear(outLent)
}

// releaseOut throws away what was to be sent.
func (c *Conn) releaseOut() {
	if c.is(outLent) {
		c.out.n = 0
		return
	}
	c.out.release(c.cfg.memory())
}
