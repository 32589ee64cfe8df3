package fastopen

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"

	"github.com/fastopen-go/fastopen/internal/sockopt"
)

// connect makes attempt a at to. ConnectEx alone takes the first bytes, and
// package net calls it with none, so the socket is made here and given to
// net when it is connected.
func (d *dialing) connect(ctx context.Context, a *attempt, to candidate) (net.Conn, error) {
	local, early := d.connectsEarly(a, to)
	nd := d.plain(d.control(a))
	if !early {
		return nd.DialContext(ctx, d.network, to.text)
	}
	tc, n, err := d.connectEx(ctx, nd, a, to, local)
	switch {
	case err == nil:
	case err == ctx.Err():
		return nil, d.error(to.addr(), err)
	default:
		return nil, &net.OpError{Op: "dial", Net: d.network, Source: d.LocalAddr, Addr: to.addr(), Err: err}
	}
	if a.asked {
		a.took(n, d.early, sockopt.Info{Failure: sockopt.Untold})
	}
	return tc, nil
}

// connectEx connects a socket of its own, set up as nd would have, and says
// how much of the early data Windows took.
func (d *dialing) connectEx(ctx context.Context, nd *net.Dialer, a *attempt, to candidate, local netip.AddrPort) (*net.TCPConn, int, error) {
	s, err := sockopt.NewSocket(to.remote.Addr())
	if err != nil {
		return nil, 0, err
	}
	network := "tcp6"
	if to.remote.Addr().Is4() {
		network = "tcp4"
	}
	n := 0
	if err = nd.ControlContext(ctx, network, to.text, rawSocket(s)); err == nil {
		var data []byte
		if a.asked {
			data = d.early[:min(len(d.early), maxEarly)]
		}
		n, err = sockopt.ConnectEx(ctx, s, local, to.remote, data)
	}
	if err != nil {
		sockopt.CloseSocket(s)
		return nil, 0, err
	}
	tc, err := d.adopt(s)
	return tc, n, err
}

// adopt makes a net.TCPConn of a connected socket, which is its own from then
// on.
//
// FileConn duplicates the socket, and os.File closes the first handle with
// CloseHandle, not knowing that it is a socket's. That closes all that the
// kernel has; what Winsock itself remembers of the handle it replaces when
// the handle's number comes back.
func (d *Dialer) adopt(s uintptr) (*net.TCPConn, error) {
	f := os.NewFile(s, "tcp")
	conn, err := net.FileConn(f) // has a handle of its own
	f.Close()
	if err != nil {
		return nil, err
	}
	tc, ok := conn.(*net.TCPConn)
	if !ok || tc.RemoteAddr() == nil {
		conn.Close()
		return nil, errors.New("the connected socket does not know its peer")
	}
	switch { // FileConn has set KeepAlive's default
	case d.KeepAliveConfig.Enable:
		_ = tc.SetKeepAliveConfig(d.KeepAliveConfig)
	case d.KeepAlive < 0:
		_ = tc.SetKeepAlive(false)
	case d.KeepAlive > 0:
		_ = tc.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d.KeepAlive})
	}
	return tc, nil
}

// A rawSocket is the syscall.RawConn of a socket that nobody waits on yet.
type rawSocket uintptr

func (s rawSocket) Control(f func(fd uintptr)) error {
	f(uintptr(s))
	return nil
}

func (rawSocket) Read(func(fd uintptr) bool) error  { return errors.ErrUnsupported }
func (rawSocket) Write(func(fd uintptr) bool) error { return errors.ErrUnsupported }
