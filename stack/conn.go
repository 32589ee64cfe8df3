package stack

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// A Conn is a TCP connection of a [Stack]. It is to a Go program what a
// [net.TCPConn] is. (It is a [Socket] of the stack's Host that waits; that one has
// no methods to share.)
type Conn Socket

var (
	_ net.Conn      = (*Conn)(nil)
	_ io.ReaderFrom = (*Conn)(nil)
	_ io.WriterTo   = (*Conn)(nil)
)

// ErrUnconfirmed is the error of [Conn.Confirmed] on a connection that died before
// its handshake was done: what came early on it may be the echo of a SYN from long
// ago, or forged.
var ErrUnconfirmed = errors.New("the handshake was never finished, so the early data may be a repetition or forged")

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (n int, err error) {
	s, t := (*Socket)(c), c.host.shell
	now := t.lock()
	for {
		if err = c.usable(now, true); err != nil {
			break
		}
		s.flags &^= errorTaken
		if n, err = s.Receive(now, p); err != syscall.EAGAIN {
			break
		}
		now = t.wait(&s.blocked, true)
	}
	t.unlock()
	if err != nil {
		err = c.wrap("read", err)
	}
	return n, err
}

// Write implements [net.Conn]. It returns when everything is in the send buffer.
func (c *Conn) Write(p []byte) (n int, err error) {
	s, t := (*Socket)(c), c.host.shell
	now := t.lock()
	for {
		if err = c.usable(now, false); err != nil {
			break
		}
		s.flags &^= errorTaken
		var m int
		m, err = c.send(now, p[n:])
		n += m
		if n == len(p) && err == nil || err != nil && err != syscall.EAGAIN {
			break
		}
		now = t.wait(&s.blocked, false)
	}
	t.unlock()
	if err != nil {
		err = c.wrap("write", err)
	}
	return n, err
}

// send is Send for a connection that may not be open yet: nothing that is written
// goes into its SYN.
func (c *Conn) send(now time.Time, p []byte) (int, error) {
	s := (*Socket)(c)
	if s.flags&putOff != 0 {
		return 0, syscall.EAGAIN
	}
	return s.Send(now, p)
}

