package stack

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// FastOpenBits are a host's switches of Fast Open, with the values of Linux's
// net.ipv4.tcp_fastopen. Zero means FastOpenClient and FastOpenServer.
type FastOpenBits uint32

const (
	FastOpenClient           FastOpenBits = 0x1     // sockets may use Fast Open to connect
	FastOpenServer           FastOpenBits = 0x2     // listeners may, if they are told to
	FastOpenClientCookieless FastOpenBits = 0x4     // SYNs carry data without a cookie
	FastOpenServerCookieless FastOpenBits = 0x200   // ... and are accepted from anybody
	FastOpenEveryListener    FastOpenBits = 0x400   // each socket that begins to listen is told to
	FastOpenOff              FastOpenBits = 1 << 31 // nothing of the above
	fastOpenDefault                       = FastOpenClient | FastOpenServer
)

func (b FastOpenBits) has(f FastOpenBits) bool {
	if b == 0 {
		b = fastOpenDefault
	}
	return b&FastOpenOff == 0 && b&f != 0
}

// Settings are what a host's sockets have in common. They are read when a
// connection starts, and by listeners for every SYN. The zero value is good for
// the Internet, and keeps to the RFCs where Linux does not.
type Settings struct {
	// TCP is what connections are made with. Its MTU, if not zero, lowers
	// that of every link. Secret, Memory, Offload, Cache and Partition do not
	// count here: they are the host's.
	TCP tcp.Config
	// FastOpen switches Fast Open for the host.
	FastOpen FastOpenBits
	// Listen is the server's side of Fast Open for listeners that have
	// nothing of their own. MaxPending counts only under
	// FastOpenEveryListener; if zero there, the backlog does. Without Keys,
	// the host makes keys for itself.
	Listen tcp.FastOpenServer
	// MaxBacklog cuts the backlog of listeners, and their queue of Fast Open
	// (net.core.somaxconn). If zero, 4096.
	MaxBacklog int
	// SYNQueue is as in [tcp.ListenConfig].
	SYNQueue int
	// LowPort and HighPort are the range of ports for sockets that are not
	// bound to one. If zero, 32768 and 60999.
	LowPort, HighPort uint16
	// Keepalive has every connection ask an idle peer, as TCP.Keepalive says.
	Keepalive bool
	// MaxSockets is how many connections there may be at once; SYNs and
	// connects beyond are refused. If zero, a million.
	MaxSockets int
	// NoEcho leaves ICMP echo requests unanswered.
	NoEcho bool
}

// LinuxSettings are those with which a host behaves as Linux 6.18 does, also
// where the RFCs say otherwise.
func LinuxSettings() Settings {
	return Settings{
		TCP: tcp.Config{
			SYNLinear: 4, SYNRetries: 6, SYNACKRetries: 5, AcceptNoTimestamp: true, AcceptECN: true, DelayFINACK: true,
			ReceiveBuffer: 64 << 10, MaxReceiveBuffer: 6 << 20,
			Client: tcp.FastOpenClient{
				InterfaceMSS: true, RetryExperimental: true, IgnoreFailures: true, IgnoreRTT: true, AbortOnError: true,
			},
		},
		FastOpen: FastOpenClient,
		Listen: tcp.FastOpenServer{
			MaxPendingPerPrefix: -1, WithholdCookies: true, ChargeAcceptedOnly: true,
		},
	}
}

