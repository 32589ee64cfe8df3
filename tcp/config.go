package tcp

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// Algorithm is a congestion control algorithm.
type Algorithm uint8

const (
	Cubic   Algorithm = iota // RFC 9438
	NewReno                  // RFC 5681, RFC 6582
)

// Config is what connections and listeners are made with. It is shared, not
// copied, and read when a connection starts and as it runs: do not change one in
// use, make another. The zero value works, except that without a Secret
// sequence numbers can be predicted.
type Config struct {
	// Secret keys initial sequence numbers, timestamps, port choice and SYN
	// cookies. 16 random bytes, one value for a whole host, kept as long as
	// the host runs.
	Secret [16]byte
	// Memory lends buffer blocks. If nil, they come from the heap.
	Memory Memory
	// Pool keeps connections for use again. If nil, they come from the heap,
	// and Recycle does nothing.
	Pool *Pool

	// MTU is the largest IP packet the first hop takes, in bytes. If zero,
	// 1500. Values below 576 (IPv4) or 1280 (IPv6) count as these.
	MTU int
	// MaxMSS caps the segment size, both sent and announced. If zero, the
	// MTU alone does.
	MaxMSS uint16
	// Offload is how many bytes one segment given out by Send may carry, for
	// a link that cuts segments itself; Segment.Split says where. If zero,
	// one MSS.
	Offload int

	// SendBuffer is how many unsent and unacknowledged bytes a connection
	// takes from Write at most. If zero, 4 MiB.
	SendBuffer int
	// ReceiveBuffer is how many bytes a connection keeps unread at first. If
	// zero, 64 KiB.
	ReceiveBuffer int
	// MaxReceiveBuffer is how far auto-tuning may raise ReceiveBuffer. If
	// zero, 6 MiB; if less than ReceiveBuffer, there is no auto-tuning.
	MaxReceiveBuffer int

	NoSACK        bool // do not offer selective acknowledgement: RFC 2018
	NoTimestamps  bool // do not offer timestamps: RFC 7323
	NoWindowScale bool // do not offer window scaling: RFC 7323
	ECN           bool // offer and accept explicit congestion notification: RFC 3168
	AcceptECN     bool // accept it and do not offer it, as Linux does unless told otherwise

	// AcceptNoTimestamp takes segments that lack the timestamps which were
	// agreed on, as Linux does. RFC 7323 says that they SHOULD be dropped.
	AcceptNoTimestamp bool
	// TimestampTick is the resolution of our timestamp clock, between 1 µs
	// and 1 s. If zero, 1 ms.
	TimestampTick time.Duration

	// Congestion chooses the algorithm. The zero value is Cubic.
	Congestion Algorithm
	// InitialWindow is in segments. If zero, 10: RFC 6928.
	InitialWindow int

	// InitialRTO is the retransmission timeout before anything was measured.
	// If zero, 1 s.
	InitialRTO time.Duration
	// MinRTO and MaxRTO bound the retransmission timeout. If zero, 200 ms
	// and 120 s.
	MinRTO, MaxRTO time.Duration
	// SYNLinear is how many SYNs more are sent at the same interval before it
	// doubles, as Linux does with 4. If zero, it doubles at once.
	SYNLinear int
	// SYNRetries is how often a SYN is sent again before the attempt is
	// given up. If zero, 6; if negative, never.
	SYNRetries int
	// SYNACKRetries is the same for a SYN-ACK. If zero, 5; if negative, never.
	SYNACKRetries int
	// Retries is how often data is sent again (R2). If zero, 15; more than 254
	// are 254.
	Retries int
	// OrphanRetries is Retries for a connection that nobody owns any more,
	// after Close. If zero, 8.
	OrphanRetries int
	// UserTimeout ends a connection whose data stayed unacknowledged for so
	// long, in place of Retries, or its SYN unanswered: RFC 5482. If zero,
	// Retries and SYNRetries alone count.
	UserTimeout time.Duration

	// DelayedACK is how long an acknowledgement may wait for company. If
	// zero, 40 ms; at most 500 ms; if negative, none waits.
	DelayedACK time.Duration
	// DelayFINACK lets the acknowledgement of the peer's FIN wait, too, as
	// Linux does once there was data: a FIN of ours may follow soon.
	DelayFINACK bool
	// NoDelay switches Nagle's algorithm off from the start.
	NoDelay bool
	// Keepalive is used once a connection has SetKeepalive(true).
	Keepalive Keepalive
	// TimeWait is how long TIME-WAIT lasts. If zero, 60 s.
	TimeWait time.Duration
	// FinWait2 is how long a closed connection waits for the peer's FIN. If
	// zero, 60 s.
	FinWait2 time.Duration

	// Cache remembers, for Dial, what earlier connections learnt of a
	// destination: Fast Open cookies above all. If nil, Dial never uses Fast
	// Open except by SendCookieless.
	Cache *tfo.Cache
	// Partition keeps what is learnt apart: one per network or privacy
	// context. Opaque; may be empty.
	Partition string
	// Client says how Dial uses Fast Open.
	Client FastOpenClient
}

