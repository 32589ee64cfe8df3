package fastopen

import (
	"net"
	"net/netip"

	"github.com/fastopen-go/fastopen/internal/sockopt"
	"github.com/fastopen-go/fastopen/tfo"
)

// Where the system's connect call takes the first bytes itself, an attempt
// with early data at hand gives them to it. Everything else about such an
// attempt, and all of it elsewhere, is package net's.

// connectsEarly says that a is such an attempt, and what its socket is to be
// bound to: nothing if local is the zero AddrPort. If it is not, a does not
// speak of Fast Open, since it would ask for cookies that nobody will use.
func (d *dialing) connectsEarly(a *attempt, to candidate) (local netip.AddrPort, ok bool) {
	local, ok = d.source(to.remote.Addr())
	if ok = ok && len(d.early) > 0; a.asked && !ok {
		a.asked, a.out.Cause = false, tfo.Unsupported
	}
	return local, ok && a.asked
}

// source is LocalAddr for a socket that connects to remote. It is not ok if
// package net must judge about it, or if remote is not an address at all.
func (d *Dialer) source(remote netip.Addr) (local netip.AddrPort, ok bool) {
	if d.LocalAddr == nil {
		return local, remote.IsValid()
	}
	a, ok := d.LocalAddr.(*net.TCPAddr)
	if !ok || a == nil || !remote.IsValid() {
		return local, false
	}
	ip := a.AddrPort().Addr().Unmap()
	switch {
	case ip.IsValid() && !ip.IsUnspecified():
	case remote.Is4():
		ip = netip.IPv4Unspecified()
	default:
		ip = netip.IPv6Unspecified()
	}
	return netip.AddrPortFrom(ip, uint16(a.Port)), ip.Is4() == remote.Is4()
}

// took notes that the system took n bytes of the early data along with the
// connect call, and what it tells of them. They arrive in any case, in the
// SYN or behind it.
func (a *attempt) took(n int, early []byte, info sockopt.Info) {
	a.rest = early[n:]
	a.out.Wanted = len(early)
	switch info.Failure {
	case sockopt.Untold, sockopt.NotAcked, sockopt.SynRetransmits:
	default:
		if !info.SynData {
			return // behind it
		}
	}
	if n > 0 {
		a.out.Status, a.out.Sent = tfo.DataSent, n
	}
}
