package fastopen

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// read is Conn.Read while the connection is opening.
func (o *opening) read(c *Conn, b []byte) (int, error) {
	o.openUnlessWritten(c)
	for {
		tc := c.tc.Load()
		n, err := tc.Read(b)
		if err == nil {
			o.answered(c, tc)
			return n, nil
		}
		if err == io.EOF && !tc.unopened() {
			o.answered(c, tc)
			return n, err
		}
		if err = o.failure(c, tc, "read", err); err != nil {
			return n, err
		}
	}
}

// openUnlessWritten opens the connection without data if no Write comes
// within the Dialer's ReadWait.
func (o *opening) openUnlessWritten(c *Conn) {
	wait := o.dialing.ReadWait
	if wait == 0 {
		wait = 10 * time.Millisecond
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.phase != deferred || o.readWait != nil:
	case wait < 0:
		o.begin(c, nil)
	default:
		o.readWait = time.AfterFunc(wait, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.phase == deferred {
				o.begin(c, nil)
			}
		})
	}
}

// write is Conn.Write while the connection is opening.
func (o *opening) write(c *Conn, b []byte) (n int, err error) {
	o.writing.Lock()
	defer o.writing.Unlock()
	if len(b) == 0 {
		return 0, o.usable(c)
	}
	o.mu.Lock()
	o.inWrite = true
	if o.phase == deferred {
		n, err = o.begin(c, b)
	}
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.inWrite = false
		c.open.Store(o.phase == opened)
	}()
	if err != nil {
		return 0, o.opError(c.tc.Load(), "write", err)
	}
	if n == len(b) {
		return n, nil
	}
	tc, err := o.wait(c, "write")
	if err != nil {
		return n, err
	}
	m, err := tc.Write(b[n:])
	return n + m, err
}

// usable is Write of no bytes, which sends nothing.
func (o *opening) usable(c *Conn) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch o.phase {
	case failed:
		return o.err
	case closed:
		return o.opError(c.tc.Load(), "write", net.ErrClosed)
	}
	return nil
}

// wait waits for the end of the handshake, opening the connection first if
// need be, and returns its socket.
func (o *opening) wait(c *Conn, op string) (*socket, error) {
	o.mu.Lock()
	if o.phase == deferred {
		o.begin(c, nil)
	}
	o.mu.Unlock()
	for {
		tc := c.tc.Load()
		err := tc.Await(context.Background(), "write", answered)
		if err == nil {
			o.answered(c, tc)
			return tc, nil
		}
		if err = o.failure(c, tc, op, err); err != nil {
			return nil, err
		}
	}
}

// confirm is wait with a context, which takes a goroutine.
func (o *opening) confirm(ctx context.Context, c *Conn) error {
	done := make(chan error, 1)
	go func() {
		_, err := o.wait(c, "confirm")
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return o.opError(c.tc.Load(), "confirm", ctx.Err())
	}
}

// failure looks at an error that tc gave to op while the connection was
// opening. It returns nil if the caller shall try again, on what is c's
// socket then.
func (o *opening) failure(c *Conn, tc *socket, op string, err error) error {
	o.mu.Lock()
	switch {
	case c.tc.Load() != tc:
		o.mu.Unlock()
		return nil
	case o.phase == failed:
		o.mu.Unlock()
		return o.err
	case o.phase != syn || isDeadline(err) || !tc.unopened():
		o.mu.Unlock()
		return o.opError(tc, op, err)
	}
	if err == io.EOF {
		err = errReset // somebody else was told why
	}
	o.takeOver(c, err)
	o.mu.Unlock()
	// The race ends by closing tc, whoever wins.
	err = tc.Await(context.Background(), deadlineOf(op), tfo.Closed)
	if isDeadline(err) {
		return o.opError(tc, op, err)
	}
	return nil
}

// opError is what op on tc returns for err.
func (o *opening) opError(tc *socket, op string, err error) error {
	if err == io.EOF {
		return err
	}
	var nested *net.OpError
	if errors.As(err, &nested) {
		err = nested.Err
	}
	return &net.OpError{Op: op, Net: o.dialing.network, Source: tc.LocalAddr(), Addr: tc.RemoteAddr(), Err: err}
}

// setDeadlines is Conn.Set…Deadline while the connection is opening.
func (o *opening) setDeadlines(c *Conn, read, write *time.Time) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	tc := c.tc.Load()
	if read != nil {
		o.readBy, err = *read, tc.SetReadDeadline(*read)
	}
	if write != nil && err == nil {
		o.writeBy, err = *write, tc.SetWriteDeadline(*write)
	}
	return err
}

// set is Conn.set while the connection is opening.
func (o *opening) set(c *Conn, option func(NetworkConn) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	err := option(c.tc.Load())
	if err == nil {
		o.options = append(o.options, option)
	}
	return err
}

// close is Conn.Close while the connection is opening.
func (o *opening) close(c *Conn) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	tc := c.tc.Load()
	if o.phase <= syn {
		o.phase = closed
		o.stop()
	}
	return tc.Close()
}

// deadlineOf names the deadline that an operation waits with.
func deadlineOf(op string) string {
	if op == "read" {
		return op
	}
	return "write"
}