// Keepalive is when to ask an idle peer whether it is still there.
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
type Keepalive struct {
	Idle     time.Duration // silence before the first probe. If zero, 2 h.
	Interval time.Duration // between probes. If zero, 75 s.
	Count    int           // unanswered probes that end the connection. If zero, 9; at most 254.
}

// FastOpenClient is the client's side of Fast Open. The zero value uses Fast
// Open wherever the Config has a Cache, as RFC 7413 says.
type FastOpenClient struct {
	// Off sends every SYN plain.
	Off bool
	// SendCookieless puts data into a SYN without any Fast Open option, for
	// networks whose servers are known to take it. A cookie in the cache is
	// not used then, and one that comes is not kept.
	SendCookieless bool
	// InterfaceMSS sizes the data of a SYN by the MTU where the peer's MSS
	// is not known, as Linux does, instead of by the default of RFC 7413:
	// 536 bytes for IPv4, 1220 for IPv6.
	InterfaceMSS bool
	// OptionRoom is how many bytes of the segment size a SYN keeps free for
	// options, beside its data. If zero, 40, as Linux; if negative, none.
	OptionRoom int
	// RetryExperimental asks once with option kind 254 when a request with
	// kind 34 brought no cookie, as Linux does.
	RetryExperimental bool
	// IgnoreFailures neither reads nor writes the memory of what failed on a
	// path, as Linux. RFC 7413 says a client MUST keep it.
	IgnoreFailures bool
	// IgnoreRTT sends the first SYN again after InitialRTO, whatever a round
	// trip to the destination has taken before, as Linux does.
	IgnoreRTT bool
	// AbortOnError ends the attempt when a SYN that used Fast Open is
	// answered by a reset or an ICMP error, as Linux does, instead of trying
	// once more without Fast Open.
	AbortOnError bool
}

// FastOpenServer is a listener's side of Fast Open. The zero value is off.
type FastOpenServer struct {
	// Keys mint and check cookies. If nil, there are no cookies.
	Keys *tfo.Keyring
	// Cookie makes the cookies of this listener in place of Keys, for other
	// functions than those of package tfo. It must not depend on time.
	Cookie func(client, server netip.Addr) tfo.Cookie
	// MaxPending is how many connections may be in use before their
	// handshake is complete. If zero, Fast Open is off: a listener turns it
	// on by saying how much it bears.
	MaxPending int
	// MaxPendingPerPrefix is the same for one source prefix, /24 or /56. If
	// zero, a quarter of MaxPending, at least one; if negative, no such limit.
	MaxPendingPerPrefix int
	// Cookieless is the prefixes whose SYNs may carry data without a cookie.
	Cookieless []netip.Prefix
	// WithholdCookies gives no cookie to a source in Cookieless, as Linux.
	WithholdCookies bool
	// HoldOutput keeps what the application writes until the handshake is
	// confirmed, so that a forged SYN cannot make this host send data to a
	// third: RFC 7413 section 5.2.
	HoldOutput bool
	// AlwaysEcho repeats the cookie in every SYN-ACK that accepts one.
	// FreeBSD's client gives a path up for 15 minutes if it is missing.
	AlwaysEcho bool
	// DataInSYNACK lets data that the application wrote before the SYN-ACK
	// left travel in it.
	DataInSYNACK bool
	// ChargeAcceptedOnly charges a reset to a pending connection only if the
	// application had accepted it, as Linux does, not to every one.
	ChargeAcceptedOnly bool
}

