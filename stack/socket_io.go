package stack

import (
	"io"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
)

// Send takes bytes to be sent, and returns how many: EAGAIN if none now, EPIPE if
// none ever.
//
// On a connection that was put off, the first Send opens it, with as much of p in
// its SYN as fits. Those bytes can reach the peer's application twice.
func (s *Socket) Send(now time.Time, p []byte) (int, error) {
	switch {
	case s.flags&closed != 0:
		return 0, syscall.EBADF
	case s.flags&putOff != 0:
		if s.flags&shutWrite != 0 {
			return 0, syscall.EPIPE
		}
		s.flags &^= putOff
		return s.openWith(now, s.ext.remote, s.ext.mode, p)
	}
	if err := s.takeError(); err != nil {
		return 0, err
	}
	switch {
	case s.conn == nil, s.flags&shutWrite != 0, s.conn.State() == tcp.Closed:
		return 0, syscall.EPIPE
	case s.opening():
		s.flags |= noSpace
		return 0, syscall.EAGAIN
	}
	n, err := s.conn.Write(now, p)
	if err != nil {
		return 0, s.errno(err)
	}
	if n < len(p) {
		s.flags |= noSpace
	}
	if n > 0 {
		s.host.touch(s)
		s.host.settle(now)
	} else if len(p) > 0 {
		return 0, syscall.EAGAIN
	}
	return n, nil
}

// opening reports whether nothing can be sent yet: our SYN was not answered.
func (s *Socket) opening() bool {
	state := s.conn.State()
	return state == tcp.SynSent || state == tcp.SynReceived && s.flags&passive == 0
}

// Receive takes bytes that have come: EAGAIN if there are none yet, io.EOF at the
// end of the stream, ENOTCONN without a connection. What ended the connection is
// returned once, after the bytes that came before it.
func (s *Socket) Receive(now time.Time, p []byte) (int, error) {
	if err := s.receivable(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := s.conn.Read(now, p)
	if n > 0 {
		s.host.touch(s)
		s.host.settle(now)
		return n, nil
	}
	return 0, s.nothing(err)
}

// Peek copies bytes that have come and leaves them to be received.
func (s *Socket) Peek(p []byte) (int, error) {
	if err := s.receivable(); err != nil {
		return 0, err
	}
	n := s.conn.Peek(p)
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	return 0, s.nothing(nil)
}

func (s *Socket) receivable() error {
	switch {
	case s.flags&closed != 0:
		return syscall.EBADF
	case s.flags&putOff != 0:
		return syscall.EAGAIN
	case s.conn == nil:
		if err := s.takeError(); err != nil {
			return err
		}
		return syscall.ENOTCONN
	}
	return nil
}

// nothing says why there is nothing to receive.
func (s *Socket) nothing(err error) error {
	c := s.conn
	if c.Ended() || err == io.EOF {
		// A reset after the peer's FIN is not the reader's concern.
		return io.EOF
	}
	if err := s.takeError(); err != nil {
		return err
	}
	switch {
	case s.flags&shutRead != 0, c.State() == tcp.Closed:
		return io.EOF
	}
	return syscall.EAGAIN
}

// Which side Shutdown ends.
const (
	ShutRead  = 1 << iota // SHUT_RD
	ShutWrite             // SHUT_WR
)

// Shutdown ends one side of the connection, or both: ENOTCONN without one. Reading
// gives what has come, and then the end; writing ends with a FIN behind what was
// sent. What comes when both have ended is answered by a reset. On a listener, ShutRead
// puts an end to listening, and on a socket that connects, both put an end to that, as
// Disconnect does.
func (s *Socket) Shutdown(now time.Time, how int) error {
	switch {
	case s.flags&closed != 0:
		return syscall.EBADF
	case how&^(ShutRead|ShutWrite) != 0 || how == 0:
		return syscall.EINVAL
	case s.ext != nil && s.ext.listener != nil:
		if how&ShutRead != 0 {
			s.stopListening(now)
			s.rouse()
			s.host.settle(now)
		}
		return nil
	case s.flags&putOff != 0:
		return s.Disconnect(now)
	case s.over():
		return syscall.ENOTCONN
	case s.conn.State() == tcp.SynSent:
		return s.Disconnect(now)
	}
	s.flags |= connected // for Connect, too
	if how&ShutRead != 0 {
		s.flags |= shutRead
		s.conn.CloseRead()
	}
	if how&ShutWrite != 0 {
		s.flags |= shutWrite
		s.conn.CloseWrite(now)
	}
	s.rouse()
	s.host.touch(s)
	s.host.settle(now)
	return nil
}

// PendingError is what has gone wrong and was not told yet, and then forgets it
// (SO_ERROR); nil if nothing has.
func (s *Socket) PendingError() error {
	if err := s.takeError(); err != nil {
		return err
	}
	if s.flags&softError != 0 {
		s.flags &^= softError
		return errnoOf(s.conn.Soft(), s.conn.Remote().Addr())
	}
	return nil
}

// hasError reports whether there is an error that was not told.
func (s *Socket) hasError() bool {
	return s.flags&disconnected != 0 || s.conn != nil && s.flags&errorTaken == 0 && s.conn.Err() != nil
}

// takeError returns what ended the connection, once.
func (s *Socket) takeError() error {
	if !s.hasError() {
		return nil
	}
	if s.flags&disconnected != 0 {
		s.flags &^= disconnected
		return syscall.ECONNRESET
	}
	s.flags |= errorTaken
	e := s.errno(s.conn.Err())
	if e == syscall.ECONNRESET && s.conn.Ended() && s.flags&shutWrite == 0 {
		// The peer had said that it would send no more: what it refuses
		// is our sending.
		e = syscall.EPIPE
	}
	return e
}

// writable reports whether there is room worth telling of: a third of the buffer,
// as in Linux, so that a writer is not woken for every segment.
func (s *Socket) writable() bool {
	return 2*s.conn.Room() >= s.conn.Queued()
}
