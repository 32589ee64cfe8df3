package stack

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// DialContext connects to address, which is a host and a port as [net.Dial] takes
// them; names are looked up by [Stack.Resolver]. The networks are "tcp", "tcp4",
// "tcp6", "udp", "udp4" and "udp6". What it returns for TCP is a [*Conn] whose
// handshake is done; data never goes into its SYN.
func (t *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
		c, err := t.dial(ctx, network, address, nil)
		if err != nil {
			return nil, err
		}
		return c, nil
	case "udp", "udp4", "udp6":
		return t.dialUDP(ctx, network, address)
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(network)}
}

// Dial is DialContext without a context.
func (t *Stack) Dial(network, address string) (net.Conn, error) {
	return t.DialContext(context.Background(), network, address)
}

// DialEarly connects and sends early, which can reach the peer's application twice:
// as much of it as fits rides in the SYN if there is a cookie for the destination.
// It returns when the handshake is done.
func (t *Stack) DialEarly(ctx context.Context, network, address string, early []byte) (*Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
		return t.dial(ctx, network, address, early)
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(network)}
}

// dial tries the addresses one after the other. With several, each gets its share
// of the time that is left.
func (t *Stack) dial(ctx context.Context, network, address string, early []byte) (*Conn, error) {
	var one [1]netip.AddrPort // so that an address, which is what most dial, allocates nothing
	remotes := one[:]
	var ok bool
	if one[0], ok = literal(network, address); !ok {
		var err error
		if remotes, err = t.resolve(ctx, network, address); err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
	}
	var first error
	for i, remote := range remotes {
		one, cancel := share(ctx, len(remotes)-i)
		c, err := t.dialOne(one, remote, early)
		cancel()
		if err == nil {
			return c, nil
		}
		if first == nil {
			// As package net: the best address says what is wrong.
			first = t.dialError(network, netip.AddrPort{}, remote, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// share is a context for one of n tries.
func share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok || n == 1 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, max(time.Until(end)/time.Duration(n), min(2*time.Second, time.Until(end))))
}

func (t *Stack) dialOne(ctx context.Context, remote netip.AddrPort, early []byte) (*Conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	c, err := t.begin(netip.AddrPort{}, remote, tfo.DialConfig{}, early[:min(len(early), maxEarly)], false)
	if err != nil {
		return nil, err
	}
	if err := c.await(ctx, "", tfo.Confirmed); err != nil {
		c.abandon()
		return nil, err
	}
	if len(early) <= maxEarly {
		return c, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetWriteDeadline(time.Unix(1, 0)) })
	if _, err = c.Write(early[maxEarly:]); !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			// The deadline that the write came to is only the messenger.
			err = context.Cause(ctx)
		}
		c.abandon()
		return nil, err
	}
	return c, nil
}

// maxEarly is how much is given to a connection before its SYN leaves.
const maxEarly = 32 << 10

// abandon closes a connection whose handshake is not wanted any more.
func (c *Conn) abandon() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// dialError makes an error what package net would make of it.
func (t *Stack) dialError(network string, local, remote netip.AddrPort, err error) error {
	e := &net.OpError{Op: "dial", Net: network, Err: err}
	if local.IsValid() {
		e.Source = net.TCPAddrFromAddrPort(local)
	}
	if remote.IsValid() {
		e.Addr = net.TCPAddrFromAddrPort(remote)
	}
	var inner *net.OpError
	switch no, ok := err.(syscall.Errno); {
	case ok:
		e.Err = os.NewSyscallError("connect", no)
	case errors.Is(err, context.DeadlineExceeded):
		// As package net: a timeout that is also errors.Is the context's.
		e.Err = timeout{}
	case errors.As(err, &inner):
		e.Err = inner.Err
	}
	return e
}

// timeout is what a dial fails with whose context has come to its deadline.
type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }
func (timeout) Is(err error) bool {
	return err == context.DeadlineExceeded || err == os.ErrDeadlineExceeded
}

// Resolver looks names up at the servers of Config.DNS, through the stack: at the first
// that answers, and at the same from then on.
func (t *Stack) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if len(t.dns) == 0 {
			return nil, errNoServer
		}
		// The address is of the machine's own server, which the stack may
		// not reach. It has no number of tries either: package net asks
		// twice, perhaps for two kinds of address at the same time.
		t.mu.Lock()
		q := question{t, t.turn}
		t.mu.Unlock()
		c, err := t.DialContext(ctx, network, t.dns[q.turn%len(t.dns)].String())
		if err != nil {
			q.failed()
			return nil, err
		}
		if u, ok := c.(*UDPConn); ok {
			return &packetQuestion{u, q}, nil
		}
		return &streamQuestion{c, q}, nil
	}}
}

// question is to a name server.
type question struct {
	stack *Stack
	turn  int
}

// failed has those that follow ask the next server.
func (q question) failed() {
	q.stack.mu.Lock()
	if q.stack.turn == q.turn {
		q.stack.turn++
	}
	q.stack.mu.Unlock()
}

// packetQuestion and streamQuestion are connections to a name server that note when it
// does not answer; the former also when it says that it cannot.
type (
	packetQuestion struct {
		*UDPConn
		question
	}
	streamQuestion struct {
		net.Conn
		question
	}
)

// Read implements [net.Conn].
func (q *packetQuestion) Read(p []byte) (int, error) {
	n, err := q.UDPConn.Read(p)
	const noError, noSuchName = 0, 3
	if err != nil || n > 3 && p[3]&15 != noError && p[3]&15 != noSuchName {
		q.failed()
	}
	return n, err
}

// Read implements [net.Conn].
func (q *streamQuestion) Read(p []byte) (int, error) {
	n, err := q.Conn.Read(p)
	if err != nil {
		q.failed()
	}
	return n, err
}

var errNoServer = errors.New("the stack knows no name server: set Config.DNS, or dial addresses")

// lookup finds the addresses of a name.
func (t *Stack) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	found, err := t.Resolver().LookupNetIP(ctx, network, host)
	var d *net.DNSError
	if errors.As(err, &d) {
		// It names the machine's own server, which was not asked.
		d.Server = ""
	}
	return found, err
}

// literal reads an address that is written in numbers and of the network's family.
func literal(network, address string) (netip.AddrPort, bool) {
	p, err := netip.ParseAddrPort(address)
	if err != nil {
		return p, false
	}
	p = netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	return p, suits(network, p.Addr())
}

// suits reports whether an address is of the family that a network is of, if that
// is of one.
func suits(network string, a netip.Addr) bool {
	switch network[len(network)-1] {
	case '4':
		return a.Is4()
	case '6':
		return !a.Is4()
	}
	return true
}

// resolve finds the addresses of what is to be dialed.
func (t *Stack) resolve(ctx context.Context, network, address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		n, err := net.DefaultResolver.LookupPort(ctx, network, service)
		if err != nil {
			return nil, err
		}
		port = uint64(n)
	}
	family := network[len(network)-1:]
	var found []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		found = []netip.Addr{a.Unmap()}
	} else if host == "" {
		found = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	} else {
		ip := "ip"
		if family == "4" || family == "6" {
			ip += family
		}
		if found, err = t.lookup(ctx, ip, host); err != nil {
			return nil, err
		}
	}
	var all []netip.AddrPort
	for _, a := range found {
		a = a.Unmap()
		if suits(network, a) {
			all = append(all, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	if len(all) == 0 {
		return nil, &net.AddrError{Err: "no suitable address", Addr: host}
	}
	return all, nil
}
