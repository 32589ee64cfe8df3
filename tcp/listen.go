package tcp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// ListenConfig is what a listener is made with, besides what its connections
// share with all others.
type ListenConfig struct {
	// Backlog is how many connections may wait for Accept. If zero, 128.
	Backlog int
	// SYNQueue is how many connections may be in SYN-RECEIVED, not counting
	// those that Fast Open has opened, before SYN cookies take over. If
	// zero, 256; if negative, every handshake uses SYN cookies.
	SYNQueue int
	// FastOpen is off unless it says otherwise.
	FastOpen FastOpenServer
}

// Listener takes SYNs to one local address, or to every address of a port if the
// address is unspecified. Like Conn it is a pure machine and not safe for
// concurrent use; the connections it has made and not handed out, and those
// whose handshake is not confirmed, are part of it.
type Listener struct {
	cfg      *Config
	lc       ListenConfig
	local    netip.AddrPort
	queue    []*Conn // waiting for Accept
	waiting  []*Conn // opened by Fast Open or in a handshake, not yet in the queue
	halfOpen int
	pending  pending
	reply    wire.Segment
	hasReply bool
	overflow time.Time // when a SYN cookie was last sent
	closed   bool
	// Stats may be read at any time; only the listener writes them.
	Stats ListenerStats
}

// ListenerStats are counters, named as Linux names them where it has them.
type ListenerStats struct {
	SYNs            uint64 // SYNs that were looked at
	ListenOverflows uint64 // dropped: accept queue full
	Malformed       uint64 // dropped: SYN with FIN, and other nonsense
	SyncookiesSent  uint64
	SyncookiesRecv  uint64
	SyncookiesFail  uint64
	Passive         uint64 // TCPFastOpenPassive: connections opened early
	PassiveFail     uint64 // TCPFastOpenPassiveFail: cookies that no key made
	PassiveAltKey   uint64 // TCPFastOpenPassiveAltKey: by a backup key
	ListenOverflow  uint64 // TCPFastOpenListenOverflow: refused for want of room
	CookieReqd      uint64 // TCPFastOpenCookieReqd: requests seen
}

// Listen makes a listener.
func Listen(cfg *Config, lc ListenConfig, local netip.AddrPort) *Listener {
	return &Listener{cfg: cfg, lc: lc, local: local}
}

// Receive takes a segment that belongs to no connection. If it makes one, that
// is returned: the caller keeps it by its addresses, gives it what comes for
// them, and drains its Send at once. A reply without a connection comes from
// the listener's own Send.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.2
func (l *Listener) Receive(now time.Time, s *wire.Segment) *Conn {
	return l.receive(now, s, nil)
}

// Reopen is Receive for a SYN that may open a connection where w is: see
// [Wait.Receive]. The caller drops w.
//
// "However, it MAY accept a new SYN from the remote TCP endpoint to reopen the
// connection directly from TIME-WAIT state (MAY-2), if it: (1) assigns its
// initial sequence number for the new connection to be larger than the largest
// sequence number it used on the previous connection incarnation, and (2) returns
// to TIME-WAIT state if the SYN turns out to be an old duplicate."
// https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
//
// (2) is not done, as in Linux: what Wait.Receive lets pass is newer by its
// timestamp or its sequence number.
func (l *Listener) Reopen(now time.Time, w *Wait, s *wire.Segment) *Conn {
	return l.receive(now, s, w)
}

