package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Values and sizes of include/uapi/linux/inet_diag.h, which x/sys/unix does
// not have.
const (
	stateListen = 10 // TCP_LISTEN

	diagRequestLen = 56 // struct inet_diag_req_v2
	diagMessageLen = 72 // struct inet_diag_msg

	diagInfo    = 2  // INET_DIAG_INFO
	diagV6Only  = 11 // INET_DIAG_SKV6ONLY, one byte
	diagULP     = 19 // INET_DIAG_ULP_INFO, attributes
	diagULPName = 1  // INET_ULP_INFO_NAME, a string
)

// diagnose asks sock_diag(7) for the listeners, without owners and Fast Open
// queues: it does not tell those.
func diagnose() ([]Listener, error) {
	var all []Listener
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		some, err := dump(family)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// dump returns the listeners of one address family.
func dump(family uint8) ([]Listener, error) {
	for tries := 0; ; tries++ {
		req := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
		req.AddData(diagRequest(family))
		messages, err := req.Execute(unix.NETLINK_SOCK_DIAG, nl.SOCK_DIAG_BY_FAMILY)
		switch {
		case errors.Is(err, nl.ErrDumpInterrupted) && tries < 3:
			continue
		case errors.Is(err, nl.ErrDumpInterrupted):
			// What changes all the time can only be shown as it is.
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
			return nil, errNoDiag(err)
		case family == unix.AF_INET6 && errors.Is(err, unix.EAFNOSUPPORT):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("kernel: ask for the sockets that listen: %w", os.NewSyscallError("sock_diag", err))
		}
		var all []Listener
		for _, m := range messages {
			if l, device, ok := parseDiag(m); ok {
				l.bound(device)
				all = append(all, l)
			}
		}
		return all, nil
	}
}

// A diagRequest asks for the listeners of an address family: a struct
// inet_diag_req_v2.
type diagRequest uint8

func (d diagRequest) Len() int { return diagRequestLen }

func (d diagRequest) Serialize() []byte {
	b := make([]byte, 0, diagRequestLen)
	// Nothing of tcp_info is wanted, but the ULP's name comes only with it.
	b = append(b, byte(d), unix.IPPROTO_TCP, 1<<(diagInfo-1), 0)
	b = binary.NativeEndian.AppendUint32(b, 1<<stateListen)
	return b[:diagRequestLen]
}

// parseDiag reads a struct inet_diag_msg and the attributes behind it. The
// index of the device that the socket is bound to is 0 for any device.
func parseDiag(b []byte) (l Listener, device uint32, ok bool) {
	if len(b) < diagMessageLen || b[1] != stateListen {
		return l, 0, false
	}
	var local netip.Addr
	switch b[0] {
	case unix.AF_INET:
		local = netip.AddrFrom4([4]byte(b[8:12]))
	case unix.AF_INET6:
		local = netip.AddrFrom16([16]byte(b[8:24]))
	default:
		return l, 0, false
	}
	device = binary.NativeEndian.Uint32(b[40:])
	l.Local = netip.AddrPortFrom(local, binary.BigEndian.Uint16(b[4:]))
	l.Waiting = int(int32(binary.NativeEndian.Uint32(b[56:])))
	l.Backlog = int(int32(binary.NativeEndian.Uint32(b[60:])))
	l.UID = binary.NativeEndian.Uint32(b[64:])
	l.Inode = uint64(binary.NativeEndian.Uint32(b[68:]))
	eachAttr(b[diagMessageLen:], func(kind uint16, value []byte) {
		switch kind {
		case diagV6Only:
			l.V6Only = len(value) > 0 && value[0] != 0
		case diagULP:
			eachAttr(value, func(kind uint16, value []byte) {
				if kind == diagULPName {
					l.MPTCP = unix.ByteSliceToString(value) == "mptcp"
				}
			})
		}
	})
	return l, device, true
}

// eachAttr calls f with each of the netlink attributes in b, up to the first
// one that is not whole.
func eachAttr(b []byte, f func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofNlAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofNlAttr || n > len(b) {
			return
		}
		f(binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofNlAttr:n])
		b = b[min((n+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
	}
}

// bound notes the device that the socket is bound to, 0 for none. It is part
// of a link-local address.
func (l *Listener) bound(device uint32) {
	if device == 0 {
		return
	}
	l.Device = "if" + strconv.FormatUint(uint64(device), 10)
	if i, err := net.InterfaceByIndex(int(device)); err == nil {
		l.Device = i.Name
	}
	if a := l.Local.Addr(); a.IsLinkLocalUnicast() && a.Is6() {
		l.Local, l.Device = netip.AddrPortFrom(a.WithZone(l.Device), l.Local.Port()), ""
	}
}
