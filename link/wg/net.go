package wg

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// DialContext connects to address, whose host may be a name, over the network
// "tcp", "udp" or "ping", or one of these with "4" or "6" behind it. The host of a
// ping has no port.
func (n *Net) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !strings.HasPrefix(network, "ping") {
		return n.stack.DialContext(ctx, network, address)
	}
	remote, err := n.pingHost(ctx, network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	c, err := n.DialPingAddr(netip.Addr{}, remote)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Dial is DialContext without a context.
func (n *Net) Dial(network, address string) (net.Conn, error) {
	return n.DialContext(context.Background(), network, address)
}

// DialContextTCPAddrPort connects to an address.
func (n *Net) DialContextTCPAddrPort(ctx context.Context, addr netip.AddrPort) (*stack.Conn, error) {
	c, err := n.stack.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	return c.(*stack.Conn), nil
}

// DialContextTCP connects to an address.
func (n *Net) DialContextTCP(ctx context.Context, addr *net.TCPAddr) (*stack.Conn, error) {
	if addr == nil {
		return nil, missing("dial", "tcp")
	}
	return n.DialContextTCPAddrPort(ctx, addr.AddrPort())
}

// DialTCPAddrPort connects to an address.
func (n *Net) DialTCPAddrPort(addr netip.AddrPort) (*stack.Conn, error) {
	return n.DialContextTCPAddrPort(context.Background(), addr)
}

// DialTCP connects to an address.
func (n *Net) DialTCP(addr *net.TCPAddr) (*stack.Conn, error) {
	return n.DialContextTCP(context.Background(), addr)
}

// ListenTCPAddrPort announces on an address of the stack; an invalid one means
// all of them, a port of 0 any port. It has no Fast Open, for it does not say what
// a server may make of data that comes twice: that is what
// fastopen.ListenConfig is for.
func (n *Net) ListenTCPAddrPort(addr netip.AddrPort) (*stack.Listener, error) {
	l, err := n.stack.ListenFastOpen(unmap(addr), tfo.ListenConfig{})
	if err != nil {
		return nil, err
	}
	return l.(*stack.Listener), nil
}

// ListenTCP is ListenTCPAddrPort; nil means any port of all addresses.
func (n *Net) ListenTCP(addr *net.TCPAddr) (*stack.Listener, error) {
	if addr == nil {
		return n.ListenTCPAddrPort(netip.AddrPort{})
	}
	return n.ListenTCPAddrPort(anyOf(addr.IP, addr.Port))
}

// DialUDPAddrPort makes a UDP socket with a local and a remote address, either
// of which may be invalid: then the local one is chosen, or packets are taken
// from anybody.
func (n *Net) DialUDPAddrPort(laddr, raddr netip.AddrPort) (*stack.UDPConn, error) {
	if !raddr.IsValid() {
		return n.ListenUDPAddrPort(laddr)
	}
	var u *stack.UDPSocket
	var err error
	n.stack.Do(func(_ time.Time, h *stack.Host) {
		u = h.UDP()
		if laddr.IsValid() || laddr.Port() != 0 {
			err = u.Bind(unmap(laddr))
		}
		if err == nil {
			err = u.Connect(unmap(raddr))
		}
		if err != nil {
			u.Close()
		}
	})
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "udp", Addr: net.UDPAddrFromAddrPort(raddr), Err: err}
	}
	return (*stack.UDPConn)(u), nil
}

// ListenUDPAddrPort makes a UDP socket on an address of the stack; an invalid
// one means all of them, a port of 0 any port.
func (n *Net) ListenUDPAddrPort(laddr netip.AddrPort) (*stack.UDPConn, error) {
	var u *stack.UDPSocket
	var err error
	n.stack.Do(func(_ time.Time, h *stack.Host) {
		u = h.UDP()
		if err = u.Bind(unmap(laddr)); err != nil {
			u.Close()
		}
	})
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: net.UDPAddrFromAddrPort(laddr), Err: err}
	}
	return (*stack.UDPConn)(u), nil
}

// DialUDP is DialUDPAddrPort; nil is an invalid address.
func (n *Net) DialUDP(laddr, raddr *net.UDPAddr) (*stack.UDPConn, error) {
	var la, ra netip.AddrPort
	if laddr != nil {
		la = anyOf(laddr.IP, laddr.Port)
	}
	if raddr != nil {
		ra = raddr.AddrPort()
	}
	return n.DialUDPAddrPort(la, ra)
}

// ListenUDP is ListenUDPAddrPort; nil means any port of all addresses.
func (n *Net) ListenUDP(laddr *net.UDPAddr) (*stack.UDPConn, error) {
	return n.DialUDP(laddr, nil)
}

// LookupHost returns the addresses of a name, as the servers given to
// CreateNetTUN know them.
func (n *Net) LookupHost(host string) (addrs []string, err error) {
	return n.LookupContextHost(context.Background(), host)
}

// LookupContextHost is LookupHost with a context.
func (n *Net) LookupContextHost(ctx context.Context, host string) ([]string, error) {
	return n.stack.Resolver().LookupHost(ctx, host)
}

// DialFastOpen is what package fastopen needs of a Network; use a
// fastopen.Dialer.
func (n *Net) DialFastOpen(local, remote netip.AddrPort, config tfo.DialConfig) (net.Conn, error) {
	return n.stack.DialFastOpen(local, remote, config)
}

// ListenFastOpen is what package fastopen needs of a Network; use a
// fastopen.ListenConfig.
func (n *Net) ListenFastOpen(local netip.AddrPort, config tfo.ListenConfig) (net.Listener, error) {
	return n.stack.ListenFastOpen(local, config)
}

// anyOf is the address to announce on: no IP at all means every one.
func anyOf(ip net.IP, port int) netip.AddrPort {
	a, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a, uint16(port))
}

// unmap makes IPv4 addresses, which package net often has in IPv6's form, such.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func missing(op, network string) error {
	return &net.OpError{Op: op, Net: network, Err: &net.AddrError{Err: "missing address"}}
}
