package stack

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/wire"
)

// errno is the system's number for what ended the socket's connection.
func (s *Socket) errno(err error) syscall.Errno {
	var u tcp.Unreachable
	switch {
	case errors.Is(err, tcp.ErrRefused):
		return syscall.ECONNREFUSED
	case errors.Is(err, tcp.ErrReset):
		return syscall.ECONNRESET
	case errors.Is(err, tcp.ErrTimeout):
		return syscall.ETIMEDOUT
	case errors.Is(err, tcp.ErrAborted):
		return syscall.ECONNABORTED
	case errors.Is(err, tcp.ErrClosed):
		return syscall.EPIPE
	case errors.Is(err, tcp.ErrNotConnected):
		return syscall.EAGAIN
	case errors.As(err, &u):
		return errnoOf(u.Kind, s.conn.Remote().Addr())
	}
	return syscall.EIO
}

// errnoOf is what Linux makes of an ICMP error on the way to a peer (icmp_err_convert
// and, for IPv6, icmpv6_err_convert).
func errnoOf(k wire.ICMPKind, to netip.Addr) syscall.Errno {
	if !to.Is4() {
		switch k {
		case wire.AdminProhibited:
			return syscall.EACCES
		case wire.ProtocolUnknown:
			return syscall.EPROTO // a parameter problem
		}
	}
	switch k {
	case wire.NetUnreachable:
		return syscall.ENETUNREACH
	case wire.PortUnreachable:
		return syscall.ECONNREFUSED
	case wire.ProtocolUnknown:
		return syscall.ENOPROTOOPT
	case wire.PacketTooBig:
		return syscall.EMSGSIZE
	}
	return syscall.EHOSTUNREACH
}