// usable says why nothing can be done, if so.
func (c *Conn) usable(now time.Time, read bool) error {
	t := c.host.shell
	switch {
	case c.flags&closed != 0 || t.closed:
		return net.ErrClosed
	case c.blocked == nil:
		return nil
	}
	d := &c.blocked.writeBy
	if read {
		d = &c.blocked.readBy
	}
	if d.over(t.host.clock(now)) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Close implements [net.Conn]. What was written is delivered, in the background,
// also if the handshake is not done yet; a connection with data unread, or with
// SetLinger(0), is reset.
func (c *Conn) Close() error {
	s, t := (*Socket)(c), c.host.shell
	now := t.lock()
	if s.flags&closed != 0 || t.closed {
		// With its stack a connection is closed, but what it has not read
		// is kept until now if its peer had ended it before.
		_ = s.close(now, true)
		t.unlock()
		return c.wrap("close", net.ErrClosed)
	}
	_ = s.close(now, true)
	if s.blocked != nil {
		s.blocked.wakeAll()
		s.blocked.readBy.set, s.blocked.writeBy.set = false, false
		t.unblock(&s.blocked)
	}
	t.unlock()
	return nil
}

// CloseWrite ends the stream that is sent, behind what was written.
func (c *Conn) CloseWrite() error { return c.shutdown(ShutWrite) }

// CloseRead ends the stream that is read, as of [net.TCPConn]: what comes is not waited
// for, and answered by a reset once the other stream has ended, too.
func (c *Conn) CloseRead() error { return c.shutdown(ShutRead) }

func (c *Conn) shutdown(how int) error {
	return c.do("close", func(now time.Time, s *Socket) error {
		if s.conn != nil && s.conn.State() == tcp.SynSent {
			// Not to be thrown away, as Shutdown would.
			if how&ShutRead != 0 {
				s.conn.CloseRead()
				s.flags |= shutRead
			}
			if how&ShutWrite != 0 {
				s.conn.CloseWrite(now)
				s.flags |= shutWrite
			}
			return nil
		}
		err := s.Shutdown(now, how)
		s.flags &^= disconnected
		return err
	})
}

// do does something to the socket that does not wait.
func (c *Conn) do(op string, f func(now time.Time, s *Socket) error) error {
	t := c.host.shell
	now := t.lock()
	err := error(net.ErrClosed)
	if c.flags&closed == 0 && !t.closed {
		err = f(now, (*Socket)(c))
	}
	t.unlock()
	if err != nil {
		err = c.wrap(op, err)
	}
	return err
}

// LocalAddr implements [net.Conn].
func (c *Conn) LocalAddr() net.Addr {
	t := c.host.shell
	t.lock()
	defer t.unlock()
	return c.localAddr()
}

func (c *Conn) localAddr() net.Addr { return net.TCPAddrFromAddrPort((*Socket)(c).Local()) }

// RemoteAddr implements [net.Conn].
func (c *Conn) RemoteAddr() net.Addr {
	t := c.host.shell
	t.lock()
	defer t.unlock()
	return c.remoteAddr()
}

func (c *Conn) remoteAddr() net.Addr {
	switch {
	case c.conn != nil:
		return net.TCPAddrFromAddrPort(c.conn.Remote())
	case c.past != nil:
		return net.TCPAddrFromAddrPort(c.past.remoteAddr())
	case c.ext != nil:
		return net.TCPAddrFromAddrPort(c.ext.remote)
	}
	return (*net.TCPAddr)(nil)
}

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(when time.Time) error { return c.setDeadlines(when, true, true) }

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(when time.Time) error { return c.setDeadlines(when, true, false) }

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(when time.Time) error { return c.setDeadlines(when, false, true) }

func (c *Conn) setDeadlines(when time.Time, read, write bool) error {
	return c.do("set", func(_ time.Time, s *Socket) error {
		t := s.host.shell
		if read {
			t.setDeadline(&s.blocked, &t.block(&s.blocked).readBy, when)
		}
		if write {
			t.setDeadline(&s.blocked, &t.block(&s.blocked).writeBy, when)
		}
		return nil
	})
}

// Outcome tells what Fast Open did for the connection so far.
func (c *Conn) Outcome() (o tfo.Outcome) {
	c.host.shell.Do(func(time.Time, *Host) { o = (*Socket)(c).Outcome() })
	return o
}

// Info tells how the connection does: see [Socket.Info].
func (c *Conn) Info() (i Info) {
	c.host.shell.Do(func(time.Time, *Host) { i = (*Socket)(c).Info() })
	return i
}

// Early reports whether the first bytes of an accepted connection came in its SYN.
// Until the handshake is confirmed they may be a repetition: see [Conn.Confirmed].
func (c *Conn) Early() bool {
	o := c.Outcome()
	return o.Passive && o.Status == tfo.DataAccepted
}

// Confirmed returns nil as soon as the handshake is done. It returns
// [ErrUnconfirmed] if the connection has died before, or ctx's error.
func (c *Conn) Confirmed(ctx context.Context) error {
	err := c.await(ctx, "", tfo.Confirmed)
	if err != nil && c.Handshake().Dead {
		err = ErrUnconfirmed
	}
	if err != nil {
		err = c.wrap("confirm", err)
	}
	return err
}

// wrap makes an error what package net would make of it.
func (c *Conn) wrap(op string, err error) error {
	if err == io.EOF {
		return err
	}
	t := c.host.shell
	t.lock()
	defer t.unlock()
	return c.wrapLocked(op, err)
}

// wrapLocked is wrap for who has the lock.
func (c *Conn) wrapLocked(op string, err error) error {
	if e, ok := err.(syscall.Errno); ok {
		call := op
		if op == "dial" {
			call = "connect"
		}
		err = os.NewSyscallError(call, e)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.localAddr(), Addr: c.remoteAddr(), Err: err}
}
