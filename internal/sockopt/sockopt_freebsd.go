package sockopt

import (
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// EnableBeforeListen says that [Enable] belongs between socket(2) and
// listen(2). It would also do after that, but only while
// net.inet.tcp.fastopen.server_enable is on.
const EnableBeforeListen = true

// errDisabled is what TCP_FASTOPEN fails with when
// net.inet.tcp.fastopen.server_enable and client_enable are both off.
const errDisabled = unix.EPERM

// EarlyConnect lets [Connect] put data into a SYN, and ask for a cookie
// where the kernel holds none.
func EarlyConnect(fd uintptr) error {
	// TCP_FASTOPEN alone would not tell, since it is the server's option too.
	if on, err := unix.SysctlUint32("net.inet.tcp.fastopen.client_enable"); err == nil && on == 0 {
		return ErrDisabled
	}
	return set(fd, unix.TCP_FASTOPEN, 1)
}

// Connect begins to connect a non-blocking socket to remote, with as much of
// data in its SYN as fits if the kernel holds a cookie. It returns how many
// bytes the kernel took; they arrive in any case, in the SYN or behind it.
func Connect(fd uintptr, remote netip.AddrPort, data []byte) (int, error) {
	n, err := unix.SendmsgN(int(fd), data, nil, sockaddr(remote), unix.MSG_NOSIGNAL)
	if err != nil {
		// The kernel may have queued the data all the same (tcp_usr_send), so
		// this socket is of no use any more.
		return 0, os.NewSyscallError("connect", err)
	}
	return n, nil
}

// Inspect reads TCP_INFO, and TCP_FASTOPEN, which on an accepted socket
// tells that it came by a SYN with a valid cookie. On a dialed one that only
// repeats what [EarlyConnect] has set, so Child and SynData mean nothing
// there.
func Inspect(fd uintptr) (Info, error) {
	var b [sizeTCPInfoFreeBSD]byte
	n := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&b)), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		if gone(errno) {
			return Info{State: Dead, Failure: Untold}, nil
		}
		return Info{}, explain("getsockopt", errno)
	}
	child, _ := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN)
	unread, _ := unix.IoctlGetInt(int(fd), fionread)
	return decodeFreeBSD(b[:], child != 0, unread), nil
}

// fionread is FIONREAD of sys/filio.h: _IOR('f', 127, int).
const fionread = 0x4004667f
