package tcp

import (
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// pathMTU is what is known of the path's MTU, and of what ICMP said.
type pathMTU struct {
	mss      uint16        // a lower segment size learnt of the path; 0 none
	soft     wire.ICMPKind // a soft error since the last progress
	lowered  uint32        // when mss was lowered, in seconds
	resetSeq uint32        // the sequence number of a bare reset that is due
}

// ICMP takes an error about a segment that this connection sent. q is what the
// error quotes.
//
// It is believed only if the sequence number quoted is of data that is out and not yet
// acknowledged: an attacker off the path does not know it.
// https://www.rfc-editor.org/rfc/rfc5927#section-4.1
func (c *Conn) ICMP(now time.Time, m *wire.ICMP, q wire.Quoted) (believed bool) {
	t := c.clock(now)
	if c.state == Closed || c.state == TimeWait || q.Src != c.local || q.Dst != c.remote ||
		!between(q.Seq, c.snd.una, c.snd.nxt) {
		return false
	}
	switch m.Kind {
	case wire.PacketTooBig:
		c.packetTooBig(t, m.MTU)
	case wire.ProtocolUnknown, wire.PortUnreachable, wire.AdminProhibited,
		wire.NetUnreachable, wire.HostUnreachable, wire.HopLimitExceeded:
		c.unreachable(t, m.Kind)
	}
	// "TCP implementations MUST silently discard any received ICMP Source
	// Quench messages" (MUST-55); parameter problems and the rest are soft.
	return true
}

// Soft is what ICMP has said since the last progress, ICMPOther for nothing. It is
// no reason to end the connection.
func (c *Conn) Soft() wire.ICMPKind { return c.pmtu.soft }

// unreachable: while connecting it ends the attempt, unless Fast Open may be to
// blame. Later it is remembered as the reason, should the connection time out.
//
// Codes 0, 1 and 5 must not abort a connection (MUST-56); codes 2 to 4 should,
// which RFC 5927 section 5.2 advises against once it is synchronized.
// https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
func (c *Conn) unreachable(t instant, kind wire.ICMPKind) {
	switch {
	case c.state == SynSent:
		if c.dial != nil {
			c.dial.soft = Unreachable{kind}
		}
		c.synRefused(t, tfo.Unreachable, Unreachable{kind})
	case c.state == SynReceived && !c.is(accepted) && c.is(passive):
		c.fail(t, Unreachable{kind})
	default:
		c.pmtu.soft = kind
	}
}

// packetTooBig lowers the segment size and sends again what was too big.
//
// https://www.rfc-editor.org/rfc/rfc1191#section-6, https://www.rfc-editor.org/rfc/rfc8201#section-5.4
func (c *Conn) packetTooBig(t instant, mtu uint32) {
	is4 := c.local.Addr().Is4()
	headers, least := uint32(40), uint32(minMTU4)
	if !is4 {
		headers, least = 60, minMTU6
	}
	switch {
	case !is4 && mtu < least:
		// No IPv6 link is as narrow: it is to be discarded.
		return
	case mtu == 0:
		// A router that knows no MTU: the next plateau.
		mtu = uint32(c.snd.mss)*3/4 + headers
	}
	if !c.lowerMSS(t, uint16(min(max(mtu, least)-headers, 65535))) {
		// Known: routers complain of each packet. What was sent since is
		// small enough.
		return
	}
	if c.state == SynSent {
		// The SYN with data was too big.
		c.fallBack(tfo.Unreachable)
		c.due |= dueHandshake
		return
	}
	for i := range c.board.q {
		if e := &c.board.q[i]; e.len() > c.segmentSize() && e.flags&sacked == 0 {
			c.board.lose(i)
		}
	}
	if c.board.lostBytes != c.board.pendingBytes {
		// Not congestion: the window stays, and it need not wait.
		c.recovery.force = true
	}
}

// lowerMSS reports whether that makes the segments smaller.
func (c *Conn) lowerMSS(t instant, mss uint16) bool {
	mss = max(mss, minMSS)
	if c.state == SynSent {
		if mss >= c.cfg.mtuMSS(c.local.Addr().Is4()) || c.pmtu.mss != 0 && mss >= c.pmtu.mss {
			return false
		}
		c.pmtu.mss = mss
		return true
	}
	if mss >= c.snd.mss {
		return false
	}
	c.snd.mss, c.pmtu.mss = mss, mss
	c.pmtu.lowered = uint32(t / instant(time.Second))
	c.cc.setMSS(c.segmentSize())
	return true
}

// raiseMSS goes back to full segments after a while: paths change, and what was
// suspected may have been an outage. If they are still too big, that shows soon.
//
// The wait is ten minutes, as recommended.
// https://www.rfc-editor.org/rfc/rfc8201#section-5.3
func (c *Conn) raiseMSS(t instant) {
	if c.pmtu.mss == 0 || uint32(t/instant(time.Second))-c.pmtu.lowered < 600 {
		return
	}
	c.pmtu.mss = 0
	c.clear(largeThrough)
	c.snd.mss = min(c.snd.peerMSS, c.cfg.mtuMSS(c.local.Addr().Is4()))
	c.cc.setMSS(c.segmentSize())
}

// suspectMTU is called at every timeout: large segments that are never
// acknowledged may be dropped by a router whose ICMP is filtered, so at the third
// in a row (R1) the size goes down.
//
// https://www.rfc-editor.org/rfc/rfc4821#section-7.7
//
// That is for a path that has delivered such before. If it never has, the second
// is enough, as in FreeBSD; and the first, if meanwhile small ones got through: one
// that was sent later, or a plain SYN after a large one with data. If the suspicion
// was wrong, all it costs is some headers, for ten minutes.
func (c *Conn) suspectMTU(t instant) {
	if len(c.board.q) == 0 {
		return
	}
	head, enough := c.board.q[0].len(), uint8(3)
	if head > uint32(blackHoleMSS[0]) && !c.is(largeThrough) {
		enough = 2
		if c.smallThrough() || c.is(largeLost) {
			enough = 1
		}
	}
	if c.retries < enough || head <= uint32(blackHoleMSS[1]) {
		return
	}
	for _, m := range blackHoleMSS {
		if c.snd.mss > m {
			c.lowerMSS(t, m)
			return
		}
	}
}

// smallThrough reports whether something was delivered that was sent after the
// head, where nothing large ever was: by SACK, or by a duplicate ACK where all
// besides the head is small.
func (c *Conn) smallThrough() bool {
	return c.board.sackedBytes > 0 ||
		c.snd.dups > 0 && c.snd.nxt-c.snd.una <= c.segmentSize()+uint32(blackHoleMSS[0])
}

// What is tried when large segments do not get through: the MTU that every IPv6
// path has, and then that of IPv4.
var blackHoleMSS = [...]uint16{1220 - 20, 536}
