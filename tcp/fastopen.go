package tcp

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// This file alone says when data may move before the handshake is complete.

// fastOpen is what a connection remembers of it.
type fastOpen struct {
	status       tfo.Status
	cause        tfo.Cause
	child        bool // made by a SYN that was trusted: may be read and written at once
	hold         bool // ... but what is written waits for the handshake
	inSYNACK     bool // data may go into the first SYN-ACK
	tried        bool // our first SYN carried the option, or data
	answered     bool // the SYN-ACK brought data
	sent, wanted uint32
	grant        *tfo.Option // goes into the first SYN-ACK, if not nil
	avoid        *tfo.Avoid
}

// maySend reports whether data may be sent: after the handshake, always; before,
// only by the child of a SYN that was trusted, and within the peer's unscaled
// window and the initial congestion window like any other data.
//
// https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
func (c *Conn) maySend() bool {
	switch c.state {
	case Established, CloseWait, FinWait1, Closing, LastAck:
		return true
	case SynReceived:
		return c.fo.child && !c.fo.hold
	}
	return false
}

// maySendFIN: shutting down one direction waits for the handshake, closing
// altogether does not, as in Linux.
func (c *Conn) maySendFIN() bool {
	return c.is(writeClosed) && (c.state != SynReceived || c.is(closedByUser))
}

// A verdict is what becomes of a SYN at a listener.
type verdict struct {
	accept bool       // its data is delivered, and answered, before the handshake is complete
	grant  bool       // the SYN-ACK carries option
	option tfo.Option //
	status tfo.Status // for the connection's Outcome
	cause  tfo.Cause
}

// judge decides about a SYN, in the order of the checks that Linux makes.
//
// In the RFC's words: if Fast Open is not enabled, or PendingFastOpenRequests is
// over the limit, or the cookie is not valid, only the SYN is acknowledged;
// otherwise the data is buffered, the application notified, and
// PendingFastOpenRequests incremented.
// https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
func (l *Listener) judge(now time.Time, s *wire.Segment) verdict {
	f := &l.lc.FastOpen
	o := &s.Options
	data := s.Len() > 0
	if o.HasFastOpen && o.FastOpen.IsRequest() {
		l.Stats.CookieReqd++
	}
	if f.MaxPending <= 0 || !data && !o.HasFastOpen {
		return verdict{}
	}
	source := s.Src.Addr()
	if !l.pending.room(now, sourcePrefix(source), f) {
		// Over the limit, Fast Open is off for new SYNs until it falls
		// below. There is no cookie either: nothing is won by asking.
		// https://www.rfc-editor.org/rfc/rfc7413#section-5.1
		l.Stats.ListenOverflow++
		return verdict{cause: tfo.Overload}
	}
	cookieless := contains(f.Cookieless, source)
	keys := tfo.Keys{}
	if f.Keys != nil {
		keys = f.Keys.Keys()
	}
	v := verdict{cause: tfo.NoCookie}
	if data {
		v.status = tfo.FellBack
	}
	if o.HasFastOpen && (!keys.IsZero() || f.Cookie != nil) {
		v = l.judgeCookie(keys, s)
		if cookieless && f.WithholdCookies {
			v.grant = false
		}
	}
	if cookieless && !v.accept {
		v.accept, v.status, v.cause = true, tfo.DataAccepted, tfo.NoCause
	}
	if v.accept && !data {
		v.status, v.cause = tfo.Off, tfo.NoData
	}
	return v
}

// judgeCookie compares the cookie with the keys.
//
// Data with a valid cookie is delivered at once. With one that is not valid it is
// dropped, only the SYN is acknowledged, and the SYN-ACK brings the right cookie.
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.2
func (l *Listener) judgeCookie(keys tfo.Keys, s *wire.Segment) verdict {
	client, server := s.Src.Addr(), s.Dst.Addr()
	asked := s.Options.FastOpen
	// The answer is in the form of the question: requirement OPT-7.
	fresh := tfo.Option{Form: asked.Form}
	own := l.lc.FastOpen.Cookie
	if own != nil {
		fresh.Cookie = own(client, server)
	} else {
		fresh.Cookie = keys.Mint(client, server)
	}
	if asked.IsRequest() {
		return verdict{grant: true, option: fresh, status: tfo.CookieRequested}
	}
	v := verdict{accept: true, status: tfo.DataAccepted, option: fresh}
	match := tfo.NoMatch
	switch {
	case own == nil:
		match = keys.Check(client, server, asked.Cookie)
	case fresh.Cookie.Equal(asked.Cookie):
		match = tfo.PrimaryMatch
	}
	switch match {
	case tfo.PrimaryMatch:
		v.grant = l.lc.FastOpen.AlwaysEcho
	case tfo.BackupMatch:
		v.grant = true
		l.Stats.PassiveAltKey++
	default:
		l.Stats.PassiveFail++
		v = verdict{grant: true, option: fresh, cause: tfo.BadCookie}
		if s.Len() > 0 {
			v.status = tfo.FellBack
		}
	}
	return v
}

