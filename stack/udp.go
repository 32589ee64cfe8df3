package stack

import (
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/wire"
)

// A UDPSocket sends and receives datagrams. Like [Socket] it never waits.
type UDPSocket struct {
	host    *Host
	local   netip.AddrPort // address invalid: any of both families
	remote  netip.AddrPort // if connected
	queue   []datagram     // received, not read
	queued  int            // bytes in queue, with what keeping them costs
	limit   int
	err     syscall.Errno // pending
	open    bool          // local is taken
	closed  bool
	wakeups uint32
	blocked *blocked
}

type datagram struct {
	from, to netip.AddrPort
	b        []byte // of the host's memory
	len      int
}

// UDP makes a socket for datagrams.
func (h *Host) UDP() *UDPSocket { return &UDPSocket{host: h, limit: 256 << 10} }

// Bind gives the socket its address. An invalid address stands for all of both
// families, an unspecified one for all of its own, and port 0 for a free one.
func (u *UDPSocket) Bind(local netip.AddrPort) error {
	local = netip.AddrPortFrom(local.Addr().Unmap().WithZone(""), local.Port())
	switch {
	case u.closed:
		return syscall.EBADF
	case u.open:
		return syscall.EINVAL
	}
	if err := u.host.bindable(local.Addr()); err != nil {
		return err
	}
	if local.Port() == 0 {
		var ok bool
		if local, ok = u.host.freeDatagramPort(local.Addr()); !ok {
			return syscall.EADDRINUSE
		}
	} else if u.host.datagramTaken(local) {
		return syscall.EADDRINUSE
	}
	u.local, u.open = local, true
	u.host.datagrams[local] = append(u.host.datagrams[local], u)
	return nil
}

// Connect fixes whom the socket sends to and receives from; an invalid address
// undoes that.
func (u *UDPSocket) Connect(remote netip.AddrPort) error {
	if u.closed {
		return syscall.EBADF
	}
	if !remote.IsValid() {
		u.remote = netip.AddrPort{}
		return nil
	}
	remote = netip.AddrPortFrom(remote.Addr().Unmap().WithZone(""), remote.Port())
	link, _, ok := u.host.route(remote.Addr())
	if !ok {
		return syscall.ENETUNREACH
	}
	src := u.local.Addr()
	if !src.IsValid() || src.IsUnspecified() {
		if src, ok = u.host.source(remote.Addr(), link); !ok {
			return syscall.ENETUNREACH
		}
	} else if src.Is4() != remote.Addr().Is4() {
		return syscall.EAFNOSUPPORT
	}
	if !u.open {
		if err := u.Bind(netip.AddrPortFrom(src, 0)); err != nil {
			return err
		}
	}
	u.remote = remote
	return nil
}

// Send sends p to whom the socket is connected.
func (u *UDPSocket) Send(now time.Time, p []byte) (int, error) {
	if !u.closed && !u.remote.IsValid() {
		return 0, syscall.EDESTADDRREQ
	}
	return u.SendTo(now, p, u.remote)
}

