package wg

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

// A PingAddr is the address of a ping socket: an IP address.
type PingAddr struct{ addr netip.Addr }

// PingAddrFromAddr makes a PingAddr.
func PingAddrFromAddr(addr netip.Addr) *PingAddr { return &PingAddr{addr.Unmap()} }

// String is the IP address.
func (a PingAddr) String() string { return a.addr.String() }

// Network is "ping4" or "ping6", or "ping" if there is no address.
func (a PingAddr) Network() string {
	switch {
	case a.addr.Is4():
		return "ping4"
	case a.addr.Is6():
		return "ping6"
	}
	return "ping"
}

// Addr is the IP address.
func (a PingAddr) Addr() netip.Addr { return a.addr }

// A PingConn sends ICMP echo requests, of either family, and receives the
// replies to them. What is written and read are whole ICMP messages; the identifier
// of a request is the socket's, whatever is written there, and the checksum is
// made.
type PingConn struct {
	pings         *pings
	local, remote netip.Addr
	id            uint16

	mu      sync.Mutex
	change  chan struct{} // closed when something below changes
	replies []reply
	end     time.Time // of reads
	closed  bool
}

var (
	_ net.Conn       = (*PingConn)(nil)
	_ net.PacketConn = (*PingConn)(nil)
)

type reply struct {
	from    netip.Addr
	message []byte
}

// maxReplies may wait at a socket; more are dropped.
const maxReplies = 64

// DialPingAddr makes a ping socket with a local and a remote address. One of them
// may be invalid: then the local one is chosen, or each message says where to.
func (n *Net) DialPingAddr(laddr, raddr netip.Addr) (*PingConn, error) {
	laddr, raddr = laddr.Unmap(), raddr.Unmap()
	if !laddr.IsValid() && !raddr.IsValid() {
		return nil, missing("dial", "ping")
	}
	if raddr.IsValid() && (!laddr.IsValid() || laddr.IsUnspecified()) || laddr.IsUnspecified() {
		v4 := raddr.Is4() || !raddr.IsValid() && laddr.Is4()
		laddr = netip.Addr{}
		for _, a := range n.addrs {
			if a = a.Unmap(); a.Is4() == v4 {
				laddr = a
				break
			}
		}
	}
	own := false
	for _, a := range n.addrs {
		own = own || a.Unmap() == laddr
	}
	if !own || raddr.IsValid() && raddr.Is4() != laddr.Is4() {
		return nil, &net.OpError{Op: "dial", Net: "ping", Addr: PingAddr{raddr}, Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}
	}
	c := &PingConn{pings: n.pings, local: laddr, remote: raddr, change: make(chan struct{})}
	if err := n.pings.add(c); err != nil {
		return nil, &net.OpError{Op: "dial", Net: "ping", Addr: PingAddr{raddr}, Err: err}
	}
	return c, nil
}

// ListenPingAddr makes a ping socket with a local address.
func (n *Net) ListenPingAddr(laddr netip.Addr) (*PingConn, error) {
	return n.DialPingAddr(laddr, netip.Addr{})
}

// DialPing is DialPingAddr; nil is an invalid address.
func (n *Net) DialPing(laddr, raddr *PingAddr) (*PingConn, error) {
	var la, ra netip.Addr
	if laddr != nil {
		la = laddr.addr
	}
	if raddr != nil {
		ra = raddr.addr
	}
	return n.DialPingAddr(la, ra)
}

// ListenPing is ListenPingAddr.
func (n *Net) ListenPing(laddr *PingAddr) (*PingConn, error) { return n.DialPing(laddr, nil) }

// pingHost finds the address of a host that is to be pinged.
func (n *Net) pingHost(ctx context.Context, network, host string) (netip.Addr, error) {
	ip := map[string]string{"ping": "ip", "ping4": "ip4", "ping6": "ip6"}[network]
	if ip == "" {
		return netip.Addr{}, net.UnknownNetworkError(network)
	}
	found := []netip.Addr{{}}
	var err error
	if found[0], err = netip.ParseAddr(host); err != nil {
		if found, err = n.stack.Resolver().LookupNetIP(ctx, ip, host); err != nil {
			return netip.Addr{}, err
		}
	}
	for _, a := range found {
		a = a.Unmap()
		for _, own := range n.addrs {
			if own.Unmap().Is4() == a.Is4() && (ip == "ip" || a.Is4() == (ip == "ip4")) {
				return a, nil
			}
		}
	}
	return netip.Addr{}, &net.AddrError{Err: "no suitable address", Addr: host}
}

// LocalAddr is a PingAddr.
func (c *PingConn) LocalAddr() net.Addr { return PingAddr{c.local} }

// RemoteAddr is a PingAddr.
func (c *PingConn) RemoteAddr() net.Addr { return PingAddr{c.remote} }

// Write sends an echo request to the remote address.
func (c *PingConn) Write(p []byte) (int, error) { return c.WriteTo(p, PingAddr{c.remote}) }

// WriteTo sends an echo request to addr, a PingAddr or [net.IPAddr].
func (c *PingConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	var to netip.Addr
	switch a := addr.(type) {
	case PingAddr:
		to = a.addr
	case *PingAddr:
		to = a.addr
	case *net.IPAddr:
		to, _ = netip.AddrFromSlice(a.IP)
	}
	if err := c.write(p, to.Unmap()); err != nil {
		return 0, &net.OpError{Op: "write", Net: "ping", Source: c.LocalAddr(), Addr: addr, Err: err}
	}
	return len(p), nil
}