// open applies the verdict to the connection that the SYN made.
//
// Nothing is acknowledged that was not kept: of data beyond the receive buffer a
// prefix is taken, and the client sends the rest again.
func (c *Conn) open(v verdict, s *wire.Segment, f *FastOpenServer) {
	c.fo.status, c.fo.cause = v.status, v.cause
	if v.grant {
		option := v.option
		c.fo.grant = &option
	}
	c.fo.sent, c.fo.wanted = uint32(s.Len()), uint32(s.Len())
	if !v.accept {
		return
	}
	c.fo.child, c.fo.hold, c.fo.inSYNACK = true, f.HoldOutput, f.DataInSYNACK && !f.HoldOutput
	n := min(s.Len(), int(c.rcv.limit))
	c.in.add(c.cfg.memory(), s.Payload[:n], nil)
	c.rcv.nxt += uint32(n)
	c.fo.sent = uint32(n)
	// The data is out of the way of what comes: the SYN-ACK announces as much
	// as without it.
	c.rcv.edge = c.rcv.nxt + min(c.freeSpace(), 65535)
	if n > 0 {
		c.events |= EventReadable
	}
}

// dialing is what an active connection needs until it is established.
type dialing struct {
	option    tfo.Option
	hasOption bool          // the first SYN carries option
	asked     bool          // ... so that a cookie may come back
	data      uint32        // bytes in the first SYN
	fell      tfo.Cause     // why the SYNs since then are plain
	sentAt    instant       // when the latest SYN left
	mss       uint16        // the peer's, as remembered
	rtt       time.Duration // of the path, as remembered
	refused   time.Duration // how long the refusal took that made us fall back
	soft      error         // what ICMP said meanwhile
	retries   int           // in place of Config.SYNRetries, if not 0
}

// planSYN decides what the first SYN carries: a cookie and data, a request for
// a cookie, or neither.
//
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3
func (c *Conn) planSYN(now time.Time, early int) {
	f, d := &c.cfg.Client, c.dial
	c.fo.wanted = uint32(early)
	if f.Off || c.cfg.Cache == nil && !f.SendCookieless {
		c.fo.status, c.fo.cause = tfo.Off, tfo.Disabled
		return
	}
	var e tfo.Entry
	if c.cfg.Cache != nil {
		e = c.cfg.Cache.Lookup(now, c.path())
		if e.RTT > 0 && !f.IgnoreRTT {
			c.rtt.seed(e.RTT)
		}
		d.mss, d.rtt = e.MSS, e.RTT
	}
	if e.Avoid.Active(now) && !f.IgnoreFailures {
		avoid := e.Avoid
		c.fo.status, c.fo.cause, c.fo.avoid = tfo.Off, tfo.Avoided, &avoid
		return
	}
	if f.SendCookieless {
		c.putEarly(early)
		return
	}
	d.option, d.hasOption = e.Cookie, true
	if e.Cookie.IsRequest() {
		d.option = tfo.Option{}
		c.fo.status = tfo.CookieRequested
		if e.Requests > 0 {
			c.fo.cause = tfo.NotGranted
		}
		if f.RetryExperimental && e.Requests == 1 {
			d.option.Form = tfo.Experimental
		}
	}
	o := c.synOptions()
	if d.option.Len() > wire.MaxOptionsLen-o.Len() {
		// Never data without its cookie.
		c.fo.status, c.fo.cause = tfo.Off, tfo.NoRoom
		d.hasOption = false
		return
	}
	d.asked = true
	if !d.option.IsRequest() {
		c.putEarly(early)
	}
}

// Early tells what Dial would do with data now: how many bytes its SYN would
// carry at most, and whether data may travel in it at all, for which there is a
// cookie at hand or the Config does without.
func Early(now time.Time, cfg *Config, local, remote netip.AddrPort) (room int, ok bool) {
	c := Conn{cfg: cfg, local: local, remote: remote, state: SynSent, dial: &dialing{}}
	c.planSYN(now, 1<<16)
	d := c.dial
	return int(d.data), d.data > 0 || d.hasOption && !d.option.IsRequest()
}

// SetWanted tells how many bytes there were to send early, if Dial was not given
// all of them. It is for the Outcome.
func (c *Conn) SetWanted(n int) { c.fo.wanted = uint32(max(n, 0)) }

