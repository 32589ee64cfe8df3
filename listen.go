package fastopen

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// DefaultQueue is [ListenConfig.Queue] where that is zero. It is also what
// Linux allows by default (net.core.somaxconn).
const DefaultQueue = 4096

// A ListenConfig makes listeners that grant Fast Open cookies and accept
// data in SYNs. Its fields are those of [net.ListenConfig] where it has
// them; the zero value works. A host without Fast Open gives plain
// listeners, never an error: [Listener.FastOpen] tells.
type ListenConfig struct {
	// Control is as in [net.ListenConfig]. It runs after the ListenConfig
	// has set its own options on the socket.
	Control func(network, address string, c syscall.RawConn) error

	// KeepAlive and KeepAliveConfig are as in [net.ListenConfig].
	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig

	// Queue is the greatest number of connections that may at one time have
	// been opened by a SYN with a valid cookie and not yet have finished
	// their handshake. Further clients connect the plain way until it falls,
	// and get no cookie. So it should be large, since one client on a slow
	// path holds a place for a round trip and a vanished one for minutes
	// (127 s on Linux), and it is a limit on what somebody with a valid
	// cookie can make the server do with forged SYNs. The kernel cuts it to
	// the greatest listen backlog; systems other than Linux set the limit
	// themselves. Zero means [DefaultQueue]; negative means no Fast Open.
	Queue int

	// Keys are what the listener makes cookies with. Whenever the Keyring
	// is given other keys, so is the listener, at once; the kernel keeps the
	// primary and the first backup. Nil, or an empty Keyring, means the
	// host's keys. If the listener cannot be given its keys it has no Fast
	// Open, since it would grant cookies that no other host accepts.
	Keys *tfo.Keyring

	// NoCookie accepts data in SYNs without a cookie, from anybody, and
	// grants none (TCP_FASTOPEN_NO_COOKIE; Linux only). Anybody can then
	// make the server send its first answer to a victim of their choice.
	NoCookie bool

	// Network is the TCP to listen with; nil means the operating system's.
	// Control must be nil then, since there is no socket to control.
	Network Network

	mptcp bool
}

// SetMultipathTCP says whether to listen with Multipath TCP where the kernel
// has it.
//
// Unlike in package net, the default is not to: Linux leaves the timestamp
// option out of every SYN-ACK that grants a cookie on such a listener, and
// does not keep SYNs for it, so that [Listener.Stats] cannot tell a client
// that asked for a cookie from one without Fast Open. Data in SYNs is
// accepted either way.
func (lc *ListenConfig) SetMultipathTCP(use bool) { lc.mptcp = use }

// MultipathTCP reports whether Multipath TCP will be used where the kernel
// has it.
func (lc *ListenConfig) MultipathTCP() bool { return lc.mptcp }

// Listen announces on a TCP address with a zero [ListenConfig].
func Listen(network, address string) (*Listener, error) {
	var lc ListenConfig
	return lc.Listen(context.Background(), network, address)
}

// Listen announces on a TCP address, like [net.ListenConfig.Listen]. The
// network must be "tcp", "tcp4" or "tcp6".
func (lc *ListenConfig) Listen(ctx context.Context, network, address string) (*Listener, error) {
	if !isTCP(network) {
		return nil, &net.OpError{Op: "listen", Net: network, Err: net.UnknownNetworkError(network)}
	}
	if lc.Network != nil {
		return lc.listenOver(ctx, network, address)
	}
	return lc.listenSystem(ctx, network, address)
}

var errOff = errors.New("fastopen: Fast Open was switched off by ListenConfig.Queue")

// queue is Queue with its default, 0 for none.
func (lc *ListenConfig) queue() int {
	if lc.Queue == 0 {
		return DefaultQueue
	}
	return max(lc.Queue, 0)
}

// A Listener is a TCP listener whose connections can arrive with data in
// their SYN. Such a connection is accepted at its SYN, before the client has
// proved to be there: see [Conn.Early] and [Conn.Confirmed].
type Listener struct {
	tl    fastOpenListener
	stats [5]atomic.Uint64
}

// A fastOpenListener is a listener of the operating system or of another
// Network.
type fastOpenListener interface {
	NetworkListener
	FastOpen() error
}

// FastOpen returns nil if the operating system took the listener's Fast Open
// settings, and otherwise what kept it from that: [errors.ErrUnsupported] on
// a system that has no Fast Open. That the host's own switch is off does not
// count, since it can be put on at any time and takes effect at once (on
// Linux, bit 2 of net.ipv4.tcp_fastopen). On macOS alone it must be on when the
// listener is made (and on FreeBSD that one or the clients' switch).
func (l *Listener) FastOpen() error { return l.tl.FastOpen() }

// Accept waits for the next connection, which is a [*Conn].
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptConn is Accept with the type that it returns.
func (l *Listener) AcceptConn() (*Conn, error) {
	conn, err := l.tl.Accept()
	if err != nil {
		return nil, err
	}
	tc := &socket{conn.(NetworkConn)}
	c := &Conn{accepted: &accepted{tc.Handshake().Outcome}}
	c.tc.Store(tc)
	c.open.Store(true)
	l.count(c.accepted.out)
	return c, nil
}

// Close stops listening. Connections that were accepted stay.
func (l *Listener) Close() error { return l.tl.Close() }

// Addr returns the address that the listener listens on, a [*net.TCPAddr].
func (l *Listener) Addr() net.Addr { return l.tl.Addr() }

// SetDeadline makes Accept fail after t, as [net.TCPListener.SetDeadline].
func (l *Listener) SetDeadline(t time.Time) error { return l.tl.SetDeadline(t) }

// SyscallConn implements [syscall.Conn]. A listener of a [Network] that has no
// descriptors has none either ([errors.ErrUnsupported]).
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	if c, ok := l.tl.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Stats counts the connections that a listener has accepted, by what their
// SYN brought.
type Stats struct {
	Accepted  uint64 // all of them, the sum of the others
	Data      uint64 // data in the SYN that was accepted
	Cookie    uint64 // a valid cookie and no data: opened early all the same
	Requested uint64 // a request for a cookie
	Refused   uint64 // a cookie that was not honoured: old, foreign, or the queue was full
	Plain     uint64 // no Fast Open in it, or nothing known of it
}

// Stats returns the listener's counters.
func (l *Listener) Stats() Stats {
	s := Stats{
		Data:      l.stats[0].Load(),
		Cookie:    l.stats[1].Load(),
		Requested: l.stats[2].Load(),
		Refused:   l.stats[3].Load(),
		Plain:     l.stats[4].Load(),
	}
	s.Accepted = s.Data + s.Cookie + s.Requested + s.Refused + s.Plain
	return s
}

func (l *Listener) count(o tfo.Outcome) {
	i := 4
	switch {
	case o.Status == tfo.DataAccepted:
		i = 0
	case o.Status == tfo.Off && o.Cause == tfo.NoData:
		i = 1
	case o.Status == tfo.CookieRequested:
		i = 2
	case o.Status == tfo.FellBack && o.Cause != tfo.NoCookie, o.Cause == tfo.BadCookie, o.Cause == tfo.Overload:
		i = 3
	}
	l.stats[i].Add(1)
}