func or[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

func (c *Config) memory() Memory {
	if c.Memory == nil {
		return onHeap{}
	}
	return c.Memory
}

func (c *Config) initialRTO() time.Duration { return or(c.InitialRTO, time.Second) }
func (c *Config) tick() time.Duration {
	return min(max(or(c.TimestampTick, time.Millisecond), time.Microsecond), time.Second)
}
func (c *Config) minRTO() time.Duration   { return or(c.MinRTO, 200*time.Millisecond) }
func (c *Config) maxRTO() time.Duration   { return or(c.MaxRTO, 120*time.Second) }
func (c *Config) timeWait() time.Duration { return or(c.TimeWait, 60*time.Second) }
func (c *Config) finWait2() time.Duration { return or(c.FinWait2, 60*time.Second) }
func (c *Config) sendBuffer() int         { return or(c.SendBuffer, 4<<20) }
func (c *Config) receiveBuffer() int      { return min(or(c.ReceiveBuffer, 64<<10), 1<<30-1) }
func (c *Config) maxReceiveBuffer() int   { return min(or(c.MaxReceiveBuffer, 6<<20), 1<<30-1) }
func (c *Config) initialWindow() int      { return or(c.InitialWindow, 10) }
func (c *Config) retries() int            { return min(or(c.Retries, 15), maxTries) }
func (c *Config) orphanRetries() int      { return or(c.OrphanRetries, 8) }
func (c *Config) synRetries() int         { return max(or(c.SYNRetries, 6), 0) }
func (c *Config) synackRetries() int      { return max(or(c.SYNACKRetries, 5), 0) }

// The delay is less than half a second: MUST-40.
// https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.3
func (c *Config) delayedACK() time.Duration {
	return max(min(or(c.DelayedACK, 40*time.Millisecond), 499*time.Millisecond), 0)
}

// mtuMSS is the segment size that the first hop's MTU leaves, with no options.
//
// "The MSS value to be sent in an MSS Option should be equal to the effective
// MTU minus the fixed IP and TCP headers."
// https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
func (c *Config) mtuMSS(is4 bool) uint16 {
	mtu := or(c.MTU, 1500)
	var m int
	if is4 {
		m = max(mtu, minMTU4) - 40
	} else {
		m = max(mtu, minMTU6) - 60
	}
	m = min(m, 65535)
	if c.MaxMSS != 0 {
		m = min(m, max(int(c.MaxMSS), minMSS))
	}
	return uint16(m)
}

const (
	minMTU4, minMTU6 = 576, 1280
	// minMSS keeps a peer from making this end send headers for nothing: the
	// sender's options take up to 40 bytes of a segment. As in Linux.
	minMSS = 88
)

// windowShift is the window scale that the largest buffer needs.
//
// https://www.rfc-editor.org/rfc/rfc7323#section-2.3
func (c *Config) windowShift() uint8 {
	shift, n := uint8(0), max(c.receiveBuffer(), c.maxReceiveBuffer())
	for shift < 14 && n>>shift > 65535 {
		shift++
	}
	return shift
}
