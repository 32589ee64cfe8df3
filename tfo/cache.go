package tfo

import (
	"net/netip"
	"sync"
	"time"
)

// Defaults of Cache.
const (
	DefaultCapacity = 1024
	DefaultMaxAge   = time.Hour
)

// A Path is one client's way to one server.
type Path struct {
	Partition string         // network, privacy context: opaque
	Local     netip.Addr     // may be zero
	Remote    netip.AddrPort // the server
}

// An Entry is what is known about a path.
type Entry struct {
	Cookie   Option        // what to send; a request if no cookie is known
	MSS      uint16        // the server's MSS; 0 unknown
	RTT      time.Duration // 0 unknown
	Avoid    Avoid         // negative memory
	Requests int           // cookie requests in a row that brought none
}

// Avoid is the memory of failures on a path.
type Avoid struct {
	Cause        Cause     // the last failure
	Since, Until time.Time // of the last failure; the end of the pause it began
	Times        int       // failures in a row
}

// Active reports whether Fast Open should not be tried.
func (a Avoid) Active(now time.Time) bool { return now.Before(a.Until) }

// A Lesson is what a SYN-ACK taught. Zero fields leave what is known.
type Lesson struct {
	Cookie Option // an option without cookie teaches nothing
	MSS    uint16
	RTT    time.Duration
}

// A Cache is a client's memory. The zero Cache is ready for use.
type Cache struct {
	Capacity int           // 0 means DefaultCapacity
	MaxAge   time.Duration // 0 means DefaultMaxAge, negative no limit

	mu    sync.Mutex
	hosts lru[host, known]
	paths lru[port, failures]
}

type host struct {
	partition     string
	local, remote netip.Addr
}

type port struct {
	host
	port uint16
}

type known struct {
	Entry
	learnt time.Time
}

type failures struct {
	Avoid
	pauses int
}

// NewCache returns a Cache for that many destinations.
func NewCache(capacity int) *Cache { return &Cache{Capacity: capacity} }

func (p Path) host() host {
	return host{p.Partition, p.Local.Unmap(), p.Remote.Addr().Unmap()}
}

func (p Path) port() port { return port{p.host(), p.Remote.Port()} }

// Lookup returns what is known about p.
func (c *Cache) Lookup(now time.Time, p Path) (e Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.hosts.get(p.host()); n != nil {
		maxAge := c.MaxAge
		if maxAge == 0 {
			maxAge = DefaultMaxAge
		}
		if maxAge > 0 && now.Sub(n.value.learnt) >= maxAge {
			n.value.Cookie = Option{}
		}
		e = n.value.Entry
	}
	if n := c.paths.get(p.port()); n != nil {
		e.Avoid = n.value.Avoid
	}
	return e
}

// Learn remembers what a SYN-ACK taught.
func (c *Cache) Learn(now time.Time, p Path, l Lesson) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.host(p)
	if !l.Cookie.IsRequest() {
		n.value.Cookie, n.value.learnt, n.value.Requests = l.Cookie, now, 0
	}
	if l.MSS != 0 {
		n.value.MSS = l.MSS
	}
	if l.RTT > 0 {
		n.value.RTT = l.RTT
	}
}

func (c *Cache) host(p Path) *node[host, known] {
	n := c.hosts.get(p.host())
	if n == nil {
		if c.hosts.len() >= c.capacity() {
			c.hosts.remove(c.hosts.root.prev)
		}
		n = c.hosts.add(p.host())
	}
	return n
}

func (c *Cache) capacity() int {
	if c.Capacity <= 0 {
		return DefaultCapacity
	}
	return c.Capacity
}

// Requested remembers that a cookie was asked for and none came.
func (c *Cache) Requested(now time.Time, p Path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.host(p).value.Requests++
}

// Failed remembers a failure.
func (c *Cache) Failed(now time.Time, p Path, why Cause) {
	severe := false
	switch why {
	case Lost, Reset, Unreachable, BlackHole, Overtaken:
		severe = true
	case Unacknowledged, Partial:
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.paths.get(p.port())
	if n == nil {
		if c.paths.len() >= c.capacity() {
			c.paths.remove(c.paths.root.prev)
		}
		n = c.paths.add(p.port())
	}
	f := &n.value
	if f.Active(now) {
		return
	}
	f.Cause, f.Since = why, now
	f.Times++
	if severe || f.Times >= 2 {
		d := 15 * time.Minute
		for range f.pauses {
			d = min(2*d, 24*time.Hour)
		}
		f.pauses = min(f.pauses+1, 10)
		f.Until = now.Add(d)
	}
}

// Succeeded forgets the failures of p.
func (c *Cache) Succeeded(now time.Time, p Path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.paths.get(p.port()); n != nil {
		c.paths.remove(n)
	}
}

// Forget forgets everything.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts, c.paths = lru[host, known]{}, lru[port, failures]{}
}

// ForgetPartition forgets everything of one partition.
func (c *Cache) ForgetPartition(partition string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts.removeIf(func(h host) bool { return h.partition == partition })
	c.paths.removeIf(func(p port) bool { return p.partition == partition })
}

// Len returns how many destinations and failing paths are remembered.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hosts.len() + c.paths.len()
}
