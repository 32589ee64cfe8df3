package sockopt

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// EnableBeforeListen says that [Enable] belongs before listen.
const EnableBeforeListen = true

const (
	soError    = 0x1007     // SO_ERROR of winsock2.h
	sioTCPInfo = 0xd8000027 // SIO_TCP_INFO of mstcpip.h: _WSAIORW(IOC_VENDOR, 39)
)

// Enable lets a listener grant cookies and accept data in SYNs (Windows 10,
// version 1703). How many connections may at one time be without a finished
// handshake is the system's affair: any queue above 0 means on.
func Enable(fd uintptr, queue int) error {
	return set(fd, windows.TCP_FASTOPEN, min(queue, 1))
}

// Queue reads what [Enable] has set: 1 means on.
func Queue(fd uintptr) (int, error) {
	n, err := windows.GetsockoptInt(windows.Handle(fd), windows.IPPROTO_TCP, windows.TCP_FASTOPEN)
	return n, explain("getsockopt", err)
}

// EarlyConnect lets [ConnectEx] put data into a SYN (Windows 10, version
// 1607).
func EarlyConnect(fd uintptr) error {
	return set(fd, windows.TCP_FASTOPEN, 1)
}

// Inspect reads SIO_TCP_INFO (Windows 10, version 1703).
func Inspect(fd uintptr) (Info, error) {
	var (
		version uint32 // 0
		b       [sizeTCPInfoV0]byte
		n       uint32
	)
	err := windows.WSAIoctl(windows.Handle(fd), sioTCPInfo, (*byte)(unsafe.Pointer(&version)), uint32(unsafe.Sizeof(version)),
		&b[0], uint32(len(b)), &n, nil, 0)
	if err != nil {
		return Info{}, explain("wsaioctl", err)
	}
	return decodeWindows(b[:]), nil
}

// TakeError returns and clears the socket's pending error, nil if it has none.
func TakeError(fd uintptr) error {
	n, err := windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, soError)
	if err != nil {
		return explain("getsockopt", err)
	}
	if n == 0 {
		return nil
	}
	return os.NewSyscallError("connect", windows.Errno(n))
}

func set(fd uintptr, option, value int) error {
	return explain("setsockopt", windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_TCP, option, value))
}

// explain sorts the errors by which Windows says that it is too old from the
// rest. That Fast Open is switched off ("netsh int tcp set global
// fastopen=disabled") it does not say at all.
func explain(call string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.WSAENOPROTOOPT), errors.Is(err, windows.WSAEOPNOTSUPP), errors.Is(err, windows.WSAEINVAL):
		return errors.ErrUnsupported
	}
	return os.NewSyscallError(call, err)
}