// receive is Receive; w is not nil if there was a connection before.
func (l *Listener) receive(now time.Time, s *wire.Segment, w *Wait) *Conn {
	switch {
	case l.closed:
		l.reply, l.hasReply = Reset(s)
		return nil
	case s.Flags.Has(wire.RST):
		// "An incoming RST should be ignored."
		return nil
	case s.Flags.Has(wire.ACK):
		if c, known := l.syncookieAnswered(now, s); known {
			return c
		}
		// "Any acknowledgment is bad if it arrives on a connection still in
		// the LISTEN state."
		l.reply, l.hasReply = Reset(s)
		return nil
	case !s.Flags.Has(wire.SYN):
		return nil
	}
	l.Stats.SYNs++
	// A SYN with FIN means nothing that a listener could want (T/TCP is
	// historic: RFC 6247): requirement SRV-1.
	if s.Flags.Has(wire.FIN) || !unicast(s.Src.Addr()) {
		l.Stats.Malformed++
		return nil
	}
	if len(l.queue) > or(l.lc.Backlog, 128) {
		l.Stats.ListenOverflows++
		return nil
	}
	// A SYN cookie cannot be larger than the numbers used before, so there is
	// none in place of a connection that has ended: as in Linux.
	if w == nil && l.halfOpen >= max(or(l.lc.SYNQueue, 256), 0) {
		l.sendSyncookie(now, s)
		return nil
	}
	return l.accept(now, s, w)
}

// accept makes the connection that the SYN asks for.
func (l *Listener) accept(now time.Time, s *wire.Segment, w *Wait) *Conn {
	v := l.judge(now, s)
	c := newPassive(now, l, s)
	if w != nil {
		c.startAfter(w.sndNxt)
	}
	c.open(v, s, &l.lc.FastOpen)
	c.set(counted)
	if c.fo.child {
		l.Stats.Passive++
		l.pending.add(sourcePrefix(c.remote.Addr()))
		l.queue = append(l.queue, c)
	} else {
		l.halfOpen++
		l.waiting = append(l.waiting, c)
	}
	c.due |= dueHandshake
	return c
}

// newPassive makes a connection in SYN-RECEIVED.
//
// "Set RCV.NXT to SEG.SEQ+1, IRS is set to SEG.SEQ [...]. ISS should be selected
// and a SYN segment sent of the form: <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>"
func newPassive(now time.Time, l *Listener, s *wire.Segment) *Conn {
	c := newConn(now, l.cfg, s.Dst, s.Src)
	c.listener = l
	c.set(passive)
	c.state = SynReceived
	c.takeSYN(c.clock(now), s, true)
	c.startAt(c.snd.iss)
	c.cc.start(c.cfg.Congestion, c.segmentSize(), c.cfg.initialWindow())
	return c
}

// startAt makes iss the initial sequence number of a passive connection that has
// sent nothing yet.
func (c *Conn) startAt(iss uint32) {
	c.snd.iss, c.snd.una, c.snd.nxt, c.snd.base = iss, iss, iss+1, iss+1
	c.snd.small, c.snd.recover, c.board.high = iss, iss, iss
}

// startAfter makes the initial sequence number larger than those that an earlier
// connection with the same addresses used, by more than an unscaled window.
func (c *Conn) startAfter(used uint32) {
	if least := used + 65535 + 2; before(c.snd.iss, least) {
		c.startAt(least)
	}
}

// Accept hands out the oldest connection that waits, nil when none does. One
// that Fast Open opened may have been reset since; what came with its SYN can
// still be read.
func (l *Listener) Accept() *Conn {
	if len(l.queue) == 0 {
		return nil
	}
	c := l.queue[0]
	l.queue[0] = nil
	if len(l.queue) == 1 {
		l.queue = l.queue[:0] // so that the next one finds its place
	} else {
		l.queue = l.queue[1:]
	}
	c.set(accepted)
	c.detach()
	return c
}

// Acceptable is how many connections wait for Accept.
func (l *Listener) Acceptable() int { return len(l.queue) }

// Holds reports whether c waits for Accept.
func (l *Listener) Holds(c *Conn) bool { return slices.Contains(l.queue, c) }

// Pending is how many connections count against MaxPending: opened and not
// confirmed, or reset less than a minute ago.
func (l *Listener) Pending() int { return l.pending.n }

