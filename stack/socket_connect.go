package stack

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
)

// Connect begins a connection. It returns EINPROGRESS: the socket is writable
// when it is open, or has failed, which PendingError tells. It returns nil if
// SetFastOpenConnect was called and a cookie is at hand: then nothing is sent, and
// the first Send opens the connection.
//
// Called again it returns EALREADY while the connection opens, then nil once, and
// EISCONN from then on; or what the attempt has failed with.
func (s *Socket) Connect(now time.Time, remote netip.AddrPort) error {
	switch err := s.connectable(); {
	case err == errAlreadyOpen:
		return nil
	case err != nil:
		return err
	}
	remote, err := checkRemote(remote)
	if err != nil {
		return err
	}
	if s.flags&deferConnect == 0 {
		return s.open(now, remote, plainSYN, nil, 0)
	}
	local, link, err := s.endpoint(remote)
	if err != nil {
		return err
	}
	mode := s.clientMode()
	s.extra().mode = mode
	if _, ok := tcp.Early(now, s.host.config(s.ext.variant(link)), local, remote); ok {
		s.ext.remote = remote
		s.flags |= putOff
		return nil
	}
	return s.open(now, remote, mode, nil, 0)
}

// ConnectWith begins a connection with data (sendto with MSG_FASTOPEN). With a
// cookie at hand, it returns how many bytes the SYN took. Without one, it returns
// EINPROGRESS, the SYN asks for a cookie, and nothing of p is kept. Where a connection
// has begun already, it fails as Connect does.
//
// The data can reach the peer's application twice: RFC 7413 section 6.1.
func (s *Socket) ConnectWith(now time.Time, remote netip.AddrPort, p []byte) (int, error) {
	if !s.host.settings.clientOn() {
		return 0, syscall.EOPNOTSUPP
	}
	if s.flags&putOff != 0 {
		return s.Send(now, p)
	}
	switch err := s.connectable(); {
	case err == errAlreadyOpen:
		// As Connect does, it tells once that there is a connection.
		return s.Send(now, p)
	case err != nil:
		return 0, err
	}
	remote, err := checkRemote(remote)
	if err != nil {
		return 0, err
	}
	return s.openWith(now, remote, s.clientMode(), p)
}

// Disconnect makes the socket as if it had never been connected, or puts an end
// to listening (connect with AF_UNSPEC). The connection is reset, which PendingError
// tells as ECONNRESET.
func (s *Socket) Disconnect(now time.Time) error {
	if s.flags&closed != 0 {
		return syscall.EBADF
	}
	if s.ext != nil && s.ext.listener != nil {
		s.stopListening(now)
	}
	given := s.flags & putOff
	if c := s.conn; c != nil {
		switch c.State() {
		case tcp.Closed, tcp.Closing, tcp.LastAck, tcp.TimeWait:
		default:
			given = putOff
		}
		c.Abort(now)
		s.host.attend(now, s)
		s.conn = nil
	}
	s.flags &= reuseAddr | noDelay | keepalive | deferConnect | touched
	if given != 0 {
		s.flags |= disconnected
	}
	s.rouse()
	s.host.settle(now)
	return nil
}

// connectable says whether a connection may begin.
func (s *Socket) connectable() error {
	switch {
	case s.flags&closed != 0:
		return syscall.EBADF
	case s.ext != nil && s.ext.listener != nil, s.flags&putOff != 0:
		return syscall.EISCONN
	case s.conn == nil:
		return nil
	}
	switch s.conn.State() {
	case tcp.SynSent:
		return syscall.EALREADY
	case tcp.Closed:
		if s.flags&connected == 0 {
			// The attempt has failed. The next one begins afresh.
			err := s.takeError()
			s.conn = nil
			s.flags &^= errorTaken | gone
			if err == nil {
				err = syscall.ECONNABORTED
			}
			s.rouse()
			return err
		}
		return syscall.EISCONN
	}
	if s.flags&(connected|passive) == 0 && s.conn.Confirmed() {
		s.flags |= connected
		return errAlreadyOpen
	}
	return syscall.EISCONN
}

// errAlreadyOpen is connectable's way to say that connect has succeeded.
var errAlreadyOpen = errors.New("connection is open")

func checkRemote(remote netip.AddrPort) (netip.AddrPort, error) {
	a := remote.Addr().Unmap().WithZone("")
	switch {
	case !a.IsValid(), remote.Port() == 0:
		return remote, syscall.EADDRNOTAVAIL
	case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return remote, syscall.ENETUNREACH
	case a.IsUnspecified():
		// This host, as everywhere.
		if a.Is4() {
			a = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		} else {
			a = netip.IPv6Loopback()
		}
	}
	return netip.AddrPortFrom(a, remote.Port()), nil
}

