package fastopen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

var errNoSocket = errors.New("a Control function needs a socket of the operating system, and the Network has none: leave one of them out")

// openOver makes attempt a at to, by the Dialer's Network. If a cookie is at
// hand the connection is put off; otherwise its handshake is done.
func (d *dialing) openOver(ctx context.Context, a *attempt, to candidate) (NetworkConn, error) {
	local, ok := d.source(to.remote.Addr())
	if !ok {
		return nil, &net.AddrError{Err: "the local address is not a TCP address of the same family", Addr: fmt.Sprint(d.LocalAddr)}
	}
	if local.Addr().IsUnspecified() {
		local = netip.AddrPortFrom(netip.Addr{}, local.Port())
	}
	conn, err := d.Network.DialFastOpen(local, to.remote, tfo.DialConfig{
		Off: !a.asked, NoCookie: d.NoCookie, Partition: d.Partition,
	})
	if err != nil {
		return nil, err
	}
	c, err := networkConn(d.Network, conn)
	if err != nil {
		return nil, err
	}
	h := c.Handshake()
	if a.asked = a.asked && (h.PutOff || h.Outcome.Status != tfo.Off); a.asked {
		d.speak(a.to)
	} else if a.out.Cause == tfo.NoCause && !d.Off {
		a.out.Cause, a.out.Avoid = h.Outcome.Cause, h.Outcome.Avoid
	}
	keepAlive(c, d.KeepAlive, d.KeepAliveConfig)
	if h.PutOff {
		return c, nil
	}
	if err := c.Await(ctx, "", answered); err != nil {
		(&socket{c}).abandon()
		return nil, err
	}
	return c, nil
}

// networkConn is conn as what a Network's connections have to be.
func networkConn(n Network, conn net.Conn) (NetworkConn, error) {
	c, ok := conn.(NetworkConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("the connections of %T are of type %T, which is no fastopen.NetworkConn: use another Network", n, conn)
	}
	return c, nil
}

// keepAlive asks an idle peer whether it is still there, as package net does
// by default and where its fields of these names say otherwise.
func keepAlive(c NetworkConn, idle time.Duration, config net.KeepAliveConfig) {
	switch {
	case config.Enable:
		_ = c.SetKeepAliveConfig(config)
	case idle >= 0:
		_ = c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: idle})
	}
}
