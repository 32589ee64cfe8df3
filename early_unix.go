//go:build darwin || freebsd || linux

package fastopen

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/fastopen-go/fastopen/internal/sockopt"
)

// dialConnecting dials with nd, whose socket is bound to local and then
// connected by call, which takes the early data. That happens last in
// net.Dialer's own Control: package net connects after that, is told that
// the socket is connecting already (EALREADY, or EISCONN), and waits for the
// end of that as for its own.
func (d *dialing) dialConnecting(ctx context.Context, nd *net.Dialer, a *attempt, to candidate, local netip.AddrPort,
	call func(fd uintptr, remote netip.AddrPort, data []byte) (int, error)) (net.Conn, error) {
	n := 0
	prepare := nd.ControlContext
	nd.LocalAddr = nil // or net would bind the socket after Control
	nd.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
		if err := prepare(ctx, network, address, c); err != nil {
			return err
		}
		return control(c, func(fd uintptr) (err error) {
			if err = sockopt.Bind(fd, local); err == nil && a.asked {
				n, err = call(fd, to.remote, d.early[:min(len(d.early), maxEarly)])
			}
			return err
		})
	}
	conn, err := nd.DialContext(ctx, d.network, to.text)
	if err != nil {
		var e *net.OpError
		if errors.As(err, &e) && e.Source == nil {
			e.Source = d.LocalAddr
		}
		return nil, err
	}
	if a.asked {
		info, err := inspect(conn.(*net.TCPConn))
		if err != nil {
			info.Failure = sockopt.Untold
		}
		a.took(n, d.early, info)
	}
	return conn, nil
}
