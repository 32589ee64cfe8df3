package tcp

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// Conn is one TCP connection as a pure machine: no goroutine, clock, I/O,
// randomness or lock inside. It is not safe for concurrent use; a connection
// that its [Listener] has not handed out yet, or whose handshake is not
// confirmed, also counts as part of that listener.
//
// Its methods are of four kinds.
//
//   - Getters: State, Err, Readable, Writable, Confirmed, Outcome, Info, Local,
//     Remote, Deadline. They change nothing.
//   - Inputs: Receive, ICMP. What the network did.
//   - Mutators: Read, Peek, Discard, Write, CloseWrite, Close, Abort and the
//     Set methods. What the application wants.
//   - Outputs: Send, which also looks at the timers, and Events.
//
// And one that ends it all: Recycle, after which there is none to be called.
//
// The rule for callers: after any input or mutator, and when Deadline has come,
// call Send until it reports false, then arm Deadline. Extra calls are harmless.
// Time never goes back.
type Conn struct {
	cfg           *Config
	listener      *Listener // of a passive connection, until it is confirmed and accepted
	dial          *dialing  // of an active connection, until it is established
	local, remote netip.AddrPort
	epoch         time.Time // instants count from here
	timers        timers
	err           error

	snd sendSpace
	rcv receiveSpace
	out ring  // unacknowledged and unsent bytes; the first has sequence number snd.base
	in  inbox // unread bytes; the one after the last has sequence number rcv.nxt

	board    scoreboard
	rtt      rtt
	rack     rack
	probe    probe
	cc       congestion
	recovery recovery
	asm      *reassembly // nil as long as nothing came out of order or twice

	fo        fastOpen
	seldom    *seldom // what few connections need
	pmtu      pathMTU
	flags     connFlags
	state     State
	due       duties
	events    Event
	retries   uint8 // retransmission timeouts in a row without an answer
	tries     uint8 // SYNs or SYN-ACKs sent
	probes    uint8 // zero-window or keepalive probes without an answer
	userLimit time.Duration
	delivered uint32  // segments the peer has acknowledged, the SYN included
	resent    uint32  // segments sent again
	stalled   instant // since when nothing was acknowledged although something is out
}

// sendSpace is drawn in RFC 9293 section 3.3.1:
//
//	     una          nxt          una+wnd
//	──────┼────────────┼─────────────┼──────
//	acked │ in flight  │ may be sent │ not yet
type sendSpace struct {
	iss, una, nxt uint32
	base          uint32  // sequence number of the first byte in the buffer
	wnd           uint32  // SND.WND, scaled
	wl1, wl2      uint32  // SND.WL1, SND.WL2
	maxWnd        uint32  // Max(SND.WND)
	recover       uint32  // NewReno: no fast retransmit again until this is acknowledged
	small         uint32  // end of the last segment sent that was not full: Minshall
	limit         uint32  // bytes kept unsent and unacknowledged at most, as grown
	tsBase        uint32  // our timestamp clock at the epoch
	lastData      instant // when data was last sent
	last          instant // when a challenge was last answered
	dups          uint16  // duplicate ACKs in a row, from a peer without SACK
	mss           uint16  // largest payload without options
	peerMSS       uint16  // what the peer announced
	scale         uint8   // Snd.Wind.Shift: the peer's
}

// receiveSpace is the other direction:
//
//	     nxt            edge
//	──────┼──────────────┼──────
//	 have │ announced    │ not yet
type receiveSpace struct {
	irs, nxt uint32
	edge     uint32 // highest right edge announced
	limit    uint32 // bytes kept unread at most, as tuned
	fin      uint32 // sequence number of the peer's FIN, if hasFin
	acked    uint32 // Last.ACK.sent
	recent   uint32 // TS.Recent
	mss      uint16 // the peer's usual segment, estimated
	scale    uint8  // Rcv.Wind.Shift: ours
	quick    uint8  // segments still to acknowledge at once
	recentAt instant
	tune     tuning
}

