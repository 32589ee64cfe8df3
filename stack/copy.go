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
		return nil, s.errno(err)
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
			n, err = 0, c.wrapLocked("write", s.errno(ferr))
		}
		s.letGo()
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
		k, err := c.take()
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, c.wrap("read", err)
		}
		m, err := c.pass(w, &k)
		n += m
		if err != nil {
			return n, err
		}
	}
}

// take waits for what comes, and takes it out of the receive buffer.
func (c *Conn) take() (k tcp.Taken, err error) {
	s, t := (*Socket)(c), c.host.shell
	now := t.lock()
	defer t.unlock()
	for {
		if err := c.usable(now, true); err != nil {
			return k, err
		}
		s.flags &^= errorTaken
		if k, err = s.take(now); err != syscall.EAGAIN {
			return k, err
		}
		now = t.wait(&s.blocked, true)
	}
}

func (s *Socket) take(now time.Time) (tcp.Taken, error) {
	if err := s.receivable(); err != nil {
		return tcp.Taken{}, err
	}
	k, ok := s.conn.Take(now)
	if !ok {
		return k, s.nothing(nil)
	}
	s.host.touch(s)
	s.host.settle(now)
	return k, nil
}

// pass writes what was taken, and gives it back.
func (c *Conn) pass(w io.Writer, k *tcp.Taken) (n int64, err error) {
	t := c.host.shell
	defer func() { // also if w panics
		t.lock()
		k.Return()
		t.unlock()
	}()
	for p := k.Next(); len(p) > 0; p = k.Next() {
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
