package main

import (
	"fmt"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// check returns what is wrong with a story that has been told; nil if nothing is.
func (s *story) check() (wrong []string) {
	fail := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
	for i, c := range s.conns {
		s.checkConnection(c, func(format string, args ...any) {
			fail("connection %d: "+format, append([]any{i}, args...)...)
		})
	}
	if s.steps >= endless {
		fail("no end in sight after %d events, at %v", s.steps, s.net.Now())
	}
	if n := s.client.Conns() + s.client.Waits(); n != 0 {
		fail("the client has %d connections left", n)
	}
	if n := s.server.Conns() + s.server.Waits(); n != 0 {
		fail("the server has %d connections left", n)
	}
	if d := s.net.Deadline(); !d.IsZero() {
		fail("something is still to happen at %v, after %v", d, s.net.Now())
	}
	if s.memory.lent != 0 {
		fail("%d bytes of buffers were not given back", s.memory.lent)
	}
	for _, l := range s.listeners {
		if l.HalfOpen() != 0 || l.Acceptable() != 0 {
			fail("a listener has %d half open and %d waiting", l.HalfOpen(), l.Acceptable())
		}
		if n := l.Pending(); n != 0 && !s.mayCharge() {
			fail("a listener has %d pending", n)
		}
	}
	return wrong
}

// mayCharge reports whether resets may have been charged to a listener, which
// it counts until the next SYN after a minute.
func (s *story) mayCharge() bool {
	for _, c := range s.conns {
		for _, ch := range c.children {
			if ch.conn.Err() != nil {
				return true
			}
		}
	}
	return false
}

func (s *story) checkConnection(c *connection, fail func(string, ...any)) {
	if c.client.Wrong != "" {
		fail("client: %s", c.client.Wrong)
	}
	if !c.client.Over {
		fail("client: no end: state %v, sent %d, got %d of %d", c.conn.State(), c.client.Sent, c.client.Got, c.response.N)
	}
	excused := c.breaks() || s.w.harsh || s.b.kills && c.outcome.Cause != tfo.Avoided
	if s.f.listen != nil && !s.w.exact && c.request.N == 0 {
		// The server of a SYN cookie knows of the client by its ACK alone,
		// and if that is lost waits for more, which never comes.
		excused = true
	}
	if err := c.client.Err; err != nil && !excused {
		fail("client: %v (sent %d of %d, got %d of %d)", err, c.client.Sent, c.request.N, c.client.Got, c.response.N)
	}
	whole := 0
	for k, ch := range c.children {
		st := ch.stream
		if ch.conn == nil {
			fail("server was never connected")
			continue
		}
		// A SYN that came again after its connection had gone makes one
		// that is never confirmed; nothing else may.
		ghost := !ch.conn.Confirmed()
		if st.Wrong != "" && !(ghost && st.Err != nil) {
			fail("server, child %d: %s", k, st.Wrong)
		}
		if !st.Over {
			fail("server, child %d: no end: state %v, sent %d, got %d of %d", k, ch.conn.State(), st.Sent, st.Got, c.request.N)
		}
		if !ghost {
			whole++
		}
		lastAck := st.EOF && st.Got == c.request.N // only its FIN was not acknowledged
		if st.Err != nil && !ghost && !excused && !lastAck {
			fail("server, child %d: %v (sent %d of %d, got %d of %d)", k, st.Err, st.Sent, c.response.N, st.Got, c.request.N)
		}
	}
	// An ACK of a SYN cookie opens a connection as often as it comes while the
	// cookie is good, if the one before has gone.
	if whole > 1 && s.f.listen == nil {
		fail("%d connections were confirmed for one", whole)
	}
	if c.client.Err == nil && c.client.Over && whole == 0 {
		fail("the client ended well and the server has no connection that was confirmed")
	}
}

// compare returns what Fast Open made worse than the same story without it.
func (s *story) compare(plain *story) (wrong []string) {
	if !s.w.exact || s.b.guesses {
		return nil
	}
	for i, c := range s.conns {
		p := plain.conns[i]
		if c.breaks() || c.stall > 0 || c.client.Err != nil || p.client.Err != nil {
			continue
		}
		took, without := c.took(), p.took()
		known := c.outcome.Cause == tfo.Avoided
		if i > 0 && c.began.Sub(s.conns[i-1].began) <= s.b.grudge {
			continue
		}
		switch {
		case s.b.kills && !known:
			// Nothing within the connection can help.
		case known && took != without:
			wrong = append(wrong, fmt.Sprintf("connection %d: took %v where the memory knew the path, %v without Fast Open", i, took, without))
		case took > without+time.Second+s.handicap():
			wrong = append(wrong, fmt.Sprintf("connection %d: took %v, %v without Fast Open: more than a retransmission timeout longer (%v)", i, took, without, c.outcome))
		}
		if late := c.first() - (p.first() - s.rtt); late > 0 && c.outcome.Saved() && s.fast != "hold" && c.early == c.request.N && 0 < c.response.N && c.response.N < 1000 {
			wrong = append(wrong, fmt.Sprintf("connection %d: the first byte came after %v, after %v without Fast Open: no round trip of %v was saved (%v)", i, c.first(), p.first(), s.rtt, c.outcome))
		}
	}
	return wrong
}

// handicap is what a fallback may cost besides the timeout: where the initial
// window is two segments, data that was refused and goes again in a short one of
// its own takes the place of a full one, and the rest needs a round trip more.
func (s *story) handicap() time.Duration {
	if s.client.Config.InitialWindow == 2 {
		return s.rtt
	}
	return 0
}

// took is from the call of Dial until all had come.
func (c *connection) took() time.Duration { return c.client.Whole.Sub(c.began) }

// first is from the call of Dial until the first byte had come.
func (c *connection) first() time.Duration { return c.client.First.Sub(c.began) }
