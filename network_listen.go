package fastopen

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/fastopen-go/fastopen/tfo"
)

// An overListener is a listener of a Network that is not the operating
// system.
type overListener struct {
	NetworkListener
	lc ListenConfig
}

// listenOver announces on an address of lc's Network.
func (lc *ListenConfig) listenOver(ctx context.Context, network, address string) (*Listener, error) {
	fail := func(err error) (*Listener, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	if lc.Control != nil {
		return fail(errNoSocket)
	}
	local, err := parseLocal(ctx, network, address)
	if err != nil {
		return fail(err)
	}
	nl, err := lc.Network.ListenFastOpen(local, tfo.ListenConfig{Queue: lc.queue(), Keys: lc.Keys, NoCookie: lc.NoCookie})
	if err != nil {
		return fail(err)
	}
	l, ok := nl.(NetworkListener)
	if !ok {
		nl.Close()
		return fail(fmt.Errorf("the listeners of %T are of type %T, which is no fastopen.NetworkListener: use another Network", lc.Network, nl))
	}
	return &Listener{tl: &overListener{l, *lc}}, nil
}

// parseLocal turns address, as net.Listen takes it, into what ListenFastOpen
// takes.
func parseLocal(ctx context.Context, network, address string) (local netip.AddrPort, err error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return local, err
	}
	port := 0
	if service != "" {
		if port, err = net.DefaultResolver.LookupPort(ctx, network, service); err != nil {
			return local, err
		}
	}
	var ip netip.Addr
	switch {
	case host != "":
		ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip"+network[len("tcp"):], host)
		if err != nil {
			return local, err
		}
		ip = ips[0].Unmap()
	case network == "tcp4":
		ip = netip.IPv4Unspecified()
	case network == "tcp6":
		ip = netip.IPv6Unspecified()
	}
	if network == "tcp" && ip == netip.IPv6Unspecified() {
		ip = netip.Addr{} // both families, as in package net
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

// FastOpen says whether the listener was asked for Fast Open.
func (l *overListener) FastOpen() error {
	if l.lc.queue() == 0 {
		return errOff
	}
	return nil
}

// Accept returns a NetworkConn.
func (l *overListener) Accept() (net.Conn, error) {
	conn, err := l.NetworkListener.Accept()
	if err != nil {
		return nil, err
	}
	c, err := networkConn(l.lc.Network, conn)
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: err}
	}
	keepAlive(c, l.lc.KeepAlive, l.lc.KeepAliveConfig)
	return c, nil
}
