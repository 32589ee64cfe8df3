package kernel

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const stateSynRecv = 3 // TCP_SYN_RECV

// Pending returns how many connections there are, by their local address, that
// were opened by Fast Open and whose handshake is not done: those that count
// against the Queue of a listener, save for the ones that were reset, which
// the kernel counts for another minute and does not show.
//
// The kernel goes through its table of all connections to tell, which takes
// it some milliseconds.
func Pending() (map[netip.AddrPort]int, error) {
	pending := map[netip.AddrPort]int{}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		req := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
		req.AddData(pendingRequest(family))
		messages, err := req.Execute(unix.NETLINK_SOCK_DIAG, nl.SOCK_DIAG_BY_FAMILY)
		switch {
		case errors.Is(err, nl.ErrDumpInterrupted):
			// What changes all the time can only be shown as it is.
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
			return nil, errNoDiag(err)
		case family == unix.AF_INET6 && errors.Is(err, unix.EAFNOSUPPORT):
			continue
		case err != nil:
			return nil, sentencef(err, "cannot ask for the connections whose handshake is not done: %v", err)
		}
		for _, m := range messages {
			if at, ok := parsePending(m); ok {
				pending[at]++
			}
		}
	}
	return pending, nil
}

// A pendingRequest asks for the sockets of an address family that are in
// SYN-RECEIVED: a struct inet_diag_req_v2.
type pendingRequest uint8

func (p pendingRequest) Len() int { return diagRequestLen }

func (p pendingRequest) Serialize() []byte {
	b := make([]byte, 0, diagRequestLen)
	b = append(b, byte(p), unix.IPPROTO_TCP, 1<<(diagInfo-1), 0)
	b = binary.NativeEndian.AppendUint32(b, 1<<stateSynRecv)
	return b[:diagRequestLen]
}

// parsePending reads a struct inet_diag_msg and the attributes behind it. Most
// of what is in SYN-RECEIVED are plain requests, which are no sockets yet and
// have no tcp_info: only with Fast Open is there a socket before the
// handshake is done. (Or when both ends connect to each other at once.)
func parsePending(b []byte) (at netip.AddrPort, ok bool) {
	if len(b) < diagMessageLen || b[1] != stateSynRecv {
		return at, false
	}
	var local netip.Addr
	switch b[0] {
	case unix.AF_INET:
		local = netip.AddrFrom4([4]byte(b[8:12]))
	case unix.AF_INET6:
		local = netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	default:
		return at, false
	}
	eachAttr(b[diagMessageLen:], func(kind uint16, _ []byte) { ok = ok || kind == diagInfo })
	return netip.AddrPortFrom(local, binary.BigEndian.Uint16(b[4:])), ok
}
