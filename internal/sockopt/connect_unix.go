//go:build darwin || freebsd || linux

package sockopt

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Bind binds a socket to local, unless that is the zero AddrPort.
func Bind(fd uintptr, local netip.AddrPort) error {
	if !local.IsValid() {
		return nil
	}
	return os.NewSyscallError("bind", unix.Bind(int(fd), sockaddr(local)))
}

// sockaddr is a as the system calls take it.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr(); !ip.Is4() {
		return &unix.SockaddrInet6{Port: int(a.Port()), Addr: ip.As16(), ZoneId: scope(ip.Zone())}
	}
	return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}