// seldom is what few connections need.
type seldom struct {
	keepalive *Keepalive // this connection's own, if not nil
	loan      *loan      // a former block of the send buffer that is still lent
}

func (c *Conn) needs() *seldom {
	if c.seldom == nil {
		c.seldom = &seldom{}
	}
	return c.seldom
}

// connFlags are facts about a connection.
type connFlags uint32

const (
	passive       connFlags = 1 << iota // made by a listener
	useSACK                             // negotiated
	useTimestamps                       // negotiated
	useScale                            // negotiated
	useECN                              // negotiated
	noDelay                             // Nagle is off
	writeClosed                         // the application will write no more
	closedByUser                        // the application has gone altogether
	finSent                             // our FIN has a sequence number
	hasFin                              // the peer's FIN has been seen, perhaps out of order
	finTaken                            // ... and reached in order
	confirmed                           // the handshake is complete
	accepted                            // handed out by the listener
	sawECE                              // our own ECE is to be sent until CWR comes
	owesCWR                             // the next new segment tells that the window was reduced
	pingPong                            // replies carry the acknowledgements
	probeZero                           // a zero-window probe is due
	probeTail                           // a tail loss probe is due
	probeKeep                           // a keepalive probe is due
	counted                             // counted as half open or pending by the listener
	everReceived                        // data came after the handshake
	keepaliveOn                         // ask an idle peer
	overrideSilly                       // send what fits, however little
	largeThrough                        // a large segment has been delivered
	largeLost                           // a large SYN was lost, and a small one was not
	sendFixed                           // the application has said how much to keep
	outLent                             // a part of the send buffer is lent
	readClosed                          // the application will read no more
)

func (c *Conn) is(f connFlags) bool { return c.flags&f != 0 }
func (c *Conn) set(f connFlags)     { c.flags |= f }
func (c *Conn) clear(f connFlags)   { c.flags &^= f }

// duties are segments that are due regardless of data.
type duties uint8

const (
	dueHandshake duties = 1 << iota // SYN or SYN-ACK
	dueAck                          // an ACK, at once
	dueReset                        // RST, and then nothing more
	dueBareReset                    // RST to a bad segment; the connection lives on
)

// Event is something that a shell may be waiting for.
type Event uint8

const (
	EventReadable  Event = 1 << iota // data or end of stream
	EventWritable                    // room in the send buffer
	EventConfirmed                   // the handshake is complete
	EventClosed                      // the connection has ended
)

// Events returns what happened since the last call, and forgets it.
func (c *Conn) Events() Event {
	e := c.events
	c.events = 0
	return e
}

// State is the connection's state.
func (c *Conn) State() State { return c.state }

// Local and Remote are the connection's ends.
func (c *Conn) Local() netip.AddrPort { return c.local }

// Remote is the peer's address.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// Err is what ended the connection, nil while it lives or when it ended well.
func (c *Conn) Err() error { return c.err }

// Passive reports whether a listener made the connection.
func (c *Conn) Passive() bool { return c.is(passive) }

// Confirmed reports whether the handshake is complete: the peer is known to be
// at the address it speaks from, and to mean this connection. Until then, data
// that was read came in a SYN, and a duplicate of that SYN can bring it again.
func (c *Conn) Confirmed() bool { return c.is(confirmed) }

// Done reports whether nothing more will ever happen: the connection is closed,
// nothing is left to send, and a shell may forget it.
func (c *Conn) Done() bool { return c.state == Closed && c.due == 0 }

// Deadline is when Send has to be called even if nothing else happens; zero for
// never.
func (c *Conn) Deadline() time.Time {
	d := c.timers.first()
	if d == 0 {
		return time.Time{}
	}
	return c.epoch.Add(time.Duration(d - 1))
}