// HalfOpen is how many handshakes are under way without Fast Open.
func (l *Listener) HalfOpen() int { return l.halfOpen }

// SetMaxPending changes MaxPending; zero turns Fast Open off. Connections that
// are open already are not affected.
func (l *Listener) SetMaxPending(n int) { l.lc.FastOpen.MaxPending = n }

// SetFastOpen changes all of the listener's side of Fast Open. Connections that
// are open already are not affected.
func (l *Listener) SetFastOpen(f FastOpenServer) { l.lc.FastOpen = f }

// SetBacklog changes how many connections may wait for Accept; zero is 128.
func (l *Listener) SetBacklog(n int) { l.lc.Backlog = n }

// SetSYNQueue changes ListenConfig.SYNQueue, from the next SYN on.
func (l *Listener) SetSYNQueue(n int) { l.lc.SYNQueue = n }

// SetConfig changes what connections are made with from now on.
func (l *Listener) SetConfig(cfg *Config) { l.cfg = cfg }

// Send is the reply to the last segment that made no connection. Like a
// connection's, it is to be called until it reports false.
func (l *Listener) Send() (wire.Segment, bool) {
	if !l.hasReply {
		return wire.Segment{}, false
	}
	l.hasReply = false
	s := l.reply
	l.reply = wire.Segment{}
	return s, true
}

// Close stops listening. The connections that wait for Accept are reset, those
// in a handshake forgotten: they are returned, for the caller to drain and drop.
// Accepted ones live on.
func (l *Listener) Close(now time.Time) []*Conn {
	l.closed = true
	ended := append(l.queue, l.waiting...)
	l.queue, l.waiting = nil, nil
	for _, c := range ended {
		handshake := c.state == SynReceived && !c.fo.child
		c.Abort(now)
		if handshake {
			c.due = 0
		}
		c.set(accepted) // there is nothing it waits for
	}
	return ended
}

// confirm is told that c's handshake is complete. It reports false when there is
// no room to wait for Accept: the ACK is then ignored, and comes again with the
// client's data.
func (l *Listener) confirm(c *Conn) bool {
	if !c.fo.child {
		if len(l.queue) > or(l.lc.Backlog, 128) {
			l.Stats.ListenOverflows++
			return false
		}
		l.forget(c)
		l.queue = append(l.queue, c)
	}
	l.uncount(c)
	return true
}

// died is told that c ended before its handshake was complete, or waiting.
func (l *Listener) died(t instant, c *Conn) {
	if c.is(counted) {
		if c.fo.child && c.err == ErrReset && !l.closed &&
			(c.is(accepted) || !l.lc.FastOpen.ChargeAcceptedOnly) {
			// The slot stays taken: the count is not lowered here.
			l.pending.charge(c.time(t), sourcePrefix(c.remote.Addr()))
			c.clear(counted)
		}
		l.uncount(c)
	}
	l.forget(c)
	if c.is(accepted) {
		c.listener = nil
	}
}

func (l *Listener) uncount(c *Conn) {
	if !c.is(counted) {
		return
	}
	c.clear(counted)
	if c.fo.child {
		l.pending.remove(sourcePrefix(c.remote.Addr()))
	} else {
		l.halfOpen--
	}
	if c.is(accepted) {
		c.listener = nil
	}
}

// forget drops c from those in a handshake.
func (l *Listener) forget(c *Conn) {
	for i, w := range l.waiting {
		if w == c {
			last := len(l.waiting) - 1
			l.waiting[i] = l.waiting[last]
			l.waiting[last] = nil
			l.waiting = l.waiting[:last]
			return
		}
	}
}

// unicast reports whether a peer may have the address.
//
// "A TCP implementation MUST silently discard an incoming SYN segment that is
// addressed to a broadcast or multicast address [(MUST-57)]", and ignore one from
// such (MUST-63).
// https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.3
func unicast(a netip.Addr) bool {
	return !a.IsMulticast() && !a.IsUnspecified() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
