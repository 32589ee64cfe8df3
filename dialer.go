package fastopen

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// A Dialer opens TCP connections whose first bytes may ride in the SYN. Its
// fields are those of [net.Dialer] and mean the same, so a net.Dialer
// becomes a fastopen.Dialer by a change of its type; the zero value works.
// Only TCP is different: every other network is passed to package net.
//
// A Dialer may be used by several goroutines at once; do not copy or change
// it after its first use.
type Dialer struct {
	// Timeout is how long a dial may take, zero for no limit of ours. When
	// [Dialer.DialContext] returns before the SYN has left, what is then
	// left of Timeout (and of Deadline, and of the context's deadline) is
	// granted anew to the opening, counted from the SYN.
	Timeout time.Duration

	// Deadline is the moment by which a dial must be done; zero means none.
	Deadline time.Time

	// LocalAddr is the address to dial from, as in [net.Dialer].
	LocalAddr net.Addr

	// FallbackDelay is how long to wait for a SYN-ACK before the next
	// attempt starts beside the one under way: first a plain connection to
	// the same address, in case the path eats SYNs with data in them, then
	// the name's other addresses (RFC 8305). Zero means 300 ms, or twice
	// the round-trip time last seen to that address if that is longer. If
	// negative, attempts never run side by side.
	FallbackDelay time.Duration

	// KeepAlive and KeepAliveConfig are as in [net.Dialer].
	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig

	// Resolver looks names up; nil means [net.DefaultResolver].
	Resolver *net.Resolver

	// Control and ControlContext are as in [net.Dialer]. They run after the
	// Dialer has set its own options on the socket.
	Control        func(network, address string, c syscall.RawConn) error
	ControlContext func(ctx context.Context, network, address string, c syscall.RawConn) error

	// Policy says how many of the first bytes written to a connection may
	// ride in its SYN, from which they can reach the server twice. Nil
	// means [Safe].
	Policy Policy

	// ReadWait is how long a Read that comes before any Write waits for one
	// before it opens the connection without data, so that protocols in
	// which the server speaks first work, and those in which a reading
	// goroutine is quicker than the writing one lose nothing. It matters
	// only on connections that were put off because a cookie was at hand.
	// Zero means 10 ms; negative means not to wait.
	ReadWait time.Duration

	// Cache remembers what worked and what failed, by destination. Nil
	// means one that all Dialers of the process share.
	Cache *tfo.Cache

	// Partition separates what Cache remembers: Dialers with different
	// partitions learn nothing from each other. Name the network that the
	// host is on, or the user on whose behalf it dials, if those change.
	// The kernel's own cookies are not partitioned by it.
	Partition string

	// NoCookie sends data in SYNs without any cookie, and never asks for
	// one (TCP_FASTOPEN_NO_COOKIE; Linux only). It is for networks in which
	// every server is told to accept that.
	NoCookie bool

	// Off makes every connection a plain one.
	Off bool

	// Network is the TCP to dial with; nil means the operating system's. Names
	// are looked up by Resolver all the same, so that may have to be one that
	// asks over the same network. Control and ControlContext must be nil,
	// since there is no socket to control, and networks other than TCP are
	// refused.
	Network Network

	mptcp bool
}

// defaultCache is what Dialers without a Cache share.
var defaultCache tfo.Cache

// SetMultipathTCP says whether to dial with Multipath TCP where the kernel
// has it. As in package net, the default is not to. Fast Open works with
// both.
func (d *Dialer) SetMultipathTCP(use bool) { d.mptcp = use }

// MultipathTCP reports whether the Dialer uses Multipath TCP where the
// kernel has it.
func (d *Dialer) MultipathTCP() bool { return d.mptcp }

// Dial connects to address with a zero [Dialer].
func Dial(network, address string) (net.Conn, error) {
	var d Dialer
	return d.Dial(network, address)
}

