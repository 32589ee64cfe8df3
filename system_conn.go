package fastopen

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/fastopen-go/fastopen/internal/sockopt"
	"github.com/fastopen-go/fastopen/tfo"
)

// A sysConn is a connection of the operating system, which tells of its
// beginning as every Network's does.
type sysConn struct {
	*net.TCPConn
	start   tfo.Outcome  // what was known when the connection was made; of an accepted one, all
	asked   bool         // dialed, and speaks of Fast Open
	putOff  bool         // connect was put off
	sent    atomic.Int32 // bytes in the SYN; -1 as long as it is put off
	discard atomic.Bool  // by SetLinger(0)
}

var _ NetworkConn = (*sysConn)(nil)

// newDialed makes a sysConn of what has come of attempt a.
func newDialed(tc *net.TCPConn, a *attempt) *sysConn {
	c := &sysConn{TCPConn: tc, start: a.out, asked: a.asked}
	c.sent.Store(int32(a.out.Sent))
	if a.asked {
		if info, err := inspect(tc); err == nil && info.State == sockopt.SynSent {
			c.putOff = true
			c.sent.Store(-1)
		}
	}
	return c
}

// Begin implements [NetworkConn].
func (c *sysConn) Begin(early []byte) (n int, err error) {
	err = onSocket(c.TCPConn, func(fd uintptr) error {
		n, err = sockopt.SendSYN(fd, early)
		return err
	})
	c.sent.Store(int32(n))
	return n, err
}

// Handshake implements [NetworkConn].
func (c *sysConn) Handshake() tfo.Handshake {
	info, err := inspect(c.TCPConn)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		// A system that tells no states has no connections in the middle of
		// their handshake either.
		return tfo.Handshake{Stage: tfo.Confirmed, Outcome: c.start}
	case err != nil:
		return tfo.Handshake{Stage: tfo.Closed, Outcome: c.start}
	}
	return c.tell(info)
}

// tell puts what the operating system tells into a Network's words.
func (c *sysConn) tell(info sockopt.Info) tfo.Handshake {
	h := tfo.Handshake{
		Stage:   c.stage(info),
		PutOff:  c.sent.Load() < 0,
		Dead:    info.State == sockopt.Dead,
		Resent:  info.Retrans > 0,
		Outcome: c.start,
	}
	if c.asked {
		h.Outcome = c.outcome(h.Stage, info)
	}
	h.Outcome.RTT = info.RTT
	return h
}

// stage is how far the handshake is.
func (c *sysConn) stage(i sockopt.Info) tfo.Stage {
	switch {
	case i.State == sockopt.SynSent, i.State == sockopt.Dead && !i.Answered && !c.start.Passive:
		return tfo.Unanswered
	case i.State == sockopt.SynReceived, i.State == sockopt.Dead && !i.Answered:
		return tfo.Unconfirmed
	}
	return tfo.Confirmed
}

// outcome is what came of a SYN that spoke of Fast Open.
func (c *sysConn) outcome(s tfo.Stage, i sockopt.Info) tfo.Outcome {
	o := tfo.Outcome{Sent: int(max(c.sent.Load(), 0))}
	switch {
	case s == tfo.Unanswered && o.Sent > 0:
		o.Status = tfo.DataSent
	case s == tfo.Unanswered:
	case i.Failure == sockopt.Untold:
		o.Status, o.Cause = c.start.Status, tfo.Untold
	case o.Sent > 0 && i.SynData && i.Received == 0 && i.Backoff >= 3:
		o.Status, o.Cause = tfo.FellBack, tfo.BlackHole
	case o.Sent > 0 && i.SynData:
		o.Status = tfo.DataAccepted
	case o.Sent > 0 && i.Failure == sockopt.SynRetransmits:
		o.Status, o.Cause = tfo.FellBack, tfo.Lost
	case o.Sent > 0:
		o.Status, o.Cause = tfo.FellBack, tfo.Unacknowledged
	case c.putOff:
		o.Cause = tfo.NoData
	case i.Failure == sockopt.NoFailure:
		o.Cause = tfo.Paused
	case i.Failure == sockopt.NoRoom:
		o.Cause = tfo.NoRoom
	default:
		o.Status = tfo.CookieRequested
	}
	return o
}

// Await implements [NetworkConn]. ctx counts only if op is empty.
func (c *sysConn) Await(ctx context.Context, op string, stage tfo.Stage) (err error) {
	var last sockopt.Info
	until := func(i sockopt.Info) bool {
		last = i
		return i.State == sockopt.Dead && stage != tfo.Closed || c.stage(i) >= stage
	}
	if op == "" {
		last, err = await(ctx, c.TCPConn, until)
	} else {
		err = park(c.TCPConn, op, until)
	}
	if err == nil && c.stage(last) < stage {
		err = c.death()
	}
	return err
}

// death returns what killed c before its handshake was done. An accepted
// connection's error is left to those who read and write.
func (c *sysConn) death() error {
	if !c.start.Passive {
		if err := onSocket(c.TCPConn, sockopt.TakeError); err != nil {
			return err
		}
	}
	return errReset
}

// SetLinger implements [NetworkConn].
func (c *sysConn) SetLinger(sec int) error {
	c.discard.Store(sec == 0)
	return c.TCPConn.SetLinger(sec)
}

// Close implements [NetworkConn].
func (c *sysConn) Close() error {
	if c.putOff && c.sent.Load() > 0 && !c.discard.Load() {
		if info, err := inspect(c.TCPConn); err == nil && info.State == sockopt.SynSent {
			finish(c.TCPConn)
		}
	}
	return c.TCPConn.Close()
}

// park waits in tc's own place for readers or writers, where their deadline
// and Close reach, until done.
func park(tc *net.TCPConn, op string, done func(sockopt.Info) bool) error {
	rc, err := tc.SyscallConn()
	if err != nil {
		return err
	}
	place := rc.Write
	if op == "read" {
		place = rc.Read
	}
	var failed error
	err = place(func(fd uintptr) bool {
		var i sockopt.Info
		i, failed = sockopt.Inspect(fd)
		return failed != nil || done(i)
	})
	if err != nil {
		return err
	}
	return failed
}
