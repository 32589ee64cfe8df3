package stack

import (
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// SetReuseAddress lets Bind take a port that other sockets have which allow it
// too, unless one of them listens (SO_REUSEADDR).
func (s *Socket) SetReuseAddress(on bool) { s.setFlag(reuseAddr, on) }

// SetNoDelay switches Nagle's algorithm off (TCP_NODELAY). Like all options it may
// be set before there is a connection, and connections that come in have their
// listener's.
func (s *Socket) SetNoDelay(now time.Time, on bool) {
	s.setFlag(noDelay, on)
	if s.conn != nil {
		s.conn.SetNoDelay(on)
		s.host.touch(s)
		s.host.settle(now)
	}
}

// SetKeepalive asks an idle peer whether it is there (SO_KEEPALIVE).
func (s *Socket) SetKeepalive(now time.Time, on bool) {
	s.setFlag(keepalive, on)
	if s.conn != nil {
		s.conn.SetKeepalive(now, on)
		s.host.touch(s)
		s.host.settle(now)
	}
}

// SetKeepaliveConfig says when (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT). Zero
// fields mean what they mean in Settings.TCP.Keepalive.
func (s *Socket) SetKeepaliveConfig(now time.Time, k tcp.Keepalive) {
	if s.conn == nil {
		t := &s.extra().tuning
		t.keepalive, t.keepaliveSet = k, true
		return
	}
	s.conn.SetKeepaliveConfig(now, k)
	s.host.touch(s)
	s.host.settle(now)
}

// SetLinger says what Close does with what was not sent yet (SO_LINGER): with 0 it
// is thrown away, and the connection reset; with less it is delivered. More than 0
// is as less than 0: Close never waits.
func (s *Socket) SetLinger(d time.Duration) { s.extra().lingers = d }

// SetUserTimeout ends the connection when data stays unacknowledged for so long
// (TCP_USER_TIMEOUT), or its SYN unanswered; 0 leaves it to Settings.TCP.
func (s *Socket) SetUserTimeout(d time.Duration) {
	s.extra().tuning.userTimeout = d
	if s.conn != nil {
		s.conn.SetUserTimeout(d)
	}
}

// SetReceiveBuffer fixes how many bytes are kept unread (SO_RCVBUF; Linux doubles
// what it is told). Before there is a connection it also sets the window scale.
func (s *Socket) SetReceiveBuffer(n int) {
	n = max(n, 2048)
	if s.conn != nil {
		s.conn.SetReceiveBuffer(n)
		return
	}
	s.extra().tuning.receiveBuffer = n
}

// SetSendBuffer bounds how many bytes are kept unacknowledged and unsent
// (SO_SNDBUF).
func (s *Socket) SetSendBuffer(n int) {
	n = max(n, 4096)
	if s.conn != nil {
		s.conn.SetSendBuffer(n)
		return
	}
	s.extra().tuning.sendBuffer = n
}

// SetMaxSegment caps the segment size, in bytes (TCP_MAXSEG): EINVAL below 88, or
// once there is a connection.
func (s *Socket) SetMaxSegment(n int) error {
	if n < 88 || n > 32767 || s.begun() {
		return syscall.EINVAL
	}
	s.extra().tuning.maxMSS = uint16(n)
	return nil
}

// SetSYNCount is how many SYNs, or SYN-ACKs of a listener, are sent in vain
// (TCP_SYNCNT): EINVAL unless between 1 and 127. It counts at once for a SYN that
// was sent already.
func (s *Socket) SetSYNCount(n int) error {
	if n < 1 || n > 127 {
		return syscall.EINVAL
	}
	s.extra().tuning.synCount = n
	if s.conn != nil {
		s.conn.SetSYNRetries(n)
	}
	return nil
}

// SetInitialWindow is how many segments a connection to come sends at first.
func (s *Socket) SetInitialWindow(n int) { s.extra().tuning.initialWindow = max(n, 0) }

// SetPartition keeps what connections to come learn of destinations apart from
// what others do: see [tfo.Path].
func (s *Socket) SetPartition(p string) { s.extra().partition = p }

// SetFastOpen turns Fast Open on for a listener, or a socket that will be one
// (TCP_FASTOPEN): so many connections may be in use that are not confirmed, at
// most Settings.MaxBacklog. 0 turns it off. EINVAL if the socket is connected, or
// n less than 0.
func (s *Socket) SetFastOpen(n int) error {
	if n < 0 || s.begun() {
		return syscall.EINVAL
	}
	e := s.extra()
	e.fast.set, e.fast.queue = true, min(n, s.host.settings.maxBacklog())
	if e.listener != nil {
		s.refreshListener()
	}
	return nil
}

// FastOpen is what SetFastOpen has set, or listening under FastOpenEveryListener.
func (s *Socket) FastOpen() int {
	if s.ext == nil {
		return 0
	}
	return s.ext.fast.queue
}

// SetFastOpenKeys gives a listener keys of its own in place of the host's
// (TCP_FASTOPEN_KEY). Nil gives them back. They count from the next SYN on.
func (s *Socket) SetFastOpenKeys(k *tfo.Keyring) error {
	if s.begun() {
		return syscall.EINVAL
	}
	s.extra().fast.keys = k
	if s.ext.listener != nil {
		s.refreshListener()
	}
	return nil
}

// SetFastOpenServer changes the rest of a listener's side of Fast Open: f is
// called with what the host's settings and the socket's options come to, now and
// whenever they change.
func (s *Socket) SetFastOpenServer(f func(*tcp.FastOpenServer)) {
	s.extra().fast.extra = f
	if s.ext.listener != nil {
		s.refreshListener()
	}
}

// SetFastOpenNoCookie sends and accepts data in SYNs without any cookie
// (TCP_FASTOPEN_NO_COOKIE).
func (s *Socket) SetFastOpenNoCookie(on bool) error {
	if s.begun() {
		return syscall.EINVAL
	}
	s.extra().fast.noCookie = on
	if s.ext.listener != nil {
		s.refreshListener()
	}
	return nil
}

// SetFastOpenConnect has Connect wait for the first Send, if there is a cookie
// (TCP_FASTOPEN_CONNECT): EOPNOTSUPP where the host has Fast Open off for clients,
// EINVAL once there is a connection.
func (s *Socket) SetFastOpenConnect(on bool) error {
	switch {
	case !s.host.settings.clientOn():
		return syscall.EOPNOTSUPP
	case s.begun() || s.flags&putOff != 0 || s.ext != nil && s.ext.listener != nil:
		return syscall.EINVAL
	}
	s.setFlag(deferConnect, on)
	return nil
}

func (s *Socket) setFlag(f socketFlags, on bool) {
	s.flags &^= f
	if on {
		s.flags |= f
	}
}

// applyOptions gives a new connection what was set before there was one, and is
// not in its configuration.
func (s *Socket) applyOptions(now time.Time) {
	if s.flags&noDelay != 0 {
		s.conn.SetNoDelay(true)
	}
	if s.flags&keepalive != 0 || s.host.settings.Keepalive {
		s.conn.SetKeepalive(now, true)
	}
}