var errNotEcho = errors.New("not an echo request of the socket's family: give a whole ICMP message of type 8, or for IPv6 128")

func (c *PingConn) write(p []byte, to netip.Addr) error {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	if !to.IsValid() || to.Is4() != c.local.Is4() {
		return os.NewSyscallError("sendto", syscall.EAFNOSUPPORT)
	}
	h := wire.IP{Src: c.local, Dst: to, Protocol: wire.ProtocolICMP}
	echo := byte(8)
	if to.Is6() {
		h.Protocol, echo = wire.ProtocolICMPv6, 128
	}
	if len(p) < 8 || p[0] != echo || p[1] != 0 {
		return errNotEcho
	}
	mtu, _ := c.pings.MTU()
	if len(p)+40 > mtu { // 20 too strict for IPv4, where nobody will miss them
		return os.NewSyscallError("sendto", syscall.EMSGSIZE)
	}
	m := wire.ICMP{Kind: wire.EchoRequest, Body: binary.BigEndian.AppendUint16(nil, c.id)}
	m.Body = append(m.Body, p[6:]...)
	packet := m.Append(h.Append(nil, len(p)), h.Src, h.Dst)
	_, err := c.pings.Send([]wire.Packet{{Head: packet}})
	return err
}

// Read reads a reply. What does not fit into p is lost.
func (c *PingConn) Read(p []byte) (int, error) {
	n, _, err := c.ReadFrom(p)
	return n, err
}

// ReadFrom reads a reply and tells whose it is, a [*PingAddr].
func (c *PingConn) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return 0, nil, c.readError(net.ErrClosed)
		}
		left := time.Until(c.end)
		if !c.end.IsZero() && left <= 0 {
			c.mu.Unlock()
			return 0, nil, c.readError(os.ErrDeadlineExceeded)
		}
		if len(c.replies) > 0 {
			r := c.replies[0]
			c.replies = c.replies[1:]
			c.mu.Unlock()
			return copy(p, r.message), &PingAddr{r.from}, nil
		}
		change, timer := c.change, (<-chan time.Time)(nil)
		if !c.end.IsZero() {
			t := time.NewTimer(left)
			defer t.Stop()
			timer = t.C
		}
		c.mu.Unlock()
		select {
		case <-change:
		case <-timer:
		}
	}
}

func (c *PingConn) readError(err error) error {
	return &net.OpError{Op: "read", Net: "ping", Source: c.LocalAddr(), Err: err}
}

// update changes the socket and wakes those who read.
func (c *PingConn) update(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.change)
	c.change = make(chan struct{})
}

// SetDeadline is SetReadDeadline: writing never waits.
func (c *PingConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writing never waits.
func (c *PingConn) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline is as [net.Conn] has it.
func (c *PingConn) SetReadDeadline(t time.Time) error {
	c.update(func() { c.end = t })
	return nil
}

// Close ends the socket and wakes readers.
func (c *PingConn) Close() error {
	c.pings.remove(c)
	err := error(nil)
	c.update(func() {
		if c.closed {
			err = &net.OpError{Op: "close", Net: "ping", Err: net.ErrClosed}
		}
		c.closed = true
	})
	return err
}

// pings is the stack's link, at which ping sockets look on: the stack itself has
// no use for replies.
type pings struct {
	*link.Pipe
	mu     sync.Mutex
	conns  map[uint16]*PingConn // by identifier
	closed bool
}

// Receive is the pipe's.
func (s *pings) Receive(batch []wire.Packet) (n int, err error) {
	n, err = s.Pipe.Receive(batch)
	for i := range batch[:n] {
		s.look(batch[i].Head)
	}
	return n, err
}

// look gives a socket what it waits for.
func (s *pings) look(b []byte) {
	if len(b) < 28 || b[0]>>4 == 4 && b[9] != wire.ProtocolICMP || b[0]>>4 == 6 && b[6] != wire.ProtocolICMPv6 {
		return
	}
	h, body, ok := wire.ParseIP(b)
	if !ok || h.IsFragment() || h.Protocol != wire.ProtocolICMP && h.Protocol != wire.ProtocolICMPv6 {
		return
	}
	m, ok := wire.ParseICMP(h.Src, h.Dst, body)
	if !ok || m.Kind != wire.EchoReply {
		return
	}
	s.mu.Lock()
	c := s.conns[binary.BigEndian.Uint16(m.Body)]
	s.mu.Unlock()
	if c == nil || c.local != h.Dst || c.remote.IsValid() && c.remote != h.Src {
		return
	}
	c.update(func() {
		if len(c.replies) < maxReplies {
			c.replies = append(c.replies, reply{h.Src, append([]byte(nil), body...)})
		}
	})
}

// add finds an identifier for a socket.
func (s *pings) add(c *PingConn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	if s.conns == nil {
		s.conns = map[uint16]*PingConn{}
	}
	if len(s.conns) >= 1<<15 {
		return os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	for c.id = uint16(rand.Uint32()); s.conns[c.id] != nil; {
		c.id++
	}
	s.conns[c.id] = c
	return nil
}

func (s *pings) remove(c *PingConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.id] == c {
		delete(s.conns, c.id)
	}
}

// closeAll ends every socket.
func (s *pings) closeAll() {
	s.mu.Lock()
	conns := s.conns
	s.conns, s.closed = nil, true
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}