// clientMode is how the socket is to use Fast Open.
func (s *Socket) clientMode() clientMode {
	set := &s.host.settings
	switch {
	case !set.clientOn():
		return plainSYN
	case set.FastOpen.has(FastOpenClientCookieless), s.ext != nil && s.ext.fast.noCookie:
		return cookieless
	}
	return byCookie
}

// open begins a connection without data.
func (s *Socket) open(now time.Time, remote netip.AddrPort, mode clientMode, early []byte, wanted int) error {
	if err := s.dial(now, remote, mode, early, wanted); err != nil {
		return err
	}
	s.host.touch(s)
	s.host.settle(now)
	return syscall.EINPROGRESS
}

// openWith begins one with as much of p as its SYN takes.
func (s *Socket) openWith(now time.Time, remote netip.AddrPort, mode clientMode, p []byte) (int, error) {
	local, link, err := s.endpoint(remote)
	if err != nil {
		return 0, err
	}
	v := s.ext.variant(link)
	v.mode = mode
	room, ok := tcp.Early(now, s.host.config(v), local, remote)
	n := min(room, len(p))
	if err := s.open(now, remote, mode, p[:n], len(p)); err != syscall.EINPROGRESS {
		return 0, err
	}
	if !ok || n == 0 {
		return 0, syscall.EINPROGRESS
	}
	return n, nil
}

// endpoint chooses the local address, and the link.
func (s *Socket) endpoint(remote netip.AddrPort) (local netip.AddrPort, link int16, err error) {
	h := s.host
	link, _, ok := h.route(remote.Addr())
	if !ok {
		return local, 0, syscall.ENETUNREACH
	}
	if h.links[link].down {
		return local, 0, syscall.ENETDOWN
	}
	if s.ext != nil {
		local = s.ext.local
	}
	a := local.Addr()
	switch {
	case !a.IsValid() || a.IsUnspecified():
		if a.IsValid() && a.Is4() != remote.Addr().Is4() {
			return local, 0, syscall.EAFNOSUPPORT
		}
		if a, ok = h.source(remote.Addr(), link); !ok {
			return local, 0, syscall.EADDRNOTAVAIL
		}
	case a.Is4() != remote.Addr().Is4():
		return local, 0, syscall.EAFNOSUPPORT
	}
	return netip.AddrPortFrom(a, local.Port()), link, nil
}

// dial makes the connection, with a port that is free.
func (s *Socket) dial(now time.Time, remote netip.AddrPort, mode clientMode, early []byte, wanted int) error {
	h := s.host
	if h.conns.n >= h.settings.maxSockets() {
		return syscall.ENFILE
	}
	local, link, err := s.endpoint(remote)
	if err != nil {
		return err
	}
	v := s.ext.variant(link)
	v.mode = mode
	cfg := h.config(v)
	if local.Port() == 0 {
		local, err = h.ephemeral(cfg, local.Addr(), remote)
		if err != nil {
			return err
		}
	} else if f := flowOf(local, remote); h.inUse(&f) {
		return syscall.EADDRNOTAVAIL
	}
	s.flags &^= disconnected
	s.conn = tcp.Dial(now, cfg, local, remote, early)
	s.conn.SetWanted(wanted)
	s.link = link
	if mode != plainSYN {
		s.flags |= fastOpenAlive
	}
	s.applyOptions(now)
	h.conns.add(s)
	h.stats.Opened++
	return nil
}

// ephemeral finds a port for a connection to remote.
func (h *Host) ephemeral(cfg *tcp.Config, local netip.Addr, remote netip.AddrPort) (netip.AddrPort, error) {
	low, high := h.settings.lowPort(), h.settings.highPort()
	for try := range int(high-low) + 1 {
		from := netip.AddrPortFrom(local, h.ports.Port(cfg, local, remote, low, high, try))
		f := flowOf(from, remote)
		if h.inUse(&f) || len(h.bound) > 0 && h.portTaken(from, false) {
			continue
		}
		h.ports.Taken(try)
		return from, nil
	}
	return netip.AddrPort{}, syscall.EADDRNOTAVAIL
}

// inUse reports whether there is, or was lately, a connection of that name.
func (h *Host) inUse(f *flow) bool {
	if _, ok := h.conns.get(f); ok {
		return true
	}
	_, ok := h.waits.get(f)
	return ok
}