// SendTo sends p to an address. It fails at once with what ICMP has said of an
// earlier datagram of a connected socket (ECONNREFUSED), with EMSGSIZE beyond
// 65,507 bytes (65,527 over IPv6), and with ENETUNREACH without a route.
func (u *UDPSocket) SendTo(now time.Time, p []byte, to netip.AddrPort) (int, error) {
	h := u.host
	to = netip.AddrPortFrom(to.Addr().Unmap().WithZone(""), to.Port())
	switch {
	case u.closed:
		return 0, syscall.EBADF
	case u.err != 0:
		return 0, u.PendingError()
	case !to.Addr().IsValid() || to.Port() == 0:
		return 0, syscall.EINVAL
	}
	link, _, ok := h.route(to.Addr())
	if !ok {
		h.stats.Drops.NoRoute++
		return 0, syscall.ENETUNREACH
	}
	if h.links[link].down {
		return 0, syscall.ENETDOWN
	}
	src := u.local.Addr()
	if !src.IsValid() || src.IsUnspecified() {
		if src.IsValid() && src.Is4() != to.Addr().Is4() {
			return 0, syscall.EAFNOSUPPORT
		}
		if src, ok = h.source(to.Addr(), link); !ok {
			return 0, syscall.ENETUNREACH
		}
	} else if src.Is4() != to.Addr().Is4() {
		return 0, syscall.EAFNOSUPPORT
	}
	if !u.open {
		if err := u.Bind(netip.AddrPort{}); err != nil {
			return 0, err
		}
	}
	most := 65535 - wire.UDPHeaderLen
	if src.Is4() {
		most -= 20
	}
	if len(p) > most {
		return 0, syscall.EMSGSIZE
	}
	d := wire.Datagram{Src: netip.AddrPortFrom(src, u.local.Port()), Dst: to, Payload: p}
	h.now = now
	ip := wire.IP{Src: src, Dst: to.Addr(), Protocol: wire.ProtocolUDP}
	h.sendDatagram(h.links[link], &ip, &d)
	h.settle(now)
	return len(p), nil
}

// sendDatagram sends one without copying it, unless it is too long for one packet.
func (h *Host) sendDatagram(i *attachment, ip *wire.IP, d *wire.Datagram) {
	header := 20
	if !ip.Src.Is4() {
		header = 40
	}
	if header+wire.UDPHeaderLen+len(d.Payload) > i.mtu {
		whole := append(d.AppendHeader(make([]byte, 0, wire.UDPHeaderLen+len(d.Payload))), d.Payload...)
		h.sendWhole(int16(i.index), ip, whole)
		return
	}
	h.identify(ip)
	p := i.next()
	p.Head = ip.Append(p.Head, wire.UDPHeaderLen+len(d.Payload))
	p.Head = d.AppendHeader(p.Head)
	p.Payload = d.Payload
	h.queueTo(i, ip.Src, ip.Dst)
	if i.n > 0 {
		h.flushLink(i)
	}
}

// Receive takes the oldest datagram: as much of it as fits into p, the rest is
// lost. Without one it fails with EAGAIN, or with what ICMP has said.
func (u *UDPSocket) Receive(p []byte) (n int, from netip.AddrPort, err error) {
	switch {
	case u.closed:
		return 0, from, syscall.EBADF
	case u.err != 0:
		return 0, from, u.PendingError()
	case len(u.queue) == 0:
		return 0, from, syscall.EAGAIN
	}
	d := u.queue[0]
	u.queue[0] = datagram{}
	u.queue = u.queue[1:]
	u.queued -= len(d.b)
	n = copy(p, d.b[:d.len])
	u.host.memory.Put(d.b)
	return n, d.from, nil
}

// PendingError is what ICMP has said, once; nil if nothing.
func (u *UDPSocket) PendingError() error {
	e := u.err
	u.err = 0
	if e == 0 {
		return nil
	}
	return e
}

// Poll is the socket's readiness.
func (u *UDPSocket) Poll() Poll {
	if u.closed {
		return PollNVAL
	}
	p := PollOut | PollWrNorm
	if len(u.queue) > 0 {
		p |= PollIn | PollRdNorm
	}
	if u.err != 0 {
		p |= PollErr
	}
	return p
}

// Unread is how many bytes the oldest datagram has (FIONREAD).
func (u *UDPSocket) Unread() int {
	if len(u.queue) == 0 {
		return 0
	}
	return u.queue[0].len
}

// Local and Remote are the socket's addresses.
func (u *UDPSocket) Local() netip.AddrPort { return u.local }

// Remote is whom the socket is connected to.
func (u *UDPSocket) Remote() netip.AddrPort { return u.remote }

// SetReceiveBuffer bounds what is kept unread, in bytes.
func (u *UDPSocket) SetReceiveBuffer(n int) { u.limit = max(n, 2048) }