func or[T int | uint16 | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

func (s *Settings) maxBacklog() int  { return or(s.MaxBacklog, 4096) }
func (s *Settings) lowPort() uint16  { return or(s.LowPort, 32768) }
func (s *Settings) highPort() uint16 { return max(or(s.HighPort, 60999), s.lowPort()) }
func (s *Settings) maxSockets() int  { return or(s.MaxSockets, 1_000_000) }
func (s *Settings) clientOn() bool   { return s.FastOpen.has(FastOpenClient) }
func (s *Settings) everyListener() bool {
	return s.FastOpen.has(FastOpenEveryListener) && s.FastOpen.has(FastOpenServer)
}

// clientMode is how one connect uses Fast Open.
type clientMode uint8

const (
	plainSYN   clientMode = iota
	byCookie              // ask for one, or use it
	cookieless            // data without any
)

// variant is what makes connections of a host differ in their configuration.
type variant struct {
	link      int16
	mode      clientMode
	partition string
	tuning    tuning
}

// tuning is the options of a socket that a configuration holds.
type tuning struct {
	maxMSS         uint16
	synCount       int
	receiveBuffer  int
	sendBuffer     int
	initialWindow  int
	noWindowScale  bool
	keepaliveSet   bool
	keepalive      tcp.Keepalive
	userTimeout    time.Duration
	timeWait       time.Duration
	noSACK, noTime bool
}

// config returns the configuration for connections like v, shared by all that
// start under the same settings.
func (h *Host) config(v variant) *tcp.Config {
	if c := h.configs[v]; c != nil {
		return c
	}
	c := h.settings.TCP
	i := h.links[v.link]
	c.Secret, c.Memory, c.Pool, c.Cache, c.Partition = h.secret, &h.memory, &h.pool, h.cache, v.partition
	if c.MTU == 0 || c.MTU > i.mtu {
		c.MTU = i.mtu
	}
	c.Offload = 0
	if i.offload {
		c.Offload = maxSuperSegment
	}
	c.Client.Off = c.Client.Off || v.mode == plainSYN
	c.Client.SendCookieless = v.mode == cookieless
	v.tuning.apply(&c)
	if len(h.configs) >= 256 {
		// Partitions and options may be many; connections keep theirs.
		clear(h.configs)
	}
	h.configs[v] = &c
	return &c
}

// maxSuperSegment is how much data a packet may carry that is to be cut: what
// fits into the 65,535 bytes of an IP packet besides the longest headers.
const maxSuperSegment = 65535 - 40 - 60

func (t *tuning) apply(c *tcp.Config) {
	if t.maxMSS != 0 {
		c.MaxMSS = t.maxMSS
	}
	if t.synCount != 0 {
		// Exactly so many after the first, for SYN-ACKs too: requirement
		// SRV-15.
		c.SYNRetries, c.SYNACKRetries = t.synCount, t.synCount
	}
	if t.receiveBuffer != 0 {
		c.ReceiveBuffer, c.MaxReceiveBuffer = t.receiveBuffer, 1
	}
	if t.sendBuffer != 0 {
		c.SendBuffer = t.sendBuffer
	}
	if t.initialWindow != 0 {
		c.InitialWindow = t.initialWindow
	}
	if t.keepaliveSet {
		c.Keepalive = t.keepalive
	}
	if t.userTimeout != 0 {
		c.UserTimeout = t.userTimeout
	}
	if t.timeWait != 0 {
		c.TimeWait = t.timeWait
	}
	c.NoWindowScale = c.NoWindowScale || t.noWindowScale
	c.NoSACK = c.NoSACK || t.noSACK
	c.NoTimestamps = c.NoTimestamps || t.noTime
}

// Settings returns the host's settings as they are.
func (h *Host) Settings() Settings { return h.settings }

// SetSettings changes them for connections that start from now on.
func (h *Host) SetSettings(s Settings) {
	h.settings = s
	clear(h.configs)
	for _, l := range h.listeners {
		l.refreshListener()
	}
}

// Keys are what the host's listeners make cookies with, unless they have their
// own.
func (h *Host) Keys() *tfo.Keyring {
	if h.settings.Listen.Keys != nil {
		return h.settings.Listen.Keys
	}
	return h.keys
}

// ForgetDestinations forgets what earlier connections have learnt: cookies,
// segment sizes, round-trip times, and what failed.
func (h *Host) ForgetDestinations() { h.cache.Forget() }

// Cache is where connections of the host learn of destinations.
func (h *Host) Cache() *tfo.Cache { return h.cache }

// everyone is the prefixes that hold all addresses.
var everyone = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}

// ForgetFailures forgets where Fast Open has failed, and keeps the cookies.
func (h *Host) ForgetFailures() { h.cache.ForgetFailures() }
