package stack

import "github.com/fastopen-go/fastopen/tcp"

// Poll is a socket's readiness, in the bits of Linux's poll.
type Poll uint16

const (
	PollIn     Poll = 0x1    // Receive or Accept would not fail with EAGAIN
	PollPri    Poll = 0x2    // urgent data: never, since it is delivered in its place
	PollOut    Poll = 0x4    // Send would not fail with EAGAIN
	PollErr    Poll = 0x8    // PendingError would tell something
	PollHup    Poll = 0x10   // both directions are closed
	PollNVAL   Poll = 0x20   // the socket was closed
	PollRdNorm Poll = 0x40   // as PollIn
	PollWrNorm Poll = 0x100  // as PollOut
	PollRdHup  Poll = 0x2000 // the peer sends no more
)

// Poll is the socket's readiness now, as Linux's tcp_poll has it.
func (s *Socket) Poll() Poll {
	const in, out = PollIn | PollRdNorm, PollOut | PollWrNorm
	c := s.conn
	switch {
	case s.flags&closed != 0:
		return PollNVAL
	case s.ext != nil && s.ext.listener != nil:
		if s.ext.listener.Acceptable() > 0 {
			return in
		}
		return 0
	case s.flags&putOff != 0:
		return out // the first Send opens the connection
	case c == nil && s.hasError():
		return PollHup | out | PollErr
	case c == nil:
		return PollHup | out
	}
	var p Poll
	state := c.State()
	noRead := s.flags&shutRead != 0 || c.Ended() || state == tcp.Closed && s.wasOpen()
	noWrite := s.flags&shutWrite != 0 || state == tcp.Closed && s.wasOpen()
	if noRead && noWrite || state == tcp.Closed {
		p |= PollHup
	}
	if noRead {
		p |= in | PollRdHup
	}
	if !s.opening() {
		if s.Unread() > 0 {
			p |= in
		}
		if noWrite || state == tcp.Closed || s.writable() {
			p |= out
		} else {
			s.flags |= noSpace
		}
	}
	if s.hasError() {
		p |= PollErr
	}
	return p
}

// wasOpen reports whether there was a connection, and so something to shut.
func (s *Socket) wasOpen() bool {
	return s.conn.Confirmed() || s.flags&passive != 0 || s.conn.Err() != nil
}

// Wakeups is how often whoever waits for the socket had reason to look (what an
// edge-triggered epoll tells). It only grows.
func (s *Socket) Wakeups() uint32 { return s.wakeups }

// Unread is how many bytes have come and were not received (SIOCINQ).
func (s *Socket) Unread() int {
	if s.conn == nil {
		return 0
	}
	return s.conn.Unread()
}

// Unacknowledged is how many bytes were sent or wait to be, and are not
// acknowledged (SIOCOUTQ).
func (s *Socket) Unacknowledged() int {
	if s.conn == nil {
		return 0
	}
	return s.conn.Queued()
}

// Unsent is how many of them wait to be sent (SIOCOUTQNSD).
func (s *Socket) Unsent() int {
	if s.conn == nil {
		return 0
	}
	return s.conn.Info().Unsent
}
