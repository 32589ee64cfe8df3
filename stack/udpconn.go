package stack

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// A UDPConn is a UDP socket of a [Stack]: a [net.PacketConn] and, when dialed, a
// [net.Conn], as [net.UDPConn] is.
type UDPConn UDPSocket

var (
	_ net.Conn       = (*UDPConn)(nil)
	_ net.PacketConn = (*UDPConn)(nil)
)

// ListenPacket announces on an address of the stack, as [net.ListenPacket]. The
// networks are "udp", "udp4" and "udp6".
func (t *Stack) ListenPacket(network, address string) (net.PacketConn, error) {
	local, err := parseLocal(network, "udp", address)
	if err == nil {
		now := t.lock()
		u := t.host.UDP()
		if err = u.Bind(local); t.closed {
			err = net.ErrClosed
		}
		t.unlock()
		_ = now
		if err == nil {
			return (*UDPConn)(u), nil
		}
	}
	err = listenError(network, netip.AddrPort{}, err)
	if local.IsValid() || local.Port() != 0 {
		err.(*net.OpError).Addr = net.UDPAddrFromAddrPort(local)
	}
	return nil, err
}

func (t *Stack) dialUDP(ctx context.Context, network, address string) (net.Conn, error) {
	remotes, err := t.resolve(ctx, network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	if ctx.Err() != nil {
		// Nothing would wait; but who has given up wants no connection.
		return nil, t.dialError(network, netip.AddrPort{}, netip.AddrPort{}, context.Cause(ctx))
	}
	for _, remote := range remotes {
		t.lock()
		u := t.host.UDP()
		if err = u.Connect(remote); t.closed {
			err = net.ErrClosed
		}
		t.unlock()
		if err == nil {
			return (*UDPConn)(u), nil
		}
	}
	e := t.dialError(network, netip.AddrPort{}, remotes[0], err).(*net.OpError)
	e.Addr = net.UDPAddrFromAddrPort(remotes[0])
	return nil, e
}

// Read implements [net.Conn].
func (u *UDPConn) Read(p []byte) (int, error) {
	n, _, err := u.ReadFromAddrPort(p)
	return n, err
}

// ReadFrom implements [net.PacketConn].
func (u *UDPConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := u.ReadFromAddrPort(p)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromAddrPort is ReadFrom without memory for an address.
func (u *UDPConn) ReadFromAddrPort(p []byte) (n int, from netip.AddrPort, err error) {
	s, t := (*UDPSocket)(u), u.host.shell
	now := t.lock()
	defer t.unlock()
	for {
		switch {
		case s.closed || t.closed:
			return 0, from, u.wrap("read", net.ErrClosed)
		case s.blocked != nil && s.blocked.readBy.over(t.host.clock(now)):
			return 0, from, u.wrap("read", os.ErrDeadlineExceeded)
		}
		n, from, err = s.Receive(p)
		if err == nil {
			return n, from, nil
		}
		if err != syscall.EAGAIN {
			return n, from, u.wrap("read", err)
		}
		now = t.wait(&s.blocked, true)
	}
}

// Write implements [net.Conn].
func (u *UDPConn) Write(p []byte) (int, error) {
	return u.send("write", func(now time.Time, s *UDPSocket) (int, error) { return s.Send(now, p) })
}

// WriteTo implements [net.PacketConn].
func (u *UDPConn) WriteTo(p []byte, to net.Addr) (int, error) {
	a, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: "udp", Addr: to, Err: syscall.EINVAL}
	}
	return u.WriteToAddrPort(p, a.AddrPort())
}

// WriteToAddrPort is WriteTo without memory for an address.
func (u *UDPConn) WriteToAddrPort(p []byte, to netip.AddrPort) (int, error) {
	return u.send("write", func(now time.Time, s *UDPSocket) (int, error) {
		if s.remote.IsValid() {
			return 0, net.ErrWriteToConnected
		}
		return s.SendTo(now, p, to)
	})
}

func (u *UDPConn) send(op string, f func(time.Time, *UDPSocket) (int, error)) (int, error) {
	s, t := (*UDPSocket)(u), u.host.shell
	now := t.lock()
	defer t.unlock()
	switch {
	case s.closed || t.closed:
		return 0, u.wrap(op, net.ErrClosed)
	case s.blocked != nil && s.blocked.writeBy.over(t.host.clock(now)):
		return 0, u.wrap(op, os.ErrDeadlineExceeded)
	}
	n, err := f(now, s)
	if err != nil {
		err = u.wrap(op, err)
	}
	return n, err
}

// Close implements [net.Conn].
func (u *UDPConn) Close() error {
	s, t := (*UDPSocket)(u), u.host.shell
	t.lock()
	defer t.unlock()
	if s.closed || t.closed {
		return u.wrap("close", net.ErrClosed)
	}
	_ = s.Close()
	if s.blocked != nil {
		s.blocked.wakeAll()
		s.blocked.readBy.set, s.blocked.writeBy.set = false, false
		t.unblock(&s.blocked)
	}
	return nil
}

// LocalAddr implements [net.Conn].
func (u *UDPConn) LocalAddr() net.Addr {
	t := u.host.shell
	t.lock()
	defer t.unlock()
	return net.UDPAddrFromAddrPort(u.local)
}

// RemoteAddr implements [net.Conn]: nil unless dialed.
func (u *UDPConn) RemoteAddr() net.Addr {
	t := u.host.shell
	t.lock()
	defer t.unlock()
	if !u.remote.IsValid() {
		return nil
	}
	return net.UDPAddrFromAddrPort(u.remote)
}

// SetDeadline implements [net.Conn].
func (u *UDPConn) SetDeadline(when time.Time) error { return u.setDeadlines(when, true, true) }

// SetReadDeadline implements [net.Conn].
func (u *UDPConn) SetReadDeadline(when time.Time) error { return u.setDeadlines(when, true, false) }

// SetWriteDeadline implements [net.Conn].
func (u *UDPConn) SetWriteDeadline(when time.Time) error { return u.setDeadlines(when, false, true) }

func (u *UDPConn) setDeadlines(when time.Time, read, write bool) error {
	s, t := (*UDPSocket)(u), u.host.shell
	t.lock()
	defer t.unlock()
	if s.closed || t.closed {
		return u.wrap("set", net.ErrClosed)
	}
	if read {
		t.setDeadline(&s.blocked, &t.block(&s.blocked).readBy, when)
	}
	if write {
		t.setDeadline(&s.blocked, &t.block(&s.blocked).writeBy, when)
	}
	return nil
}

// SetReadBuffer bounds what is kept unread, in bytes.
func (u *UDPConn) SetReadBuffer(bytes int) error {
	u.host.shell.Do(func(time.Time, *Host) { (*UDPSocket)(u).SetReceiveBuffer(bytes) })
	return nil
}

// wrap is called with the lock held.
func (u *UDPConn) wrap(op string, err error) error {
	if e, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, e)
	}
	o := &net.OpError{Op: op, Net: "udp", Source: net.UDPAddrFromAddrPort(u.local), Err: err}
	if u.remote.IsValid() {
		o.Addr = net.UDPAddrFromAddrPort(u.remote)
	}
	return o
}
