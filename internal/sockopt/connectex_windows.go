package sockopt

import (
	"context"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// winsock initialises Winsock, which package net does only at its own first
// socket. One time more does no harm.
var winsock = sync.OnceValue(func() error {
	var d windows.WSAData
	return windows.WSAStartup(0x202, &d)
})

// NewSocket returns a TCP socket for [ConnectEx], of the address family of
// remote.
func NewSocket(remote netip.Addr) (uintptr, error) {
	if err := winsock(); err != nil {
		return 0, os.NewSyscallError("wsastartup", err)
	}
	family := int32(windows.AF_INET6)
	if remote.Is4() {
		family = windows.AF_INET
	}
	h, err := windows.WSASocket(family, windows.SOCK_STREAM, windows.IPPROTO_TCP, nil, 0,
		windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
	return uintptr(h), os.NewSyscallError("wsasocket", err)
}

// CloseSocket closes a socket made by [NewSocket].
func CloseSocket(fd uintptr) { _ = windows.Closesocket(windows.Handle(fd)) }

// ConnectEx binds a socket to local, if that is not the zero AddrPort, and
// connects it to remote, with as much of data in its SYN as fits if Windows
// holds a cookie. It returns when the handshake is done, or with ctx's
// error, and says how many bytes Windows took; they arrive in any case, in
// the SYN or behind it.
func ConnectEx(ctx context.Context, fd uintptr, local, remote netip.AddrPort, data []byte) (int, error) {
	h := windows.Handle(fd)
	if !local.IsValid() {
		local = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		if remote.Addr().Is4() {
			local = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		}
	}
	// "ConnectEx … a descriptor that identifies an unconnected, previously
	// bound socket."
	// https://learn.microsoft.com/windows/win32/api/mswsock/nc-mswsock-lpfn_connectex
	if err := windows.Bind(h, sockaddr(local)); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	if remote.Addr().IsLoopback() {
		failFast(h)
	}
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return 0, os.NewSyscallError("createevent", err)
	}
	defer windows.CloseHandle(event)
	// Windows writes to all of these after the call has returned.
	var pin runtime.Pinner
	defer pin.Unpin()
	o, sent, first := &windows.Overlapped{HEvent: event}, new(uint32), unsafe.SliceData(data)
	pin.Pin(o)
	pin.Pin(sent)
	if first != nil {
		pin.Pin(first)
	}
	err = windows.ConnectEx(h, sockaddr(remote), first, uint32(len(data)), sent, o)
	if err == nil || err == windows.ERROR_IO_PENDING {
		err = wait(ctx, h, o, sent)
	}
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, os.NewSyscallError("connectex", err)
	}
	// Without it the socket does not know its own addresses.
	err = windows.Setsockopt(h, windows.SOL_SOCKET, windows.SO_UPDATE_CONNECT_CONTEXT, nil, 0)
	return int(*sent), os.NewSyscallError("setsockopt", err)
}

// wait waits for the end of an operation, which ctx can cancel.
func wait(ctx context.Context, h windows.Handle, o *windows.Overlapped, done *uint32) error {
	canceled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = windows.CancelIoEx(h, o)
		close(canceled)
	})
	var flags uint32
	err := windows.WSAGetOverlappedResult(h, o, done, true, &flags)
	if !stop() {
		<-canceled // it still uses h and o
	}
	return err
}

// failFast makes a connect to a port of this host on which nobody listens
// fail at once, as package net does, instead of after two seconds of
// repeated SYNs. If it fails, that is all that is lost.
func failFast(h windows.Handle) {
	const (
		sioTCPInitialRTO = 0x98000011 // SIO_TCP_INITIAL_RTO: _WSAIOW(IOC_VENDOR, 17)
		unspecified      = 0xffff     // TCP_INITIAL_RTO_UNSPECIFIED_RTT
		never            = 0xfe       // TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS, from build 16299 on
	)
	p := struct {
		rtt            uint16
		retransmission uint8
	}{unspecified, 1}
	if windows.RtlGetVersion().BuildNumber >= 16299 {
		p.retransmission = never
	}
	var n uint32
	_ = windows.WSAIoctl(h, sioTCPInitialRTO, (*byte)(unsafe.Pointer(&p)), uint32(unsafe.Sizeof(p)), nil, 0, &n, nil, 0)
}

// sockaddr is a as the system calls take it.
func sockaddr(a netip.AddrPort) windows.Sockaddr {
	if ip := a.Addr(); !ip.Is4() {
		return &windows.SockaddrInet6{Port: int(a.Port()), Addr: ip.As16(), ZoneId: scope(ip.Zone())}
	}
	return &windows.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
}
