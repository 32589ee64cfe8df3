package stack

import (
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
)

// A Socket is a TCP socket of a [Host] that never waits: an operation that cannot
// be done now fails with EAGAIN, or EINPROGRESS for a connect. Errors are
// [syscall.Errno] values, those that Linux returns in the same place, and [io.EOF]
// where Linux returns 0 for the end of the stream.
//
// Use [Host.Socket] to make one; those of connections that came in are made by
// [Socket.Accept].
type Socket struct {
	host    *Host
	conn    *tcp.Conn // nil unless connected or connecting, now or once, and not in past
	past    *past     // what is left of conn when it is over and the socket closed
	parent  *Socket   // the listener it waits in for Accept
	ext     *extra    // what few sockets need
	blocked *blocked  // who waits for it, in a Stack
	slot    int32     // where its alarm is
	wakeups uint32
	link    int16
	flags   socketFlags
}

// extra is of listeners, and of sockets with an address or options of their own.
type extra struct {
	local     netip.AddrPort // as bound; the address may be invalid, for any of both families
	remote    netip.AddrPort // of a connection that was put off
	last      netip.AddrPort // local, of a listener that was closed
	partition string
	tuning    tuning
	mode      clientMode

	listener *tcp.Listener
	children map[*tcp.Conn]*Socket // whose connections wait for Accept, or for being ready to
	backlog  int
	offered  int // how many could be accepted when that was last told
	fast     fastOpenListener
	lingers  time.Duration // SO_LINGER: less than 0 is off
}

// fastOpenListener is what a listener was told of Fast Open.
type fastOpenListener struct {
	set      bool // queue was set
	queue    int
	keys     keyring
	noCookie bool
	extra    func(*tcp.FastOpenServer)
}

type socketFlags uint32

const (
	touched        socketFlags = 1 << iota // is to be attended to
	gone                                   // its connection is over and forgotten by the host
	passive                                // came in
	closed                                 // its owner has closed it
	errorTaken                             // what ended the connection was told
	noSpace                                // a send found no room: tell when there is some
	shutRead                               // nothing is read any more
	shutWrite                              // nothing is sent any more
	connected                              // connect has told of the handshake's end
	putOff                                 // connect returned before anything was sent
	deferConnect                           // connect is to be put off if a cookie is at hand
	noDelay                                // options for connections to come
	keepalive                              //
	reuseAddr                              //
	fastOpenAlive                          // Fast Open was in use: count what becomes of it
	softError                              // ICMP has said something
	outcomeCounted                         // what became of Fast Open is in the counters
	disconnected                           // a connection was given up here: an error to be told
)

// Socket makes a TCP socket.
func (h *Host) Socket() *Socket {
	return &Socket{host: h}
}

func (s *Socket) extra() *extra {
	if s.ext == nil {
		s.ext = &extra{lingers: -1}
	}
	return s.ext
}

func (e *extra) variant(link int16) variant {
	if e == nil {
		return variant{link: link}
	}
	return variant{link: link, mode: e.mode, partition: e.partition, tuning: e.tuning}
}

// begun reports whether there is a connection, or was one.
func (s *Socket) begun() bool { return s.conn != nil || s.past != nil }

func (s *Socket) flow() flow { return flowOf(s.conn.Local(), s.conn.Remote()) }

// Bind gives the socket its address: EADDRNOTAVAIL if the host does not have it,
// EADDRINUSE if another has it, EINVAL if the socket has one. An invalid address
// stands for all of both families, an unspecified one for all of its own; port 0
// is chosen by Bind.
func (s *Socket) Bind(local netip.AddrPort) error {
	local = netip.AddrPortFrom(local.Addr().Unmap().WithZone(""), local.Port())
	switch {
	case s.flags&closed != 0:
		return syscall.EBADF
	case s.isBound() || s.conn != nil || s.flags&putOff != 0:
		return syscall.EINVAL
	}
	h := s.host
	if err := h.bindable(local.Addr()); err != nil {
		return err
	}
	if local.Port() == 0 {
		var ok bool
		if local, ok = h.freePort(local.Addr()); !ok {
			return syscall.EADDRINUSE
		}
	} else if h.portTaken(local, s.flags&reuseAddr != 0) {
		return syscall.EADDRINUSE
	}
	s.extra().local = local
	h.bound[local.Port()] = append(h.bound[local.Port()], s)
	return nil
}

