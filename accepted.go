package fastopen

import (
	"context"
	"encoding/binary"
	"errors"
	"net"

	"github.com/fastopen-go/fastopen/internal/sockopt"
	"github.com/fastopen-go/fastopen/tfo"
)

// ErrUnconfirmed is the error of [Conn.Confirmed] on a connection that died
// before its handshake was done: what came early on it may be the echo of a
// SYN from long ago, or forged.
var ErrUnconfirmed = errors.New("the handshake was never finished, so the early data may be a repetition or forged")

// accepted is what an accepted connection knows of how it began.
type accepted struct {
	out   tfo.Outcome
	early bool
}

func newAccepted(tc *net.TCPConn) *accepted {
	a := &accepted{out: tfo.Outcome{Passive: true}}
	info, err := inspect(tc)
	if err != nil {
		return a
	}
	var buf [128]byte // two headers with all their options
	n := 0
	_ = onSocket(tc, func(fd uintptr) (err error) {
		n, err = sockopt.SavedSYN(fd, buf[:])
		return err
	})
	option, spoke, size := readSYN(buf[:n])
	if n == 0 {
		size = int(info.Received)
	}
	a.early = info.SynData
	switch {
	case info.SynData:
		a.out.Status, a.out.Sent, a.out.Wanted = tfo.DataAccepted, size, size
	case info.Child:
		a.out.Cause = tfo.NoData
	case spoke && option.IsRequest():
		a.out.Status = tfo.CookieRequested
	case spoke:
		a.out.Status, a.out.Cause, a.out.Wanted = tfo.FellBack, tfo.Unacknowledged, size
	}
	return a
}

// outcome returns what came of Fast Open, with the round-trip time of now.
func (a *accepted) outcome(tc *net.TCPConn) tfo.Outcome {
	o := a.out
	if info, err := inspect(tc); err == nil {
		o.RTT = info.RTT
	}
	return o
}

// readSYN reads the Fast Open option, and how much data there was, from the
// IP and TCP headers of a SYN.
func readSYN(h []byte) (option tfo.Option, ok bool, data int) {
	var ip, total int
	switch {
	case len(h) >= 20 && h[0]>>4 == 4:
		ip, total = int(h[0]&15)*4, int(binary.BigEndian.Uint16(h[2:]))
	case len(h) >= 40 && h[0]>>4 == 6:
		ip, total = 40, 40+int(binary.BigEndian.Uint16(h[4:]))
	}
	if ip == 0 || len(h) < ip+20 {
		return option, false, 0
	}
	tcp := h[ip:]
	end := int(tcp[12]>>4) * 4
	if end < 20 || end > len(tcp) {
		return option, false, 0
	}
	option, ok = tfo.ParseOption(tcp[20:end])
	return option, ok, max(total-ip-end, 0)
}

// Early reports whether the first bytes of an accepted connection came in
// its SYN. Until the handshake is confirmed they may be a repetition of a
// SYN that was served before (RFC 7413, section 2.1), so a server should not
// do with them what must not be done twice: see [Conn.Confirmed]. It is
// false on dialed connections.
func (c *Conn) Early() bool { return c.accepted != nil && c.accepted.early }

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
	info, err := await(ctx, tc, func(i sockopt.Info) bool {
		return i.State != sockopt.SynSent && i.State != sockopt.SynReceived
	})
	if err == nil && info.State == sockopt.Dead && !info.Answered {
		err = ErrUnconfirmed
	}
	if err != nil {
		return &net.OpError{Op: "confirm", Net: "tcp", Source: tc.LocalAddr(), Addr: tc.RemoteAddr(), Err: err}
	}
	return nil
}
