package fastopen

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// A Network is a TCP that [Dialer] and [ListenConfig] use in place of the
// operating system's: one in user space, at the end of a tunnel or of a
// simulated path. What fastopen adds is above it: when a connection is put
// off, what may ride in a SYN, what is tried beside it, and what is remembered.
//
// Its two methods speak in types of other packages alone, so that a TCP need
// not import this one to be a Network.
type Network interface {
	// DialFastOpen begins a connection and does not wait for its handshake.
	// What it returns is a [NetworkConn].
	//
	// If a cookie for remote is at hand (or config says to do without), nothing
	// is sent: the connection is put off until Begin. Otherwise the SYN leaves,
	// with a request for a cookie unless config forbids it.
	//
	// An invalid address in local means any, and a port of 0 any port. There
	// is an error only if the connection cannot even be tried: no route, no
	// such local address, no port left.
	DialFastOpen(local, remote netip.AddrPort, config tfo.DialConfig) (net.Conn, error)

	// ListenFastOpen announces on local, and returns a [NetworkListener]. An
	// invalid address means every address of both families, an unspecified
	// one every address of its family, and a port of 0 any port.
	ListenFastOpen(local netip.AddrPort, config tfo.ListenConfig) (net.Listener, error)
}

// A NetworkConn is a connection of a [Network]: what a [net.TCPConn] is, as far
// as that has nothing to do with a descriptor, and three methods for its
// beginning.
//
// All that a net.Conn promises holds from the start, before Begin too: a Read
// waits, deadlines and Close wake whoever waits. Close delivers, in the
// background, what Begin and Write have taken, even if the SYN was not answered
// yet; after SetLinger(0) it drops them. A connection that is still put off closes
// without a trace.
//
// Errors are those of package net: [errors.Is] finds [net.ErrClosed],
// [os.ErrDeadlineExceeded], and syscall's ECONNREFUSED, ECONNRESET, ETIMEDOUT,
// EHOSTUNREACH and ENETUNREACH.
type NetworkConn interface {
	net.Conn
	io.ReaderFrom
	io.WriterTo

	CloseRead() error
	CloseWrite() error
	SetKeepAlive(on bool) error
	SetKeepAliveConfig(config net.KeepAliveConfig) error
	SetKeepAlivePeriod(d time.Duration) error
	SetLinger(sec int) error
	SetNoDelay(on bool) error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error

	// Begin sends the SYN of a connection that was put off, with as much of
	// early in it as fits, and returns how much that is. It does not wait for
	// the answer. The bytes are the first of the stream: they will arrive,
	// in the SYN or behind it.
	Begin(early []byte) (n int, err error)

	// Handshake tells how far the handshake is, and what came of Fast Open.
	Handshake() tfo.Handshake

	// Await waits until the handshake has reached stage. If it has already,
	// nothing else counts. Otherwise Await also ends with ctx, whose cause it
	// then returns, with Close ([net.ErrClosed]), and with a deadline of the
	// connection: that of reads if op is "read", that of writes if op is
	// "write", none if it is empty. If the connection is dead before it has
	// reached the stage, Await returns what it died of, except that
	// [tfo.Closed] is reached by Close alone: it is awaited on a dead
	// connection, too.
	//
	// Reads and Writes that run at the same time are not disturbed.
	Await(ctx context.Context, op string, stage tfo.Stage) error
}

// A NetworkListener is a listener of a [Network]. What it accepts are
// [NetworkConn]s; one whose SYN was trusted is accepted at the SYN.
type NetworkListener interface {
	net.Listener

	// SetDeadline makes Accept fail after t.
	SetDeadline(t time.Time) error
}