func (s *Socket) isBound() bool { return s.ext != nil && s.ext.local.Port() != 0 }

func (s *Socket) unbind() {
	if !s.isBound() {
		return
	}
	port := s.ext.local.Port()
	list := slices.DeleteFunc(s.host.bound[port], func(x *Socket) bool { return x == s })
	if len(list) == 0 {
		delete(s.host.bound, port)
	} else {
		s.host.bound[port] = list
	}
	s.ext.local = netip.AddrPort{}
}

// portTaken reports whether a bound socket is in the way. With reuse, only one
// that listens is.
func (h *Host) portTaken(local netip.AddrPort, reuse bool) bool {
	for _, b := range h.bound[local.Port()] {
		if !overlap(b.ext.local.Addr(), local.Addr()) {
			continue
		}
		if !reuse || b.flags&reuseAddr == 0 || b.ext.listener != nil {
			return true
		}
	}
	return false
}

// freePort chooses a port for a socket that is bound to an address only.
func (h *Host) freePort(a netip.Addr) (netip.AddrPort, bool) {
	low, high := h.settings.lowPort(), h.settings.highPort()
	cfg := &tcp.Config{Secret: h.secret}
	for try := range int(high-low) + 1 {
		p := netip.AddrPortFrom(a, h.ports.Port(cfg, a, netip.AddrPort{}, low, high, try))
		if !h.portTaken(p, false) {
			h.ports.Taken(try)
			return p, true
		}
	}
	return netip.AddrPort{}, false
}

// Local is the socket's own address: of its connection, or as bound.
func (s *Socket) Local() netip.AddrPort {
	switch {
	case s.conn != nil:
		return s.conn.Local()
	case s.past != nil:
		return s.past.localAddr()
	case s.ext != nil:
		return s.ext.local
	}
	return netip.AddrPort{}
}

// Remote is the peer's address: ENOTCONN without a peer.
func (s *Socket) Remote() (netip.AddrPort, error) {
	if s.over() || s.conn.State() == tcp.SynSent {
		return netip.AddrPort{}, syscall.ENOTCONN
	}
	return s.conn.Remote(), nil
}

// over reports whether there is no connection, or none any more. In TIME-WAIT there is
// none for a socket.
func (s *Socket) over() bool {
	return s.conn == nil || s.conn.State() == tcp.Closed || s.conn.State() == tcp.TimeWait
}

// observe takes what the machine says has happened.
func (s *Socket) observe(e tcp.Event) {
	if e == 0 {
		return
	}
	h := s.host
	if e&tcp.EventConfirmed != 0 {
		h.countFastOpen(s)
	}
	wake := e & (tcp.EventReadable | tcp.EventConfirmed | tcp.EventClosed)
	if e&tcp.EventWritable != 0 && s.flags&noSpace != 0 && s.writable() {
		s.flags &^= noSpace
		wake |= tcp.EventWritable
	}
	if wake != 0 {
		s.rouse()
	}
}

// rouse tells whoever watches the socket that its readiness may have changed.
func (s *Socket) rouse() {
	s.wakeups++
	if s.host.woken != nil {
		s.host.woken(s)
	}
}

// countFastOpen counts what became of Fast Open on a connection of ours.
func (h *Host) countFastOpen(s *Socket) {
	if s.flags&fastOpenAlive == 0 {
		return
	}
	f := &h.stats.FastOpen
	f.count(s)
}

// noteSoft keeps what ICMP has said for SO_ERROR.
func (s *Socket) noteSoft() {
	if s.conn.Soft() != 0 {
		s.flags |= softError
	}
}
