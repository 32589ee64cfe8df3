package tcp

import (
	"errors"

	"github.com/fastopen-go/fastopen/wire"
)

// What ended a connection, or why a call could do nothing. A shell maps them to
// its system's own: the errno is in the comment.
var (
	// ErrRefused: the destination answered our SYN with a reset (ECONNREFUSED).
	ErrRefused = errors.New("tcp: connection refused: nothing listens on the destination port")
	// ErrReset: the peer reset the connection (ECONNRESET).
	ErrReset = errors.New("tcp: connection reset by peer")
	// ErrTimeout: no answer within the retransmission limits, the user
	// timeout or the keepalive limit (ETIMEDOUT).
	ErrTimeout = errors.New("tcp: connection timed out: the peer stopped answering")
	// ErrAborted: Abort was called here, or Close with data unread (ECONNABORTED).
	ErrAborted = errors.New("tcp: connection aborted by this end")
	// ErrClosed: a write after CloseWrite or Close (EPIPE).
	ErrClosed = errors.New("tcp: write on a connection whose sending side was closed")
	// ErrNotConnected: the connection is not open yet (EAGAIN).
	ErrNotConnected = errors.New("tcp: connection is not established yet")
)

// Unreachable is the error of a connection that an ICMP message ended
// (EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, ENOPROTOOPT by Kind).
type Unreachable struct{ Kind wire.ICMPKind }

// Error says what the network reported.
func (u Unreachable) Error() string {
	switch u.Kind {
	case wire.NetUnreachable:
		return "tcp: network unreachable: a router reported no route to the destination"
	case wire.HostUnreachable:
		return "tcp: host unreachable: a router reported that the destination does not answer"
	case wire.PortUnreachable:
		return "tcp: port unreachable: the destination reported that nothing takes this port"
	case wire.ProtocolUnknown:
		return "tcp: protocol unreachable: the destination reported that it does not speak TCP"
	case wire.AdminProhibited:
		return "tcp: destination unreachable: a filter on the way reported that it prohibits this connection"
	case wire.HopLimitExceeded:
		return "tcp: host unreachable: the hop limit ran out on the way, which usually means a routing loop"
	}
	return "tcp: destination unreachable: the network reported an error"
}