// putEarly puts as much of the first write into the SYN as may go there.
func (c *Conn) putEarly(early int) {
	d := c.dial
	d.data = uint32(min(early, c.earlyRoom()))
	c.fo.status, c.fo.cause = tfo.DataSent, tfo.NoCause
	c.fo.sent = d.data
	if d.data == 0 {
		c.fo.status, c.fo.cause = tfo.Off, tfo.NoData
	}
}

// earlyRoom is how much data a SYN may carry: what the peer is known to take, or
// else the default, less the whole space of options, as Linux reckons.
//
// Without a cached MSS it is 536 bytes for IPv4 and 1220 for IPv6.
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3
func (c *Conn) earlyRoom() int {
	limit := c.cfg.mtuMSS(c.local.Addr().Is4())
	switch {
	case c.dial.mss != 0:
		limit = min(limit, c.dial.mss)
	case !c.cfg.Client.InterfaceMSS:
		limit = min(limit, defaultMSS(c.local.Addr()))
	}
	return max(int(limit)-max(or(c.cfg.Client.OptionRoom, wire.MaxOptionsLen), 0), 0)
}

// fallBack makes the SYNs from now on plain: no data, no option.
//
// A SYN that is lost may have been dropped for its data or its option.
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3.1
func (c *Conn) fallBack(why tfo.Cause) {
	if d := c.dial; d.fell == tfo.NoCause && (d.hasOption || d.data > 0) {
		d.fell = why
	}
}

// usedFastOpen reports whether a SYN of ours asked for Fast Open: then, and only
// then, a SYN-ACK may carry data.
func (d *dialing) usedFastOpen() bool { return d.asked || d.data > 0 }

// synAnswered settles what Fast Open did, when the SYN-ACK has come.
//
// Cookie and MSS of the SYN-ACK go into the cache; the ACK that follows includes
// the data after SND.UNA, if there is any.
// https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
func (c *Conn) synAnswered(now time.Time, s *wire.Segment) {
	d := c.dial
	// An unsolicited cookie is not kept: requirement OPT-9.
	gotCookie := d.asked && s.Options.HasFastOpen && !s.Options.FastOpen.IsRequest()
	if c.cfg.Cache != nil {
		l := tfo.Lesson{RTT: c.rtt.measured()}
		if d.usedFastOpen() {
			l.MSS = s.Options.MSS
		}
		if gotCookie {
			l.Cookie = s.Options.FastOpen
		}
		c.cfg.Cache.Learn(now, c.path(), l)
		// A SYN that was sent again is plain: its answer says nothing.
		if d.asked && d.option.IsRequest() && !gotCookie && c.tries == 1 {
			c.cfg.Cache.Requested(now, c.path())
		}
	}
	if !d.usedFastOpen() {
		return
	}
	acked := s.Ack - (c.snd.iss + 1)
	switch {
	case d.data > 0 && acked >= d.data:
		c.fo.status, c.fo.cause = tfo.DataAccepted, tfo.NoCause
		c.learnSuccess(now)
	case d.fell != tfo.NoCause && !gotCookie:
		c.learnFailure(now, d.fell)
	case d.data > 0 && acked > 0:
		c.learnFailure(now, tfo.Partial)
	case d.data > 0:
		c.learnFailure(now, tfo.Unacknowledged)
	}
}

func (c *Conn) learnFailure(now time.Time, why tfo.Cause) {
	c.fo.status, c.fo.cause = tfo.FellBack, why
	if c.cfg.Cache != nil && !c.cfg.Client.IgnoreFailures {
		c.cfg.Cache.Failed(now, c.path(), why)
	}
}

func (c *Conn) learnSuccess(now time.Time) {
	if c.cfg.Cache != nil && !c.cfg.Client.IgnoreFailures {
		c.cfg.Cache.Succeeded(now, c.path())
	}
}

// suspectBlackHole is called when an established connection has timed out
// several times in a row, or is given up, or its peer has sent a RST or, until it
// ended, a FIN beyond what never came: one whose SYN carried the option, with data
// or without, and that received no data since the handshake may have met a
// middlebox that lets the handshake pass and then nothing. These are the signs
// that Linux goes by: requirement MBOX-2.
func (c *Conn) suspectBlackHole(now time.Time) {
	if !c.is(everReceived) && c.asm.empty() && c.fo.tried && c.fo.status != tfo.FellBack {
		c.learnFailure(now, tfo.BlackHole)
	}
}

// blackHoleTimeouts is how many timeouts in a row make one suspicious.
const blackHoleTimeouts = 3

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
