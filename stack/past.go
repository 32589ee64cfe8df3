package stack

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// past is what a socket still tells of its connection when that is over and the
// socket closed. The connection itself, ten times as large, is then another's,
// however long somebody keeps the socket.
type past struct {
	flow
	status            tfo.Status
	cause             tfo.Cause
	confirmed, dead   bool
	sent, wanted      uint32
	delivered, resent uint32
	rtt, minRTT       time.Duration
	avoid             *tfo.Avoid // nil unless the cause says that there is one
}

// letGo parts a socket from its connection as soon as that is over and its owner has
// closed the socket: then nothing can happen on it any more, and nobody can do
// anything to it. Where a part of the send buffer is lent, that has to come back
// first.
func (s *Socket) letGo() {
	c := s.conn
	if c == nil || s.flags&(closed|gone) != closed|gone {
		return
	}
	p := pastOf(c)
	if !c.Recycle() {
		return
	}
	s.conn, s.past = nil, &p
	s.flags &^= softError
}

func pastOf(c *tcp.Conn) past {
	o, i := c.Outcome(), c.Info()
	p := past{
		flow:   flowOf(c.Local(), c.Remote()),
		status: o.Status, cause: o.Cause,
		confirmed: c.Confirmed(), dead: failed(c),
		sent: uint32(o.Sent), wanted: uint32(o.Wanted),
		delivered: i.Delivered, resent: i.TotalResent,
		rtt: o.RTT, minRTT: i.MinRTT,
	}
	if o.Cause == tfo.Avoided {
		avoid := o.Avoid // so that o itself stays off the heap
		p.avoid = &avoid
	}
	return p
}

// failed reports whether a connection has ended, and not well.
func failed(c *tcp.Conn) bool { return c.State() == tcp.Closed && c.Err() != nil }

func (p *past) localAddr() netip.AddrPort  { return addrPortOf(p.local, p.localPort) }
func (p *past) remoteAddr() netip.AddrPort { return addrPortOf(p.remote, p.remotePort) }

func addrPortOf(a [16]byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a).Unmap(), port)
}

func (p *past) outcome(passive bool) tfo.Outcome {
	o := tfo.Outcome{
		Status: p.status, Cause: p.cause, Passive: passive,
		Sent: int(p.sent), Wanted: int(p.wanted), RTT: p.rtt,
	}
	if p.avoid != nil {
		o.Avoid = *p.avoid
	}
	return o
}

// info is what can be told without the connection: what has become of it.
func (p *past) info() tcp.Info {
	return tcp.Info{RTT: p.rtt, MinRTT: p.minRTT, Delivered: p.delivered, TotalResent: p.resent}
}
