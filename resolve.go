package fastopen

import (
	"context"
	"net"
	"net/netip"
	"strconv"
)

// A candidate is one address that a name stands for, as text for net.Dialer
// and as a value for the cache.
type candidate struct {
	text   string
	remote netip.AddrPort // zero where text has no host: the local system
}

// addr is the candidate as errors name it.
func (c candidate) addr() net.Addr {
	if !c.remote.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(c.remote)
}

// resolve turns address into the candidates of network, in the order in
// which to try them: as the resolver sorted them (RFC 6724), but with the
// address families taking turns (RFC 8305, section 4).
func (d *Dialer) resolve(ctx context.Context, network, address string) ([]candidate, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if host == "" && d.Network != nil {
		return nil, &net.AddrError{Err: "missing host in address", Addr: address}
	}
	if host == "" {
		return []candidate{{text: address}}, nil
	}
	r := d.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	port, err := r.LookupPort(ctx, network, service)
	if err != nil {
		return nil, err
	}
	ips, err := r.LookupNetIP(ctx, "ip"+network[len("tcp"):], host)
	if err != nil {
		return nil, err
	}
	var list []candidate
	for _, ip := range takeTurns(d.usable(ips)) {
		list = append(list, candidate{
			text:   net.JoinHostPort(ip.String(), strconv.Itoa(port)),
			remote: netip.AddrPortFrom(ip, uint16(port)),
		})
	}
	if list == nil {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return list, nil
}

// usable leaves out addresses of a family that LocalAddr is not of.
func (d *Dialer) usable(ips []netip.Addr) []netip.Addr {
	local := d.path(netip.AddrPort{}).Local
	var list []netip.Addr
	for _, ip := range ips {
		ip = ip.Unmap()
		if !local.IsValid() || local.Is4() == ip.Is4() || local == netip.IPv6Unspecified() {
			list = append(list, ip)
		}
	}
	return list
}

// takeTurns interleaves the two families, beginning with that of the first.
func takeTurns(ips []netip.Addr) []netip.Addr {
	var families [2][]netip.Addr
	for _, ip := range ips {
		f := 0
		if ip.Is4() != ips[0].Is4() {
			f = 1
		}
		families[f] = append(families[f], ip)
	}
	list := ips[:0:0]
	for i := range ips {
		for _, f := range families {
			if i < len(f) {
				list = append(list, f[i])
			}
		}
	}
	return list
}
