package stack

import (
	"net/netip"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

type keyring = *tfo.Keyring

// Listen takes connections from now on, or changes the backlog of a socket that
// does. A socket that is not bound gets a port. The backlog is how many
// connections may wait for Accept, cut to Settings.MaxBacklog; 0 is 128.
func (s *Socket) Listen(now time.Time, backlog int) error {
	h := s.host
	switch {
	case s.flags&closed != 0:
		return syscall.EBADF
	case s.conn != nil || s.flags&putOff != 0:
		return syscall.EINVAL
	}
	e := s.extra()
	e.backlog = min(max(or(backlog, 128), 1), h.settings.maxBacklog())
	if e.listener != nil {
		e.listener.SetBacklog(e.backlog)
		return nil
	}
	if !s.isBound() {
		if err := s.Bind(netip.AddrPort{}); err != nil {
			return err
		}
	}
	if h.settings.everyListener() && (!e.fast.set || e.fast.queue == 0) {
		// As Linux: also where it was set to 0 before.
		e.fast.queue = or(h.settings.Listen.MaxPending, e.backlog)
	}
	if h.listeners[e.local] != nil {
		return syscall.EADDRINUSE
	}
	e.children = map[*tcp.Conn]*Socket{}
	e.listener = tcp.Listen(h.config(e.variant(0)), tcp.ListenConfig{Backlog: e.backlog}, e.local)
	h.listeners[e.local] = s
	s.refreshListener()
	return nil
}

// Accept takes the connection that has waited longest: EAGAIN if none does,
// EINVAL if the socket does not listen. One that Fast Open has opened is there
// from its SYN on. It may have been reset meanwhile: then its data can be read, and
// then the error.
func (s *Socket) Accept(now time.Time) (*Socket, error) {
	switch {
	case s.flags&closed != 0:
		return nil, syscall.EBADF
	case s.ext == nil || s.ext.listener == nil:
		return nil, syscall.EINVAL
	}
	c := s.ext.listener.Accept()
	if c == nil {
		return nil, syscall.EAGAIN
	}
	child := s.ext.children[c]
	delete(s.ext.children, c)
	child.parent = nil
	child.flags |= connected
	s.ext.offered = s.ext.listener.Acceptable()
	return child, nil
}

// Acceptable is how many connections wait for Accept.
func (s *Socket) Acceptable() int {
	if s.ext == nil || s.ext.listener == nil {
		return 0
	}
	return s.ext.listener.Acceptable()
}

// PendingFastOpen is how many connections of a listener count against its queue:
// in use, and not confirmed.
func (s *Socket) PendingFastOpen() int {
	if s.ext == nil || s.ext.listener == nil {
		return 0
	}
	return s.ext.listener.Pending()
}

// offer tells that a child has become ready for Accept.
func (s *Socket) offer(child *Socket) {
	n := s.ext.listener.Acceptable()
	if n > s.ext.offered {
		s.rouse()
	}
	s.ext.offered = n
}

// stopListening ends the listener; those that wait in it are reset.
func (s *Socket) stopListening(now time.Time) {
	h, e := s.host, s.ext
	h.stats.addListener(s)
	delete(h.listeners, e.local)
	ended := e.listener.Close(now)
	for _, c := range ended {
		if child := e.children[c]; child != nil {
			child.flags |= closed
			child.parent = nil
			h.attend(now, child)
		}
	}
	e.listener, e.children = nil, nil
}

// inherit gives a connection that came in what its listener has set.
func (s *Socket) inherit(now time.Time, child *Socket) {
	child.flags |= s.flags & (noDelay | keepalive)
	if s.ext.lingers >= 0 {
		child.extra().lingers = s.ext.lingers
	}
	child.applyOptions(now)
}

// refreshListener gives the machine what the socket and the host say of Fast Open, and
// of SYN cookies, now: the host's switches count for every SYN, and at once.
func (s *Socket) refreshListener() {
	set, e := &s.host.settings, s.ext
	f := set.Listen
	f.MaxPending = min(e.fast.queue, set.maxBacklog())
	if !set.FastOpen.has(FastOpenServer) {
		f.MaxPending = 0
	}
	if e.fast.keys != nil && !e.fast.keys.Keys().IsZero() {
		f.Keys = e.fast.keys
	}
	if f.Keys == nil {
		f.Keys = s.host.keys
	}
	if e.fast.noCookie || set.FastOpen.has(FastOpenServerCookieless) {
		f.Cookieless = everyone
	}
	if e.fast.extra != nil {
		e.fast.extra(&f)
	}
	e.listener.SetFastOpen(f)
	e.listener.SetSYNQueue(set.SYNQueue)
}

// Close gives the socket up. Of a connection, what was sent is still delivered,
// and what comes is refused; with data unread, or a linger time of zero, it is
// reset at once, and one whose SYN was not answered is forgotten. Of a listener,
// those that wait for Accept are reset.
func (s *Socket) Close(now time.Time) error { return s.close(now, false) }

// close is Close; with deliver, data in a SYN that was not answered is still
// delivered.
func (s *Socket) close(now time.Time, deliver bool) error {
	if s.flags&closed != 0 {
		return syscall.EBADF
	}
	s.flags |= closed
	if s.ext != nil && s.ext.listener != nil {
		s.stopListening(now)
	}
	c := s.conn
	if c == nil || s.flags&gone != 0 {
		if c != nil {
			c.Close(now)
			s.letGo()
		}
		s.unbind()
		s.host.settle(now)
		return nil
	}
	if s.ext != nil && s.ext.lingers == 0 || c.State() == tcp.SynSent && !deliver {
		c.Abort(now)
	} else {
		c.Close(now)
	}
	s.host.touch(s)
	s.host.settle(now)
	return nil
}