// Outcome tells what Fast Open did for the connection so far.
func (c *Conn) Outcome() tfo.Outcome {
	o := tfo.Outcome{
		Status: c.fo.status, Cause: c.fo.cause, Passive: c.is(passive),
		Sent: int(c.fo.sent), Wanted: int(c.fo.wanted), RTT: c.rtt.measured(),
	}
	if c.fo.avoid != nil {
		o.Avoid = *c.fo.avoid
	}
	return o
}

// Info is a connection's figures, after Linux's TCP_INFO.
type Info struct {
	State            State
	RTT, RTTVar, RTO time.Duration
	MinRTT           time.Duration
	CWnd, SSThresh   uint32 // bytes
	MSS              uint16 // bytes of data in a full segment
	SendWindow       uint32
	ReceiveWindow    uint32
	Unread           int    // bytes received and not read
	Unacked          uint32 // bytes sent and not acknowledged
	Sacked, Lost     uint32 // of these, what the peer has all the same, and what is taken for lost
	Resent           uint32 // of these, what was lost and is under way again
	Unsent           int    // bytes written and not sent
	Retransmits      uint8  // timeouts in a row
	Backoff          uint8
	SACK, Timestamps bool
	ECN, Scaled      bool
	Recovering       bool
	ReceiveLimit     uint32 // bytes kept unread at most
	Delivered        uint32 // segments the peer has acknowledged, the SYN with its data as one
	TotalResent      uint32 // segments sent again, SYNs too
	SYNACKData       bool   // the answer to our SYN brought data
}

// Info tells how the connection does.
func (c *Conn) Info() Info {
	return Info{
		State: c.state, RTT: c.rtt.measured(), RTTVar: c.rtt.rttvar, RTO: c.rtt.timeout(c.cfg),
		MinRTT: c.rtt.minimum(), CWnd: c.cc.cwnd, SSThresh: c.cc.ssthresh,
		MSS: uint16(c.segmentSize()), SendWindow: c.snd.wnd, ReceiveWindow: c.rcv.edge - c.rcv.nxt,
		Unread: c.in.len(), Unacked: c.snd.nxt - c.snd.una, Unsent: c.unsent(),
		Retransmits: c.retries, Backoff: c.rtt.backoff,
		SACK: c.is(useSACK), Timestamps: c.is(useTimestamps), ECN: c.is(useECN), Scaled: c.is(useScale),
		Recovering:   c.recovery.phase == recovering || c.recovery.phase == timedOut,
		ReceiveLimit: c.rcv.limit,
		Sacked:       c.board.sackedBytes, Lost: c.board.lostBytes, Resent: c.board.pendingBytes,
		Delivered: c.delivered, TotalResent: c.resent, SYNACKData: c.fo.answered,
	}
}

// clock turns a time into the connection's own.
func (c *Conn) clock(now time.Time) instant {
	return max(instant(now.Sub(c.epoch)), 0) + 1
}

// time is the inverse of clock.
func (c *Conn) time(t instant) time.Time { return c.epoch.Add(time.Duration(t - 1)) }

// tsval is the value of our timestamp clock.
func (c *Conn) tsval(t instant) uint32 {
	return c.snd.tsBase + uint32(t/instant(c.cfg.tick()))
}

// echoed is how long ago our clock said tsecr.
func (c *Conn) echoed(t instant, tsecr uint32) time.Duration {
	return time.Duration(c.tsval(t)-tsecr) * c.cfg.tick()
}