// Close ends the socket. What was not read is lost.
func (u *UDPSocket) Close() error {
	if u.closed {
		return syscall.EBADF
	}
	u.closed = true
	for _, d := range u.queue {
		u.host.memory.Put(d.b)
	}
	u.queue = nil
	if u.open {
		list := slices.DeleteFunc(u.host.datagrams[u.local], func(x *UDPSocket) bool { return x == u })
		if len(list) == 0 {
			delete(u.host.datagrams, u.local)
		} else {
			u.host.datagrams[u.local] = list
		}
	}
	return nil
}

// receiveDatagram gives a datagram to its socket.
func (h *Host) receiveDatagram(now time.Time, link int16, d *wire.Datagram, packet []byte) {
	u := h.datagramSocket(d.Dst, d.Src)
	if u == nil {
		h.stats.Drops.NoSocket++
		ip := wire.IP{Src: d.Src.Addr(), Dst: d.Dst.Addr()}
		h.sendError(now, link, &ip, wire.PortUnreachable, packet)
		return
	}
	b := h.memory.Get(max(len(d.Payload), 64))
	if u.queued+len(b) > u.limit {
		h.memory.Put(b)
		h.stats.Drops.ReceiveQueueFull++
		return
	}
	copy(b, d.Payload)
	u.queue = append(u.queue, datagram{d.Src, d.Dst, b, len(d.Payload)})
	u.queued += len(b)
	u.rouse()
}

// receiveError notes what ICMP says, if the socket is to hear of it.
//
// "UDP MUST pass to the application layer all ICMP error messages that it
// receives from the IP layer." Only a connected socket knows that they are of
// what it sent; as in Linux, the others do not hear of them.
// https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.3
func (u *UDPSocket) receiveError(m *wire.ICMP) {
	switch m.Kind {
	case wire.PortUnreachable, wire.ProtocolUnknown, wire.AdminProhibited:
		if u.remote.IsValid() {
			u.err = errnoOf(m.Kind, u.remote.Addr())
			u.rouse()
		}
	}
}

func (u *UDPSocket) rouse() {
	u.wakeups++
	if u.blocked != nil {
		u.blocked.wakeReaders()
	}
}

// datagramSocket finds who takes datagrams to local from remote: a connected
// socket before others, an address before all addresses.
func (h *Host) datagramSocket(local, remote netip.AddrPort) *UDPSocket {
	wild := netip.IPv6Unspecified()
	if local.Addr().Is4() {
		wild = netip.IPv4Unspecified()
	}
	for _, a := range [...]netip.Addr{local.Addr(), wild, {}} {
		var open *UDPSocket
		for _, u := range h.datagrams[netip.AddrPortFrom(a, local.Port())] {
			switch {
			case u.remote == remote:
				return u
			case !u.remote.IsValid():
				open = u
			}
		}
		if open != nil {
			return open
		}
	}
	return nil
}

// datagramTaken reports whether a socket has an address that overlaps.
func (h *Host) datagramTaken(local netip.AddrPort) bool {
	for a := range h.datagrams {
		if a.Port() == local.Port() && overlap(a.Addr(), local.Addr()) {
			return true
		}
	}
	return false
}

func (h *Host) freeDatagramPort(a netip.Addr) (netip.AddrPort, bool) {
	low, high := h.settings.lowPort(), h.settings.highPort()
	cfg := &tcp.Config{Secret: h.secret}
	for try := range int(high-low) + 1 {
		p := netip.AddrPortFrom(a, h.ports.Port(cfg, a, netip.AddrPort{}, low, high, try))
		if !h.datagramTaken(p) {
			h.ports.Taken(try)
			return p, true
		}
	}
	return netip.AddrPort{}, false
}

// overlap reports whether two addresses of sockets have one in common: an invalid
// one is all of both families, an unspecified one all of its own.
func overlap(a, b netip.Addr) bool {
	switch {
	case !a.IsValid() || !b.IsValid():
		return true
	case a.Is4() != b.Is4():
		return false
	}
	return a == b || a.IsUnspecified() || b.IsUnspecified()
}
