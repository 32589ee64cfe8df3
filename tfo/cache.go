package tfo

import (
	"net/netip"
	"sync"
	"time"
)

// What a [Cache] does where its fields are zero.
const (
	DefaultCapacity = 4096
	DefaultMaxAge   = time.Hour
)

// A Path is the way from a client to a server, as far as a [Cache] tells ways
// apart.
type Path struct {
	// Partition keeps apart what must not be mixed: networks the client is
	// attached to, or contexts that must not be linked with each other. What is
	// learnt in one partition is not known in another. Its meaning is the
	// caller's; "" is a partition too.
	Partition string

	// Local is the client's address, or the zero Addr where it is not known
	// before the connection is made. What is learnt for one is not known for
	// another, so use it always or never.
	Local netip.Addr

	// Remote is the server. An IPv4 address written as IPv6 counts as IPv4.
	Remote netip.AddrPort
}

// An Entry is what a [Cache] knows about a [Path]. Its zero value is to know
// nothing.
type Entry struct {
	Cookie   Option        // what to put into the SYN: a cookie in the form it came in, or a request
	MSS      uint16        // the largest segment the server takes, in bytes; 0 if unknown
	RTT      time.Duration // round-trip time; 0 if unknown
	Avoid    Avoid         // what failed; ask Avoid.Active whether to try
	Requests int           // requests for a cookie in a row that brought none
}

// Avoid is the memory of failures on one [Path]. Its zero value is to know of
// none.
type Avoid struct {
	Cause        Cause     // the last failure
	Since, Until time.Time // when it was, and the end of the pause it began; no Until, no pause
	Times        int       // failures in a row, since the last success
}

// Active reports whether Fast Open is not to be tried now.
func (a Avoid) Active(now time.Time) bool { return now.Before(a.Until) }

// A Lesson is what a connection taught about its path. Zero fields teach
// nothing and leave what is known.
type Lesson struct {
	Cookie Option        // the option of the SYN-ACK, if it carried a cookie
	MSS    uint16        // the MSS option of the SYN-ACK
	RTT    time.Duration // smoothed round-trip time
}

// A Cache is what a client remembers of servers from one connection to the next:
// cookies, segment sizes and round-trip times, and where Fast Open failed. It is
// bounded, keeps nothing on disk and reads no clock: time is passed in and should
// not go back. The zero Cache is ready for use, and safe for concurrent use; it
// must not be copied.
//
// Cookie, MSS, round-trip time and the count of requests belong to partition,
// client address and server address, whatever the port:
//
// "Hence, the client should cache at most one (most recently received) cookie
// per client and server IP address pair."
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3
//
// Failures belong to the port as well, since what answers there may differ.
type Cache struct {
	// Capacity is how many destinations the cache remembers and, counted
	// apart, how many paths that failed. Where there is no room, the one that
	// was not asked for, or told of, for longest is forgotten. So a flood of
	// new destinations does not drive out the memory of failures, nor the other
	// way round. 0 or less means DefaultCapacity.
	//
	// Set Capacity and MaxAge before the first use.
	Capacity int

	// MaxAge is how long a cookie is used after the server handed it out. A
	// cookie is a mark by which servers, and everyone on the path, recognise a
	// client, so it should not outlive what else they could recognise it by; and
	// an old cookie is likely to be one the server accepts no more. 0 means
	// DefaultMaxAge, less than 0 means for ever.
	MaxAge time.Duration

	mu       sync.Mutex
	known    lru[destination, knowledge]
	failures lru[failingPath, failure]
}

type destination struct {
	partition     string
	local, remote netip.Addr
}

type knowledge struct {
	cookie   Option
	learnt   time.Time // the cookie
	mss      uint16
	rtt      time.Duration
	requests int
}

// NewCache returns a Cache of that Capacity.
func NewCache(capacity int) *Cache { return &Cache{Capacity: capacity} }

// Lookup returns what is known about p.
func (c *Cache) Lookup(now time.Time, p Path) Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	var e Entry
	if n := c.known.get(p.destination()); n != nil {
		k := &n.value
		if c.tooOld(now.Sub(k.learnt)) {
			k.cookie = Option{}
		}
		e = Entry{Cookie: k.cookie, MSS: k.mss, RTT: k.rtt, Requests: k.requests}
	}
	if n := c.failures.get(p.failing()); n != nil {
		e.Avoid = n.value.Avoid
	}
	return e
}

// Learn remembers l. A cookie takes the place of the one known before, and ends
// the count of requests that brought none.
//
// Do not pass a cookie that the connection did not ask for, by an option of its
// own: such a cookie is not to be kept.
func (c *Cache) Learn(now time.Time, p Path, l Lesson) {
	if l.Cookie.IsRequest() && l.MSS == 0 && l.RTT <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.learnAbout(p)
	if !l.Cookie.IsRequest() {
		k.cookie, k.learnt, k.requests = l.Cookie, now, 0
	}
	if l.MSS != 0 {
		k.mss = l.MSS
	}
	if l.RTT > 0 {
		k.rtt = l.RTT
	}
}

// Requested remembers that a SYN asked for a cookie and its SYN-ACK brought none.
func (c *Cache) Requested(now time.Time, p Path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.learnAbout(p).requests++
}

// Forget forgets everything. Call it when the client moves to another network,
// and wherever a person asks for it.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = lru[destination, knowledge]{}
	c.failures = lru[failingPath, failure]{}
}

// ForgetFailures forgets what failed, and keeps what is known.
func (c *Cache) ForgetFailures() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = lru[failingPath, failure]{}
}

// ForgetPartition forgets everything in one partition.
func (c *Cache) ForgetPartition(partition string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.removeIf(func(d destination) bool { return d.partition == partition })
	c.failures.removeIf(func(p failingPath) bool { return p.partition == partition })
}

// Len returns how many destinations and paths that failed the cache remembers,
// together: at most twice its capacity.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.known.m) + len(c.failures.m)
}

func (p Path) destination() destination {
	return destination{p.Partition, p.Local.Unmap(), p.Remote.Addr().Unmap()}
}

// learnAbout returns what is known about p's destination, to be added to.
func (c *Cache) learnAbout(p Path) *knowledge {
	d := p.destination()
	if n := c.known.get(d); n != nil {
		return &n.value
	}
	if len(c.known.m) >= c.capacity() {
		c.known.remove(c.known.oldest())
	}
	return &c.known.add(d).value
}

func (c *Cache) capacity() int {
	if c.Capacity <= 0 {
		return DefaultCapacity
	}
	return c.Capacity
}

func (c *Cache) tooOld(age time.Duration) bool {
	switch {
	case c.MaxAge < 0:
		return false
	case c.MaxAge == 0:
		return age >= DefaultMaxAge
	}
	return age >= c.MaxAge
}