// newConn makes what both kinds of connection share.
func newConn(now time.Time, cfg *Config, local, remote netip.AddrPort) *Conn {
	c := cfg.Pool.conn()
	c.cfg, c.local, c.remote, c.epoch = cfg, local, remote, now
	c.snd.iss = cfg.isn(now, local, remote)
	c.snd.una, c.snd.nxt, c.snd.base = c.snd.iss, c.snd.iss, c.snd.iss+1
	c.snd.small, c.snd.recover = c.snd.iss, c.snd.iss
	c.snd.tsBase = cfg.timestampBase(now, local.Addr(), remote.Addr())
	c.snd.mss = min(cfg.mtuMSS(local.Addr().Is4()), defaultMSS(local.Addr()))
	c.rcv.limit = uint32(cfg.receiveBuffer())
	c.rcv.quick = quickSegments
	c.board.high = c.snd.iss
	c.userLimit = cfg.UserTimeout
	if cfg.NoDelay {
		c.set(noDelay)
	}
	return c
}

// defaultMSS is what to send to a peer that has not said.
//
// "If an MSS Option is not received at connection setup, TCP implementations
// MUST assume a default send MSS of 536 (576 - 40) for IPv4 or 1220 (1280 - 60)
// for IPv6" (MUST-15).
// https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
func defaultMSS(a netip.Addr) uint16 {
	if a.Is4() {
		return 536
	}
	return 1220
}

// segmentSize is how much data fits into a segment besides its options.
func (c *Conn) segmentSize() uint32 {
	n := uint32(c.snd.mss)
	if c.is(useTimestamps) {
		n -= 12
	}
	return n
}

// unsent is how many bytes wait to be sent for the first time.
func (c *Conn) unsent() int {
	return max(int(int32(c.snd.base+uint32(c.out.n)-seqMax(c.snd.nxt, c.snd.base))), 0)
}

// finSeq is the sequence number of our FIN, once there is one.
func (c *Conn) finSeq() uint32 { return c.snd.base + uint32(c.out.n) }

// become changes the state, with what every change to it brings.
func (c *Conn) become(t instant, s State) {
	c.state = s
	switch s {
	case TimeWait:
		c.timers = timers{}
		c.timers.set(timerLinger, t.add(c.cfg.timeWait()))
		c.releaseOut()
		c.board = scoreboard{}
	case FinWait2:
		c.waitForFin(t)
	case Closed:
		if c.is(hasFin) && !c.is(finTaken) {
			// The peer's FIN came, and nothing of what was before it.
			c.suspectBlackHole(c.time(t))
		}
		c.due &^= dueHandshake | dueAck
		c.timers = timers{}
		c.releaseOut()
		c.board = scoreboard{}
		c.asm = nil
		c.events |= EventClosed | EventReadable | EventWritable
		if c.is(closedByUser) || c.in.len() == 0 {
			c.in.release(c.cfg.memory())
		}
		c.remember(t)
	}
}

// fail ends the connection with err.
func (c *Conn) fail(t instant, err error) {
	if c.state == Closed {
		return
	}
	if c.err == nil {
		c.err = err
	}
	if c.listener != nil {
		c.listener.died(t, c)
	}
	c.due &^= dueHandshake | dueAck
	c.become(t, Closed)
}

// remember shares what was learnt of the path with connections to come.
//
// https://www.rfc-editor.org/rfc/rfc9040#section-6
func (c *Conn) remember(t instant) {
	if c.cfg.Cache != nil && !c.is(passive) && c.is(confirmed) && c.rtt.measured() != 0 {
		c.cfg.Cache.Learn(c.time(t), c.path(), tfo.Lesson{RTT: c.rtt.measured()})
	}
}

func (c *Conn) path() tfo.Path {
	return tfo.Path{Partition: c.cfg.Partition, Local: c.local.Addr(), Remote: c.remote}
}

// waitForFin bounds FIN-WAIT-2 for a connection that nobody owns any more.
func (c *Conn) waitForFin(t instant) {
	if c.state == FinWait2 && c.is(closedByUser) && c.timers[timerLinger] == 0 {
		c.timers.set(timerLinger, t.add(c.cfg.finWait2()))
	}
}

// segment is an empty segment of this connection.
func (c *Conn) segment() wire.Segment {
	return wire.Segment{Src: c.local, Dst: c.remote}
}
