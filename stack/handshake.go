package stack

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// This file is what package fastopen asks of its Network.

// DialFastOpen begins a connection and does not wait for its handshake: the
// result is a [*Conn]. If a cookie for remote is at hand, or config says to do
// without, nothing is sent before [Conn.Begin].
//
// An invalid local address means any, a port of 0 any port. The error says that
// the connection cannot even be tried.
func (t *Stack) DialFastOpen(local, remote netip.AddrPort, config tfo.DialConfig) (net.Conn, error) {
	c, err := t.begin(local, remote, config, nil, true)
	if err != nil {
		return nil, t.dialError("tcp", local, remote, err)
	}
	return c, nil
}

// begin makes a connection, and sends its SYN with as much of early as fits,
// unless it is to be put off. All of early is taken.
func (t *Stack) begin(local, remote netip.AddrPort, config tfo.DialConfig, early []byte, mayPutOff bool) (*Conn, error) {
	now := t.lock()
	defer t.unlock()
	if t.closed {
		return nil, net.ErrClosed
	}
	s := t.host.Socket()
	mode := byCookie
	switch {
	case config.Off || !t.host.settings.clientOn():
		mode = plainSYN
	case config.NoCookie || t.host.settings.FastOpen.has(FastOpenClientCookieless):
		mode = cookieless
	}
	if config.Partition != "" {
		s.SetPartition(config.Partition)
	}
	if local.IsValid() && local.Port() == 0 {
		// The port is chosen when the connection begins, when it is known
		// which are free (IP_BIND_ADDRESS_NO_PORT): Bind knows nothing of
		// connections, nor of those in TIME-WAIT.
		local = netip.AddrPortFrom(local.Addr().Unmap().WithZone(""), 0)
		if err := t.host.bindable(local.Addr()); err != nil {
			return nil, err
		}
		s.extra().local = local
	} else if local.Port() != 0 {
		s.flags |= reuseAddr
		if err := s.Bind(local); err != nil {
			return nil, err
		}
	}
	err := s.start(now, remote, mode, early, mayPutOff)
	if err != nil {
		s.unbind()
		return nil, err
	}
	return (*Conn)(s), nil
}

// start opens s or, where data may go into the SYN, puts that off.
func (s *Socket) start(now time.Time, remote netip.AddrPort, mode clientMode, early []byte, mayPutOff bool) error {
	remote, err := checkRemote(remote)
	if err != nil {
		return err
	}
	if mayPutOff && mode != plainSYN {
		local, link, err := s.endpoint(remote)
		if err != nil {
			return err
		}
		v := s.ext.variant(link)
		v.mode = mode
		if _, ok := tcp.Early(now, s.host.config(v), local, remote); ok {
			s.extra().mode, s.ext.remote = mode, remote
			s.flags |= putOff
			return nil
		}
	}
	if err := s.open(now, remote, mode, early, len(early)); err != syscall.EINPROGRESS {
		return err
	}
	return nil
}

// Begin sends the SYN of a connection that was put off, with as much of early in it
// as fits, and returns how much that is. It does not wait for the answer. Those
// bytes can reach the peer's application twice.
func (c *Conn) Begin(early []byte) (n int, err error) {
	err = c.do("dial", func(now time.Time, s *Socket) error {
		if s.flags&putOff == 0 {
			return syscall.EISCONN
		}
		s.flags &^= putOff
		n, err = s.openWith(now, s.ext.remote, s.ext.mode, early)
		if s.blocked != nil {
			s.blocked.wakeAll()
		}
		if err == syscall.EINPROGRESS {
			err = nil
		}
		return err
	})
	return n, err
}

// Handshake tells how far the handshake is, and what came of Fast Open.
func (c *Conn) Handshake() (h tfo.Handshake) {
	c.host.shell.Do(func(time.Time, *Host) { h = (*Socket)(c).handshake() })
	return h
}

func (s *Socket) handshake() tfo.Handshake {
	h := tfo.Handshake{PutOff: s.flags&putOff != 0}
	if p := s.past; p != nil {
		h.Outcome, h.Dead = p.outcome(s.flags&passive != 0), p.dead
	}
	if m := s.conn; m != nil {
		h.Outcome, h.Dead = m.Outcome(), failed(m)
		switch {
		case m.Confirmed():
			h.Stage = tfo.Confirmed
		case s.flags&passive != 0:
			h.Stage = tfo.Unconfirmed
		}
	}
	if s.flags&closed != 0 || s.host.shell != nil && s.host.shell.closed {
		h.Stage = tfo.Closed
	}
	return h
}

// Await waits until the handshake has reached stage. It also ends with ctx, whose
// cause it then returns; with Close, unless that is what is awaited; and with the
// connection's deadline for reads if op is "read", for writes if it is "write". On
// a connection that is dead before it has reached the stage, it returns what that
// died of.
func (c *Conn) Await(ctx context.Context, op string, stage tfo.Stage) error {
	if err := c.await(ctx, op, stage); err != nil {
		if cause := context.Cause(ctx); cause != nil && err == cause {
			return err
		}
		if op == "" {
			op = "dial"
		}
		return c.wrap(op, err)
	}
	return nil
}

func (c *Conn) await(ctx context.Context, op string, stage tfo.Stage) error {
	s, t := (*Socket)(c), c.host.shell
	now := t.lock()
	defer t.unlock()
	var stop func() bool
	for {
		switch h := s.handshake(); {
		case h.Stage >= stage, h.Stage == tfo.Closed:
			if h.Stage == tfo.Closed && stage != tfo.Closed {
				return net.ErrClosed
			}
			return nil
		case h.Dead && stage != tfo.Closed:
			return s.errno(s.conn.Err())
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case op != "" && s.blocked != nil:
			d := &s.blocked.writeBy
			if op == "read" {
				d = &s.blocked.readBy
			}
			if d.over(t.host.clock(now)) {
				return os.ErrDeadlineExceeded
			}
		}
		if stop == nil && ctx.Done() != nil {
			stop = context.AfterFunc(ctx, func() {
				t.mu.Lock()
				if s.blocked != nil {
					s.blocked.wakeAll()
				}
				t.mu.Unlock()
			})
			defer stop()
		}
		now = t.wait(&s.blocked, op == "read")
	}
}
