package sockopt

import (
	"encoding/binary"
	"errors"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// EnableBeforeListen says that [Enable] belongs between socket(2) and
// listen(2); elsewhere it must come after listen(2).
const EnableBeforeListen = true

// errDisabled is what the kernel says where net.ipv4.tcp_fastopen forbids.
const errDisabled = unix.EOPNOTSUPP

// Values of include/uapi/linux/tcp.h that x/sys/unix does not name.
const (
	optSynData  = 0x20 // TCPI_OPT_SYN_DATA
	optTFOChild = 0x80 // TCPI_OPT_TFO_CHILD

	stateSynSent = 2
	stateSynRecv = 3
	stateClose   = 7
)

// Enable lets a listener grant cookies and accept data in SYNs, for at most
// queue connections whose handshake is not finished. The kernel cuts queue
// to net.core.somaxconn.
func Enable(fd uintptr, queue int) error {
	return set(fd, unix.TCP_FASTOPEN, queue)
}

// SetKeys gives a listener keys of its own: 16 bytes, or 32 with a backup.
func SetKeys(fd uintptr, raw []byte) error {
	return explain("setsockopt", unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN_KEY, string(raw)))
}

// SetNoCookie makes a listener take data in SYNs from anybody, or a client
// send it without a cookie.
func SetNoCookie(fd uintptr) error {
	return set(fd, unix.TCP_FASTOPEN_NO_COOKIE, 1)
}

// SaveSYN makes a listener keep each connection's SYN for [SavedSYN].
func SaveSYN(fd uintptr) error {
	return set(fd, unix.TCP_SAVE_SYN, 1)
}

// SavedSYN reads, once, the network and transport headers of the SYN that
// opened a connection into buf, and returns their length.
func SavedSYN(fd uintptr, buf []byte) (int, error) {
	n := uint32(len(buf))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_SAVED_SYN,
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return 0, explain("getsockopt", errno)
	}
	return int(n), nil
}

// DeferConnect makes connect(2) return at once, with nothing sent, when the
// kernel holds a cookie for the destination; the SYN then leaves with the
// first write. Without a cookie, connect asks for one in its SYN.
func DeferConnect(fd uintptr) error {
	return set(fd, unix.TCP_FASTOPEN_CONNECT, 1)
}

// EarlyConnect is for systems whose connect call takes the first bytes: see
// [DeferConnect] for Linux.
func EarlyConnect(uintptr) error { return errors.ErrUnsupported }

// SendSYN opens a connection whose connect(2) was deferred, with as much of
// b in its SYN as there is room for, and returns how much that was. With an
// empty b the SYN carries the cookie alone.
func SendSYN(fd uintptr, b []byte) (int, error) {
	for {
		n, err := unix.SendmsgN(int(fd), b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch err {
		case unix.EINTR:
			continue
		case unix.EINPROGRESS:
			return 0, nil
		}
		return max(n, 0), explain("connect", err)
	}
}

// Inspect reads TCP_INFO.
func Inspect(fd uintptr) (Info, error) {
	t, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return Info{}, explain("getsockopt", err)
	}
	i := Info{
		SynData:  t.Options&optSynData != 0,
		Child:    t.Options&optTFOChild != 0,
		Failure:  failure(t),
		Answered: t.Bytes_acked > 0,
		RTT:      time.Duration(t.Rtt) * time.Microsecond,
		Retrans:  int(t.Total_retrans),
		Backoff:  int(t.Backoff),
		Received: t.Bytes_received,
	}
	switch t.State {
	case stateSynSent:
		i.State = SynSent
	case stateSynRecv:
		i.State = SynReceived
	case stateClose:
		i.State = Dead
	}
	return i, nil
}

// failure reads the two-bit field tcpi_fastopen_client_fail, which
// unix.TCPInfo leaves to the padding behind Options.
func failure(t *unix.TCPInfo) Failure {
	b := *(*byte)(unsafe.Add(unsafe.Pointer(t), unsafe.Offsetof(t.Options)+2))
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return Failure(b >> 5 & 3)
	}
	return Failure(b >> 1 & 3)
}
