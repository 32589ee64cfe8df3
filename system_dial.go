package fastopen

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/fastopen-go/fastopen/internal/sockopt"
	"github.com/fastopen-go/fastopen/tfo"
)

// openSystem makes attempt a at to, by the operating system's TCP. If a cookie
// is at hand the connection is put off; otherwise its handshake is done.
func (d *dialing) openSystem(ctx context.Context, a *attempt, to candidate) (NetworkConn, error) {
	conn, err := d.connect(ctx, a, to)
	if err != nil {
		return nil, err
	}
	return newDialed(conn.(*net.TCPConn), a), nil
}

// control returns what net.Dialer calls with a's new socket: it sets our
// options and then calls the Dialer's own Control.
func (d *dialing) control(a *attempt) func(context.Context, string, string, syscall.RawConn) error {
	return func(ctx context.Context, network, address string, c syscall.RawConn) error {
		if a.asked {
			err := d.enable(c)
			a.asked, a.out.Cause = err == nil, offCause(err)
			if a.asked {
				d.speak(a.to)
			}
		}
		switch {
		case d.ControlContext != nil:
			return d.ControlContext(ctx, network, address, c)
		case d.Control != nil:
			return d.Control(network, address, c)
		}
		return nil
	}
}

// enable sets the socket options of an attempt that speaks of Fast Open.
func (d *dialing) enable(c syscall.RawConn) error {
	return control(c, func(fd uintptr) error {
		if d.NoCookie {
			if err := sockopt.SetNoCookie(fd); err != nil {
				return err
			}
		}
		err := sockopt.DeferConnect(fd)
		if errors.Is(err, errors.ErrUnsupported) && len(d.early) > 0 {
			err = sockopt.EarlyConnect(fd)
		}
		return err
	})
}

// offCause says why a socket option could not be set.
func offCause(err error) tfo.Cause {
	switch {
	case err == nil:
		return tfo.NoCause
	case errors.Is(err, sockopt.ErrDisabled):
		return tfo.Disabled
	}
	return tfo.Unsupported
}