// Dial is [Dialer.DialContext] without a context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address, like [net.Dialer.DialContext]. On TCP
// networks the result is a [*Conn].
//
// Where a cookie for the destination is at hand, DialContext returns at once
// and nothing is sent: the first Write sends the SYN, with as much of its
// bytes as the Policy allows. Those bytes can reach the server twice, or
// reach two of a name's addresses. Everything after them cannot. A host that
// then turns out to be unreachable is reported by the first Write or Read,
// with the error that a dial would have returned.
//
// In every other case DialContext returns when the handshake is done. The
// context's end after DialContext has returned does not matter to the
// connection.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !isTCP(network) && d.Network == nil {
		return d.plain(nil).DialContext(ctx, network, address)
	}
	c, err := d.dial(ctx, network, address, nil)
	if err != nil {
		return nil, err // not a nil *Conn in a net.Conn
	}
	return c, nil
}

// DialEarly connects to address and sends early, which can reach the server
// twice, or reach two of a name's addresses: call it only with bytes of
// which that is harmless. As many of them as fit ride in the SYN if a cookie
// is at hand; the Policy is not asked. DialEarly returns when the handshake
// is done and all of early was handed to the operating system.
//
// It works on Linux, macOS, FreeBSD and Windows; how much the Outcome can
// tell differs, see the package's Limitations. On other systems, early is
// written after the handshake.
func (d *Dialer) DialEarly(ctx context.Context, network, address string, early []byte) (*Conn, error) {
	// A copy, since an attempt that lost may still read it when DialEarly has
	// returned; and not nil, which would stand for bytes that come by Write.
	early = append([]byte{}, early...)
	return d.dial(ctx, network, address, early)
}

func (d *Dialer) dial(ctx context.Context, network, address string, early []byte) (*Conn, error) {
	switch {
	case !isTCP(network):
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(network)}
	case d.Network != nil && (d.Control != nil || d.ControlContext != nil):
		return nil, &net.OpError{Op: "dial", Net: network, Err: errNoSocket}
	}
	return (&dialing{Dialer: d, network: network, early: early}).dial(ctx, address)
}

func isTCP(network string) bool {
	return network == "tcp" || network == "tcp4" || network == "tcp6"
}

// plain returns the net.Dialer that makes one attempt at one address.
func (d *Dialer) plain(control func(context.Context, string, string, syscall.RawConn) error) *net.Dialer {
	nd := &net.Dialer{
		LocalAddr:       d.LocalAddr,
		KeepAlive:       d.KeepAlive,
		KeepAliveConfig: d.KeepAliveConfig,
		Resolver:        d.Resolver,
		Control:         d.Control,
		ControlContext:  d.ControlContext,
	}
	if control == nil {
		nd.Timeout, nd.Deadline, nd.FallbackDelay = d.Timeout, d.Deadline, d.FallbackDelay
	} else {
		nd.Control, nd.ControlContext = nil, control
	}
	nd.SetMultipathTCP(d.mptcp)
	return nd
}

// limit applies Timeout and Deadline to ctx.
func (d *Dialer) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	end := d.Deadline
	if d.Timeout != 0 {
		if t := time.Now().Add(d.Timeout); end.IsZero() || t.Before(end) {
			end = t
		}
	}
	if end.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end)
}

// cache returns the memory that d uses.
func (d *Dialer) cache() *tfo.Cache {
	if d.Cache != nil {
		return d.Cache
	}
	return &defaultCache
}

// path names a destination in that memory.
func (d *Dialer) path(remote netip.AddrPort) tfo.Path {
	p := tfo.Path{Partition: d.Partition, Remote: remote}
	if a, ok := d.LocalAddr.(*net.TCPAddr); ok && a != nil {
		p.Local = a.AddrPort().Addr().Unmap()
	}
	return p
}

// delay is how long an attempt at path may go unanswered before the next
// one starts beside it.
func (d *Dialer) delay(e tfo.Entry) time.Duration {
	switch {
	case d.FallbackDelay > 0:
		return d.FallbackDelay
	case d.FallbackDelay < 0:
		return never
	}
	return max(300*time.Millisecond, 2*e.RTT)
}

const (
	// never is longer than any connection takes to open.
	never = time.Duration(1<<63 - 1)

	// maxEarly is the most that is put into a SYN. No path of the Internet
	// carries more; loopback would.
	maxEarly = 16 << 10
)
