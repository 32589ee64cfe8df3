package sockopt

import (
	"encoding/binary"
	"time"
)

// The structures in which systems other than Linux tell of a connection, as
// bytes, since golang.org/x/sys declares none of them whole. They are in the
// host's byte order.

const (
	sizeTCPConnectionInfo = 112 // up to tcpi_txretransmitpackets
	sizeTCPInfoFreeBSD    = 256 // more than it has
	sizeTCPInfoV0         = 88
)

// Bits of struct tcp_connection_info's Fast Open field, lowest first (XNU,
// bsd/netinet/tcp.h). All of Apple's processors are little-endian.
const (
	xnuCookieReq  = 1 << 0  // we asked for a cookie
	xnuSynLoss    = 1 << 2  // the SYN was lost, and sent again without Fast Open
	xnuDataSent   = 1 << 3  // our SYN carried data
	xnuDataAcked  = 1 << 4  // all of them were acknowledged by the SYN-ACK
	xnuDataRcv    = 1 << 5  // their SYN carried data and a valid cookie
	xnuHeuristics = 1 << 11 // the kernel pauses Fast Open on this network
)

// States of a connection in 4.4BSD's numbers, which FreeBSD and XNU share.
const (
	bsdClosed      = 0
	bsdSynSent     = 2
	bsdSynReceived = 3
)

// decodeXNU reads a struct tcp_connection_info.
func decodeXNU(b []byte) Info {
	u32, u64 := binary.NativeEndian.Uint32, binary.NativeEndian.Uint64
	flags := u32(b[52:])
	i := Info{
		State:    bsdState(uint32(b[0])),
		Answered: b[0] > bsdSynReceived,
		RTT:      time.Duration(u32(b[44:])) * time.Millisecond, // tcpi_srtt
		Received: u64(b[88:]),                                   // tcpi_rxbytes
		Retrans:  int(u64(b[104:])),                             // tcpi_txretransmitpackets
		SynData:  flags&(xnuDataAcked|xnuDataRcv) != 0,
	}
	i.Child = flags&xnuDataRcv != 0 || i.State == SynReceived
	switch {
	case flags&xnuDataAcked != 0:
	case flags&xnuDataSent != 0 && flags&xnuSynLoss != 0:
		i.Failure = SynRetransmits
	case flags&xnuDataSent != 0:
		i.Failure = NotAcked
	case flags&xnuCookieReq != 0:
		i.Failure = NoCookie
	case flags&xnuHeuristics == 0:
		i.Failure = NoRoom
	}
	return i
}

// decodeFreeBSD reads FreeBSD's struct tcp_info. child says that the
// connection was accepted at its SYN, and unread how many bytes wait to be
// read. That there were data in a child's SYN is certain only while its
// handshake is unfinished; after that, what waits or was read already may
// have come behind the SYN, but it may also be a repetition, so it counts.
func decodeFreeBSD(b []byte, child bool, unread int) Info {
	i := Info{
		State:    bsdState(uint32(b[0])),
		Answered: b[0] > bsdSynReceived,
		RTT:      time.Duration(binary.NativeEndian.Uint32(b[68:])) * time.Microsecond, // tcpi_rtt
		Received: uint64(unread),
		Child:    child,
		Failure:  Untold,
	}
	i.SynData = child && (i.State != SynReceived || unread > 0)
	return i
}

func bsdState(s uint32) State {
	switch s {
	case bsdClosed:
		return Dead
	case bsdSynSent:
		return SynSent
	case bsdSynReceived:
		return SynReceived
	}
	return Other
}

// decodeWindows reads a TCP_INFO_v0, whose states have BSD's numbers. It
// does not tell of Fast Open. But a connection that is accepted before its
// handshake is done can only be a child, and if it is done at accept,
// nothing that came on it is a repetition. Whether there were data in a
// child's SYN is not told, so they count as there.
func decodeWindows(b []byte) Info {
	u32 := binary.NativeEndian.Uint32
	i := Info{
		State:    bsdState(u32(b)),
		Answered: u32(b) > bsdSynReceived,
		RTT:      time.Duration(u32(b[20:])) * time.Microsecond, // RttUs
		Received: binary.NativeEndian.Uint64(b[56:]),            // BytesIn
		Retrans:  int(b[84]),                                    // SynRetrans
		Failure:  Untold,
	}
	i.Child = i.State == SynReceived
	i.SynData = i.Child
	return i
}
