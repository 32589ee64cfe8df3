package stack

import (
	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// Info is a connection's figures, after Linux's TCP_INFO.
type Info struct {
	tcp.Info
	Outcome   tfo.Outcome
	Confirmed bool // the handshake is complete
	Passive   bool // it came in
	// FastOpenChild says that a SYN that was trusted has made it
	// (TCPI_OPT_TFO_CHILD), SYNData that data in a SYN was accepted, ours or
	// the peer's, or came in a SYN-ACK (TCPI_OPT_SYN_DATA).
	FastOpenChild, SYNData bool
}

// Info tells how the socket's connection does; State is Closed without one. When the
// socket was closed and the connection is over, all that is left is what became of
// it: Outcome and what goes with it, RTT, MinRTT, Delivered and TotalResent.
func (s *Socket) Info() Info {
	o := s.Outcome()
	i := Info{
		Outcome: o, Passive: s.flags&passive != 0,
		FastOpenChild: o.Passive && (o.Status == tfo.DataAccepted || o.Status == tfo.Off && o.Cause == tfo.NoData),
		SYNData:       o.Status == tfo.DataAccepted,
	}
	switch {
	case s.conn != nil:
		i.Info, i.Confirmed = s.conn.Info(), s.conn.Confirmed()
		i.SYNData = i.SYNData || i.SYNACKData
	case s.past != nil:
		i.Info, i.Confirmed = s.past.info(), s.past.confirmed
	case s.flags&putOff != 0:
		i.State = tcp.SynSent
	}
	return i
}

// Outcome tells what Fast Open did for the connection so far.
func (s *Socket) Outcome() tfo.Outcome {
	switch {
	case s.conn != nil:
		return s.conn.Outcome()
	case s.past != nil:
		return s.past.outcome(s.flags&passive != 0)
	}
	return tfo.Outcome{}
}

// count counts what has become of Fast Open on a connection that began with it:
// once when the handshake is over, and once more if it turns out that nothing
// came through afterwards.
func (f *FastOpenStats) count(s *Socket) {
	o := s.conn.Outcome()
	switch {
	case o.Cause == tfo.BlackHole:
		f.Blackhole++
		f.ActiveFail++
		s.flags &^= fastOpenAlive
	case s.conn.Confirmed() && s.flags&outcomeCounted == 0:
		s.flags |= outcomeCounted
		switch o.Status {
		case tfo.DataAccepted:
			f.Active++
		case tfo.FellBack:
			f.ActiveFail++
			s.flags &^= fastOpenAlive
		default:
			s.flags &^= fastOpenAlive
		}
	case !s.conn.Confirmed() && s.flags&gone != 0 && s.conn.Err() == tcp.ErrTimeout:
		// Given up: whatever its SYN carried of Fast Open got no answer.
		f.ActiveFail++
		s.flags &^= fastOpenAlive
	}
}
