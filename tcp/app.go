package tcp

import (
	"io"
	"time"
)

// Read takes up to len(p) bytes that were received. It returns 0 and nil when
// there are none yet, io.EOF after the peer's FIN, and what ended the connection
// after that was read which came before.
func (c *Conn) Read(now time.Time, p []byte) (int, error) {
	if n := c.in.read(c.cfg.memory(), p, !c.asm.empty()); n > 0 {
		c.haveRead(now, n)
		return n, nil
	}
	if len(p) == 0 {
		return 0, nil
	}
	return 0, c.readError()
}

// Peek copies bytes that were received and not read to p, as Read does, and leaves
// them where they are.
func (c *Conn) Peek(p []byte) int { return c.in.peek(p) }

// Unread is how many bytes were received and not read.
func (c *Conn) Unread() int { return c.in.len() }

// Discard drops the first n bytes that were received and not read.
func (c *Conn) Discard(now time.Time, n int) {
	n = min(n, c.in.len())
	c.in.discard(c.cfg.memory(), n, !c.asm.empty())
	c.haveRead(now, n)
}

// haveRead is what follows when the application has taken n bytes.
func (c *Conn) haveRead(now time.Time, n int) {
	t := c.clock(now)
	if !c.is(finTaken) && c.state != Closed {
		c.rcv.tune.read(t, c, n)
		c.offerWindow()
	}
}

func (c *Conn) readError() error {
	switch {
	case c.is(finTaken):
		return io.EOF
	case c.err != nil:
		return c.err
	case c.state == Closed:
		return io.EOF
	}
	return nil
}

// Readable reports whether Read would return something other than 0 and nil.
func (c *Conn) Readable() bool { return c.in.len() > 0 || c.readError() != nil }

// Ended reports whether the peer has ended its side of the stream, though bytes
// that came before may still be unread.
func (c *Conn) Ended() bool { return c.is(finTaken) }

// Gap reports whether something came out of order, or twice, that the next
// acknowledgment is to tell. A shell that takes several segments before it
// drains Send should drain at once while there is one: a sender counts them.
func (c *Conn) Gap() bool { return !c.asm.empty() || c.asm.repeats() }

// Write takes bytes to be sent, as many as there is room for, perhaps none.
//
// What is written to a connection whose handshake is not [Conn.Confirmed] goes
// out early if Fast Open allows it.
func (c *Conn) Write(now time.Time, p []byte) (int, error) {
	if err := c.writeError(); err != nil {
		return 0, err
	}
	n := min(len(p), c.writeRoom())
	if n > 0 && c.is(outLent) {
		c.withdraw()
	}
	c.out.append(c.cfg.memory(), p[:n])
	return n, nil
}

func (c *Conn) writeError() error {
	switch {
	case c.err != nil:
		return c.err
	case c.is(writeClosed) || c.state == Closed:
		return ErrClosed
	}
	return nil
}

// writeRoom follows the congestion window, so that a slow path does not keep
// megabytes waiting: twice what could be in flight so far, as Linux's send buffer.
func (c *Conn) writeRoom() int {
	if !c.is(sendFixed) {
		c.snd.limit = max(c.snd.limit, 2*c.cc.cwnd, 64<<10)
	}
	return max(min(int(c.snd.limit), c.cfg.sendBuffer())-c.out.n, 0)
}

// Room is how many bytes Write would take now.
func (c *Conn) Room() int {
	if c.writeError() != nil {
		return 0
	}
	return c.writeRoom()
}

// Queued is how many bytes were written and are not acknowledged. Right after
// Dial, that is how many of the early bytes were taken.
func (c *Conn) Queued() int { return c.out.n }

// Writable reports whether Write would take a byte, or return an error.
func (c *Conn) Writable() bool { return c.writeError() != nil || c.writeRoom() > 0 }

// CloseWrite ends our side of the stream after what was written. Reading goes on.
func (c *Conn) CloseWrite(now time.Time) {
	if c.state == Closed || c.is(writeClosed) {
		return
	}
	c.set(writeClosed)
}

// CloseRead says that what comes will not be read. It is kept all the same, as in
// Linux, until our side of the stream has ended, too: then there is no connection for
// it any more, and it is answered by a reset as after Close.
func (c *Conn) CloseRead() { c.set(readClosed) }

// Close ends the connection in both directions: what was written is still sent,
// what comes is not read any more.
//
// "If such a host issues a CLOSE call while received data is still pending in
// TCP, or if new data is received after CLOSE is called, its TCP SHOULD send a
// RST to show that data was lost."
// https://www.rfc-editor.org/rfc/rfc1122#section-4.2.2.13
func (c *Conn) Close(now time.Time) {
	if c.is(closedByUser) {
		return
	}
	t := c.clock(now)
	c.set(closedByUser)
	c.detach()
	switch {
	case c.state == Closed:
		c.in.release(c.cfg.memory())
	case c.in.len() > 0:
		c.Abort(now)
	case c.state == SynSent && c.out.n == 0:
		c.fail(t, ErrAborted)
	default:
		// With data to send, also before the SYN is answered. RFC 9293
		// would throw it away there (section 3.10.4), but some of it may
		// have gone with the SYN and been delivered: the rest belongs to it.

		c.CloseWrite(now)
		c.waitForFin(t)
	}
}

// Abort ends the connection at once with a reset.
//
// "<SEQ=SND.NXT><CTL=RST>"
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.5
func (c *Conn) Abort(now time.Time) {
	t := c.clock(now)
	c.set(closedByUser)
	c.detach()
	switch c.state {
	case Closed:
	case SynSent, Closing, LastAck, TimeWait:
		c.fail(t, ErrAborted)
	default:
		c.fail(t, ErrAborted)
		c.due |= dueReset
	}
	c.in.release(c.cfg.memory())
}

// detach frees a connection that was accepted from its listener, unless that
// still counts it as pending.
func (c *Conn) detach() {
	if c.listener != nil && !c.is(counted) {
		c.listener = nil
	}
}

// SetNoDelay switches Nagle's algorithm: with true, small segments go out at once.
func (c *Conn) SetNoDelay(on bool) {
	c.clear(noDelay)
	if on {
		c.set(noDelay)
	}
}

// SetUserTimeout ends the connection when data stays unacknowledged for d, or its SYN
// unanswered; zero leaves it to Config.Retries and SYNRetries.
//
// https://www.rfc-editor.org/rfc/rfc5482
func (c *Conn) SetUserTimeout(d time.Duration) { c.userLimit = d }

// SetSYNRetries is Config.SYNRetries for a connection that is still being opened:
// how often its SYN is sent again from now on at most, those included that were.
func (c *Conn) SetSYNRetries(n int) {
	if c.dial != nil {
		c.dial.retries = max(n, 1)
	}
}

// SetReceiveBuffer fixes how many bytes are kept unread at most.
func (c *Conn) SetReceiveBuffer(n int) {
	most := max(c.cfg.receiveBuffer(), c.cfg.maxReceiveBuffer())
	c.rcv.limit = uint32(max(min(n, most), 1))
	c.rcv.tune.fixed = true
}

// SetSendBuffer fixes how many bytes Write keeps unsent and unacknowledged, below
// what the Config says.
func (c *Conn) SetSendBuffer(n int) {
	c.snd.limit = uint32(max(min(n, c.cfg.sendBuffer()), 1))
	c.set(sendFixed)
}
