package fastopen

import (
	"context"
	"errors"
	"net"

	"github.com/fastopen-go/fastopen/tfo"
)

// ErrUnconfirmed is the error of [Conn.Confirmed] on a connection that died
// before its handshake was done: what came early on it may be the echo of a
// SYN from long ago, or forged.
var ErrUnconfirmed = errors.New("the handshake was never finished, so the early data may be a repetition or forged")

// accepted is what an accepted connection knows of how it began.
type accepted struct{ out tfo.Outcome }

// outcome returns what came of Fast Open, with the round-trip time of now.
func (a *accepted) outcome(tc *socket) tfo.Outcome {
	o := a.out
	if h := tc.Handshake(); h.Stage != tfo.Closed {
		o.RTT = h.Outcome.RTT
	}
	return o
}

// Early reports whether the first bytes of an accepted connection came in
// its SYN. Until the handshake is confirmed they may be a repetition of a
// SYN that was served before (RFC 7413, section 2.1), so a server should not
// do with them what must not be done twice: see [Conn.Confirmed]. It is
// false on dialed connections.
func (c *Conn) Early() bool { return c.accepted != nil && c.accepted.out.Status == tfo.DataAccepted }

// Confirmed returns nil as soon as the handshake of a connection is done:
// the peer is where it says it is, and its SYN was no repetition. On an
// accepted connection with early data that takes a round trip, within which
// Read and Write work already; on every other connection the answer is there
// at once, and on a dialed one that was put off, Confirmed opens it.
//
// It returns [ErrUnconfirmed] if the connection has died before that, or
// ctx's error. Concurrent Reads and Writes are not disturbed.
func (c *Conn) Confirmed(ctx context.Context) error {
	if !c.open.Load() {
		if err := c.opening.confirm(ctx, c); err != nil {
			return err
		}
	}
	tc := c.tc.Load()
	err := tc.Await(ctx, "", tfo.Confirmed)
	if err != nil {
		if h := tc.Handshake(); h.Dead && h.Stage < tfo.Confirmed {
			err = ErrUnconfirmed
		}
	}
	if err != nil {
		return &net.OpError{Op: "confirm", Net: "tcp", Source: tc.LocalAddr(), Addr: tc.RemoteAddr(), Err: err}
	}
	return nil
}
