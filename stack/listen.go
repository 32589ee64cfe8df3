package stack

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// A Listener is a TCP listener of a [Stack]. What it accepts are [*Conn]s.
type Listener Socket

// Listen announces on an address of the stack, as [net.Listen] does. The host must
// be an address, or empty for all; the networks are "tcp", "tcp4" and "tcp6".
// The listener has no Fast Open: see [Stack.ListenFastOpen].
func (t *Stack) Listen(network, address string) (net.Listener, error) {
	local, err := parseLocal(network, "tcp", address)
	if err == nil {
		var l *Listener
		if l, err = t.listen(local, tfo.ListenConfig{}); err == nil {
			return l, nil
		}
	}
	return nil, listenError(network, local, err)
}

// ListenFastOpen announces on local. An invalid address means every address of
// both families, an unspecified one every address of its family, and a port of 0
// any port.
func (t *Stack) ListenFastOpen(local netip.AddrPort, config tfo.ListenConfig) (net.Listener, error) {
	l, err := t.listen(local, config)
	if err != nil {
		return nil, listenError("tcp", local, err)
	}
	return l, nil
}

func (t *Stack) listen(local netip.AddrPort, config tfo.ListenConfig) (*Listener, error) {
	now := t.lock()
	defer t.unlock()
	if t.closed {
		return nil, net.ErrClosed
	}
	s := t.host.Socket()
	s.flags |= reuseAddr
	if err := s.Bind(local); err != nil {
		return nil, err
	}
	e := s.extra()
	e.fast.set, e.fast.queue = true, max(config.Queue, 0)
	e.fast.keys, e.fast.noCookie = config.Keys, config.NoCookie
	if err := s.Listen(now, t.host.settings.maxBacklog()); err != nil {
		s.unbind()
		return nil, err
	}
	return (*Listener)(s), nil
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptConn is Accept with the type that it returns.
func (l *Listener) AcceptConn() (*Conn, error) {
	s, t := (*Socket)(l), l.host.shell
	now := t.lock()
	defer t.unlock()
	for {
		switch {
		case s.flags&closed != 0 || t.closed:
			return nil, l.wrap("accept", net.ErrClosed)
		case s.blocked != nil && s.blocked.readBy.over(t.host.clock(now)):
			return nil, l.wrap("accept", os.ErrDeadlineExceeded)
		}
		c, err := s.Accept(now)
		if err == nil {
			return (*Conn)(c), nil
		}
		if err != syscall.EAGAIN {
			return nil, l.wrap("accept", err)
		}
		now = t.wait(&s.blocked, true)
	}
}

// Close stops listening. Connections that wait to be accepted are reset; those that
// were accepted stay.
func (l *Listener) Close() error {
	s, t := (*Socket)(l), l.host.shell
	now := t.lock()
	defer t.unlock()
	if s.flags&closed != 0 || t.closed {
		return l.wrap("close", net.ErrClosed)
	}
	s.ext.last = s.ext.local
	_ = s.Close(now)
	if s.blocked != nil {
		s.blocked.wakeAll()
		s.blocked.readBy.set = false
		t.unblock(&s.blocked)
	}
	return nil
}

// SetDeadline makes Accept fail after when; the zero time is never.
func (l *Listener) SetDeadline(when time.Time) error {
	s, t := (*Socket)(l), l.host.shell
	t.lock()
	defer t.unlock()
	if s.flags&closed != 0 || t.closed {
		return l.wrap("set", net.ErrClosed)
	}
	t.setDeadline(&s.blocked, &t.block(&s.blocked).readBy, when)
	return nil
}

// Addr is the address that the listener has.
func (l *Listener) Addr() net.Addr {
	t := l.host.shell
	t.lock()
	defer t.unlock()
	return l.addr()
}

func (l *Listener) addr() net.Addr {
	local := l.ext.local
	if local.Port() == 0 {
		local = l.ext.last
	}
	if !local.Addr().IsValid() {
		local = netip.AddrPortFrom(netip.IPv6Unspecified(), local.Port())
	}
	return net.TCPAddrFromAddrPort(local)
}

func (l *Listener) wrap(op string, err error) error {
	if e, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, e)
	}
	return &net.OpError{Op: op, Net: "tcp", Addr: l.addr(), Err: err}
}

func listenError(network string, local netip.AddrPort, err error) error {
	if e, ok := err.(syscall.Errno); ok {
		call := "listen"
		if e == syscall.EADDRINUSE || e == syscall.EADDRNOTAVAIL {
			call = "bind"
		}
		err = os.NewSyscallError(call, e)
	}
	o := &net.OpError{Op: "listen", Net: network, Err: err}
	if local.IsValid() || local.Port() != 0 {
		o.Addr = net.TCPAddrFromAddrPort(local)
	}
	return o
}

// parseLocal reads an address to listen on. The zero Addr is all of both families.
func parseLocal(network, protocol, address string) (netip.AddrPort, error) {
	if network != protocol && network != protocol+"4" && network != protocol+"6" {
		return netip.AddrPort{}, net.UnknownNetworkError(network)
	}
	family := network[len(protocol):]
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := net.DefaultResolver.LookupPort(context.Background(), network, service) // an empty one is 0
	if err != nil {
		return netip.AddrPort{}, &net.AddrError{Err: "the port must be a number from 0 to 65535 or the name of a service", Addr: address}
	}
	var a netip.Addr
	switch {
	case host != "":
		if a, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, &net.AddrError{Err: "the host must be an address of the stack, or empty for all", Addr: address}
		}
		a = a.Unmap()
		if family == "" && a == netip.IPv6Unspecified() {
			a = netip.Addr{}
		}
	case family == "4":
		a = netip.IPv4Unspecified()
	case family == "6":
		a = netip.IPv6Unspecified()
	}
	if a.IsValid() && !suits(network, a) {
		return netip.AddrPort{}, &net.AddrError{Err: "the address is not of the network's family", Addr: address}
	}
	return netip.AddrPortFrom(a, uint16(port)), nil
}
