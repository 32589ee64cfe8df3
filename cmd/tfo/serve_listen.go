package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/fastopen-go/fastopen"
)

// A gate is one address that the site is offered on.
type gate struct {
	*fastopen.Listener
	secure bool // HTTPS
	off    bool // was told to do without Fast Open, or has to
	own    *ownTCP
}

// Accept returns the next connection, as a [*visit].
func (g *gate) Accept() (net.Conn, error) {
	c, err := g.AcceptConn()
	if err != nil {
		return nil, err
	}
	return &visit{Conn: c, gate: g}, nil
}

// openGates listens on every address, or on none.
func openGates(lc *fastopen.ListenConfig, f *serveFlags) (gates []*gate, err error) {
	defer func() {
		if err != nil {
			closeGates(gates)
		}
	}()
	for i, list := range [][]string{f.listen, f.listenTLS} {
		for _, address := range list {
			l, err := lc.Listen(context.Background(), "tcp", address)
			if err != nil {
				return gates, explainListen(err, address, [...]string{"--listen", "--listen-tls"}[i])
			}
			gates = append(gates, &gate{Listener: l, secure: i == 1, off: l.FastOpen() != nil, own: &f.own})
		}
	}
	return gates, nil
}

func closeGates(gates []*gate) {
	for _, g := range gates {
		g.Close()
	}
}

// checkAddress says what is wrong with an address to listen on.
func checkAddress(address string) error {
	if n, err := strconv.ParseUint(address, 10, 16); err == nil {
		return usagef("%q is not an address: write :%d for this port on every address of the host", address, n)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return usagef("%q is not an address to listen on: write HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080, or :PORT", address)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return usagef("%q has the port %q: a port is a number from 0 to 65535", address, port)
	}
	return nil
}

// explainListen says why nothing can listen on address, and what to do.
func explainListen(err error, address, flag string) error {
	_, port, _ := net.SplitHostPort(address)
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: another program does already; choose another port with %s, or see who it is with: ss -ltnp 'sport = :%s'", address, flag, port)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot listen on %s: ports below 1024 are for root; choose a higher one with %s", address, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s: this host has no such address; see those it has with: ip address", address)
	case errors.As(err, &dns):
		return fmt.Errorf("cannot listen on %s: %w", address, explainDNS(dns))
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
}

// urls lists where the gate can be reached, what one would type first.
func (g *gate) urls() []string {
	scheme := "http"
	if g.secure {
		scheme = "https"
	}
	own := g.Addr().(*net.TCPAddr).AddrPort()
	hosts := []string{own.Addr().Unmap().String()}
	if !own.Addr().IsValid() || own.Addr().IsUnspecified() {
		hosts = []string{"localhost"}
		all := hostAddresses()
		if g.own.stack != nil {
			hosts, all = nil, g.own.addresses()
		}
		for _, a := range all {
			if a.Is6() && own.Addr().Is4() {
				continue
			}
			hosts = append(hosts, a.String())
		}
	}
	var list []string
	for _, host := range hosts {
		if own.Port() != 80 && !g.secure || own.Port() != 443 && g.secure {
			host = net.JoinHostPort(host, strconv.Itoa(int(own.Port())))
		} else if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			host = "[" + host + "]"
		}
		list = append(list, scheme+"://"+host+"/")
	}
	return list
}

// hostAddresses are the addresses under which others can reach this host.
func hostAddresses() (list []netip.Addr) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list
}
