package sockopt

import (
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// EnableBeforeListen says that [Enable] belongs after listen(2): XNU takes
// TCP_FASTOPEN in that state alone.
const EnableBeforeListen = false

// errDisabled is what TCP_FASTOPEN fails with when bit 1 of
// net.inet.tcp.fastopen is off.
const errDisabled = unix.ENOTSUP

// EarlyConnect says whether [Connect] may put data into a SYN. There is
// nothing to be set on the socket; bit 2 of net.inet.tcp.fastopen decides.
// Who may not read that may try.
func EarlyConnect(uintptr) error {
	if bits, err := unix.SysctlUint32("net.inet.tcp.fastopen"); err == nil && bits&2 == 0 {
		return ErrDisabled
	}
	return nil
}

// Connect begins to connect a non-blocking socket to remote, with data in
// its SYN if the kernel holds a cookie and has not seen Fast Open fail on
// this network. It returns how many bytes the kernel took; they arrive in
// any case, in the SYN or behind it.
//
// XNU puts all of the data into the SYN or nothing (tcp_tfo_check), so
// Connect offers no more than fits on a path with an MTU of 1500. If the
// path's is smaller, more data than that are sent after the handshake.
func Connect(fd uintptr, remote netip.AddrPort, data []byte) (int, error) {
	room := 1500 - 40 - 40 // IP and TCP header, all TCP options
	if remote.Addr().Is6() {
		room -= 20
	}
	iov := []unix.Iovec{{Base: unsafe.SliceData(data)}}
	iov[0].SetLen(min(len(data), room))
	n, err := unix.Connectx(int(fd), 0, nil, sockaddr(remote), unix.SAE_ASSOCID_ANY,
		unix.CONNECT_DATA_IDEMPOTENT, iov, nil)
	if err != nil && err != unix.EINPROGRESS { // with which n is told all the same
		return 0, os.NewSyscallError("connect", err)
	}
	return int(n), nil
}

// Inspect reads TCP_CONNECTION_INFO.
func Inspect(fd uintptr) (Info, error) {
	t, err := unix.GetsockoptTCPConnectionInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_CONNECTION_INFO)
	if err != nil {
		if gone(err) {
			return Info{State: Dead}, nil
		}
		return Info{}, explain("getsockopt", err)
	}
	// unix.TCPConnectionInfo leaves the Fast Open bits to the padding before
	// Txpackets.
	return decodeXNU((*[sizeTCPConnectionInfo]byte)(unsafe.Pointer(t))[:]), nil
}

// The bytes that decodeXNU reads are all there.
var _ [unix.SizeofTCPConnectionInfo - sizeTCPConnectionInfo]struct{}
