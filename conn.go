package fastopen

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// A Conn is a TCP connection that was dialed by a [Dialer] or accepted by a
// [Listener]. It keeps every promise of [net.Conn], also where its SYN has
// not left yet: deadlines work, a Read opens the connection if no Write
// comes (see [Dialer.ReadWait]), CloseWrite and Close deliver what was
// written, and a server that cannot be reached is reported as a dial would
// report it.
//
// Only these differ from a [net.TCPConn]: CloseWrite and CloseRead wait for
// the handshake where it is not done, LocalAddr and RemoteAddr can change
// once, if the opening ends with another attempt than it began with, and
// bytes that were written in the last round trip before the process exits
// are lost if the handshake was not done, even when Close was called.
type Conn struct {
	tc   atomic.Pointer[socket] // changes at most once, while opening
	open atomic.Bool            // the handshake is done and no first Write is in progress

	opening  *opening  // nil unless the connection was put off
	dialed   *dialed   // nil if accepted
	accepted *accepted // nil if dialed
}

var (
	_ net.Conn      = (*Conn)(nil)
	_ io.ReaderFrom = (*Conn)(nil)
	_ io.WriterTo   = (*Conn)(nil)
	_ syscall.Conn  = (*Conn)(nil)
)

// Read implements [net.Conn]. On a connection that was put off, it waits for
// [Dialer.ReadWait] for a Write to come and then opens the connection.
func (c *Conn) Read(b []byte) (int, error) {
	if c.open.Load() {
		return c.tc.Load().Read(b)
	}
	return c.opening.read(c, b)
}

// Write implements [net.Conn]. The first Write to a connection that was put
// off sends the SYN. As long as the handshake is not done, only what rode in
// the SYN is taken at once; more than that waits for the SYN-ACK.
func (c *Conn) Write(b []byte) (int, error) {
	if c.open.Load() {
		return c.tc.Load().Write(b)
	}
	return c.opening.write(c, b)
}

// Close implements [net.Conn]. A connection that was put off and never used
// closes without having sent anything.
func (c *Conn) Close() error {
	c.note()
	if c.open.Load() {
		return c.tc.Load().Close()
	}
	return c.opening.close(c)
}

// CloseWrite shuts down the writing side, as [net.TCPConn.CloseWrite].
func (c *Conn) CloseWrite() error {
	return c.whenOpen("close", NetworkConn.CloseWrite)
}

// CloseRead shuts down the reading side, as [net.TCPConn.CloseRead].
func (c *Conn) CloseRead() error {
	return c.whenOpen("close", NetworkConn.CloseRead)
}

// LocalAddr implements [net.Conn].
func (c *Conn) LocalAddr() net.Addr { return c.tc.Load().LocalAddr() }

// RemoteAddr implements [net.Conn].
func (c *Conn) RemoteAddr() net.Addr { return c.tc.Load().RemoteAddr() }

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	if c.open.Load() {
		return c.tc.Load().SetDeadline(t)
	}
	return c.opening.setDeadlines(c, &t, &t)
}

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error {
	if c.open.Load() {
		return c.tc.Load().SetReadDeadline(t)
	}
	return c.opening.setDeadlines(c, &t, nil)
}

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if c.open.Load() {
		return c.tc.Load().SetWriteDeadline(t)
	}
	return c.opening.setDeadlines(c, nil, &t)
}

// SetLinger, and the setters that follow, are those of [net.TCPConn].
func (c *Conn) SetLinger(sec int) error {
	return c.set(func(tc NetworkConn) error { return tc.SetLinger(sec) })
}

func (c *Conn) SetNoDelay(on bool) error {
	return c.set(func(tc NetworkConn) error { return tc.SetNoDelay(on) })
}

func (c *Conn) SetKeepAlive(on bool) error {
	return c.set(func(tc NetworkConn) error { return tc.SetKeepAlive(on) })
}

func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.set(func(tc NetworkConn) error { return tc.SetKeepAlivePeriod(d) })
}

func (c *Conn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	return c.set(func(tc NetworkConn) error { return tc.SetKeepAliveConfig(config) })
}

func (c *Conn) SetReadBuffer(bytes int) error {
	return c.set(func(tc NetworkConn) error { return tc.SetReadBuffer(bytes) })
}

func (c *Conn) SetWriteBuffer(bytes int) error {
	return c.set(func(tc NetworkConn) error { return tc.SetWriteBuffer(bytes) })
}

// set applies a socket option now, and again to the socket that takes over
// if another attempt ends the opening.
func (c *Conn) set(option func(NetworkConn) error) error {
	if c.open.Load() {
		return option(c.tc.Load())
	}
	return c.opening.set(c, option)
}

// whenOpen calls f as soon as the handshake is done.
func (c *Conn) whenOpen(op string, f func(NetworkConn) error) error {
	if c.open.Load() {
		return f(c.tc.Load())
	}
	tc, err := c.opening.wait(c, op)
	if err != nil {
		return err
	}
	return f(tc)
}

// SyscallConn implements [syscall.Conn]. Options set through it before the
// first Read or Write hold for that socket only; see the type's comment. A
// connection of a [Network] that has no descriptors has none either
// ([errors.ErrUnsupported]).
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.tc.Load().SyscallConn() }

// MultipathTCP reports whether the connection uses Multipath TCP, as
// [net.TCPConn.MultipathTCP].
func (c *Conn) MultipathTCP() (bool, error) { return c.tc.Load().MultipathTCP() }

// ReadFrom implements [io.ReaderFrom], with splice(2) or sendfile(2) where
// [net.TCPConn.ReadFrom] uses them.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	n, open, err := c.copyWhileOpening(c, r)
	if !open {
		return n, err
	}
	m, err := c.tc.Load().ReadFrom(r)
	return n + m, err
}

// WriteTo implements [io.WriterTo], with splice(2) where
// [net.TCPConn.WriteTo] uses it.
func (c *Conn) WriteTo(w io.Writer) (n int64, err error) {
	n, open, err := c.copyWhileOpening(w, c)
	if !open {
		return n, err
	}
	m, err := c.tc.Load().WriteTo(w)
	return n + m, err
}

// copyWhileOpening copies from r to w, of which c is one, until c is open. If
// that does not come to pass, err is the end of the copy.
func (c *Conn) copyWhileOpening(w io.Writer, r io.Reader) (n int64, open bool, err error) {
	var buf []byte
	for !c.open.Load() {
		if buf == nil {
			buf = make([]byte, 4096)
		}
		m, rerr := r.Read(buf)
		if m > 0 {
			m, err = w.Write(buf[:m])
			n += int64(m)
		}
		switch {
		case err != nil:
			return n, false, err
		case rerr == io.EOF:
			return n, false, nil
		case rerr != nil:
			return n, false, rerr
		}
	}
	return n, true, nil
}

// Outcome says what came of Fast Open on this connection, as far as is known
// by now: [tfo.DataSent] turns into a later Status with the SYN-ACK. After
// Close it is what was known then.
func (c *Conn) Outcome() tfo.Outcome { return c.note() }

// note brings the Outcome up to date.
func (c *Conn) note() tfo.Outcome {
	if c.accepted != nil {
		return c.accepted.outcome(c.tc.Load())
	}
	return c.dialed.note(c.tc.Load())
}
