package stack

import (
	"io"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
)

// copySize is how much ReadFrom asks for at once.
const copySize = 64 << 10

// ReadFrom implements [io.ReaderFrom]: what r gives is sent, up to its end. It is
// read right into the send buffer.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	for {
		room, err := c.lend(copySize)
		if err != nil {
			return n, c.wrap("write", err)
		}
		m, rerr := c.fill(r, room)
		n += int64(m)
		switch {
		case rerr == io.EOF:
			return n, nil
		case rerr != nil:
			return n, rerr
		}
	}
}

// lend waits for room in the send buffer.
func (c *Conn) lend(n int) (room []byte, err error) {
	s, t := (*Socket)(c), c.host.shell
	now := t.lock()
	defer t.unlock()
	for {
		if err := c.usable(now, false); err != nil {
			return nil, err
		}
		s.flags &^= errorTaken
		if room, err = s.lend(n); err != syscall.EAGAIN {
			return room, err
		}
		now = t.wait(&s.blocked, false)
	}
}

// lend is Send, with room for the caller to fill.
func (s *Socket) lend(n int) ([]byte, error) {
	// An empty Send says what is wrong, if something is.
	if s.flags&putOff != 0 {
		return nil, syscall.EAGAIN
	}
	if s.conn != nil && s.conn.State() == tcp.SynSent && !s.hasError() {
		s.flags |= noSpace
		return nil, syscall.EAGAIN
	}
	if _, err := s.Send(s.host.now, nil); err != nil {
		return nil, err
	}
	room, err := s.conn.Lend(n)
	switch {
	case err != nil:
		return nil, errno(err)
	case room == nil:
		s.flags |= noSpace
		return nil, syscall.EAGAIN
	}
	return room, nil
}

// fill reads into the room that was lent, and sends what has come.
func (c *Conn) fill(r io.Reader, room []byte) (n int, err error) {
	s, t := (*Socket)(c), c.host.shell
	defer func() { // also if r panics
		now := t.lock()
		if ferr := s.conn.Fill(now, n); ferr != nil && n > 0 {
			n, err = 0, c.wrapLocked("write", errno(ferr))
		}
		s.host.touch(s)
		s.host.settle(now)
		t.unlock()
	}()
	return r.Read(room)
}

// WriteTo implements [io.WriterTo]: what comes is written to w, up to the end of the
// stream, right out of the receive buffer.
func (c *Conn) WriteTo(w io.Writer) (n int64, err error) {
	for {
		a, b, block, err := c.take()
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, c.wrap("read", err)
		}
		m, err := c.pass(w, a, b, block)
		n += m
		if err != nil {
			return n, err
		}
	}
}

// take waits for what comes, and takes it with the block it is in.
func (c *Conn) take() (a, b, block []byte, err error) {
	s, t := (*Socket)(c), c.host.shell
	now := t.lock()
	defer t.unlock()
	for {
		if err := c.usable(now, true); err != nil {
			return nil, nil, nil, err
		}
		s.flags &^= errorTaken
		if a, b, block, err = s.take(now); err != syscall.EAGAIN {
			return a, b, block, err
		}
		now = t.wait(&s.blocked, true)
	}
}

func (s *Socket) take(now time.Time) (a, b, block []byte, err error) {
	if err := s.receivable(); err != nil {
		return nil, nil, nil, err
	}
	if a, b, block = s.conn.Take(now); block == nil {
		n := min(s.Unread(), copySize)
		if n == 0 {
			return nil, nil, nil, s.nothing(nil)
		}
		// Something is missing behind it: the block is still in use.
		block = s.host.memory.Get(max(n, 64))
		n, _ = s.conn.Read(now, block[:n])
		a = block[:n]
	}
	s.host.touch(s)
	s.host.settle(now)
	return a, b, block, nil
}

// pass writes what was taken, and gives the block back.
func (c *Conn) pass(w io.Writer, a, b, block []byte) (n int64, err error) {
	t := c.host.shell
	defer func() {
		t.lock()
		t.host.memory.Put(block)
		t.unlock()
	}()
	for _, p := range [...][]byte{a, b} {
		if len(p) == 0 {
			continue
		}
		m, err := w.Write(p)
		n += int64(m)
		if err == nil && m < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
