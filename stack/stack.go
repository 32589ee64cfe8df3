package stack

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen/internal/pile"
	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// Config is what a Stack is made with.
type Config struct {
	// Settings are what connections have in common. Unlike a Host's, a
	// Stack's connections have Nagle's algorithm off and keepalive on, as
	// those of package net, unless Nagle or NoKeepalive say otherwise.
	Settings Settings
	// Links are what the stack is attached to, and reads from until Close.
	// There may be none: then it can only talk to itself.
	Links []Link
	// Addresses are those that it has on the first link; for others there is
	// AddAddress.
	Addresses []netip.Prefix
	// Routes say where packets go, besides the networks of the addresses. If
	// nil, everything goes to the first link.
	Routes []Route
	// DNS is the servers that names are looked up at, which Dial and
	// Resolver do through the stack itself. If empty, names are not known.
	DNS []netip.AddrPort
	// Cache remembers what connections learn of destinations. If nil, the
	// stack has one of its own.
	Cache *tfo.Cache

	Nagle       bool // hold small segments back while others are not acknowledged
	NoKeepalive bool // do not ask idle peers
}

// A Stack is a host whose calls wait, for any number of goroutines: a Host with a
// lock, one goroutine for each link, and one timer. It gives [net.Conn],
// [net.Listener] and [net.PacketConn], and is a Network of package fastopen.
type Stack struct {
	mu     sync.Mutex
	host   *Host
	links  []Link
	timer  *time.Timer
	armed  int64 // when the timer fires, of the host's clock; 0 is not
	closed bool
	blocks *blocked // all that are in use
	spares pile.Pile[*blocked]
	dns    []netip.AddrPort
	turn   int // of the name servers

	readers sync.WaitGroup
	polls   busyPoll
}

// New makes a Stack and starts to read from its links, which are its own from then
// on. If it fails they remain the caller's, to be closed.
func New(c Config) (*Stack, error) {
	t := &Stack{links: c.Links, dns: c.DNS}
	hc := HostConfig{Settings: c.Settings, Cache: c.Cache, Output: t.output}
	hc.Settings.TCP.NoDelay = !c.Nagle
	hc.Settings.Keepalive = !c.NoKeepalive
	if k := &hc.Settings.TCP.Keepalive; k.Idle == 0 {
		k.Idle, k.Interval = 15*time.Second, 15*time.Second // as package net
	}
	for i, l := range c.Links {
		if l == nil {
			return nil, fmt.Errorf("new stack: link %d is nil: leave it out of Config.Links", i)
		}
		mtu, err := l.MTU()
		if err != nil {
			return nil, fmt.Errorf("new stack: link %d does not tell its MTU: %w", i, err)
		}
		lc := LinkConfig{MTU: mtu, Offload: true}
		if e, ok := l.(interface{ HardwareAddr() net.HardwareAddr }); ok {
			lc.Hardware = e.HardwareAddr()
		}
		hc.Links = append(hc.Links, lc)
	}
	t.host = NewHost(time.Now(), hc)
	t.host.shell = t
	t.host.woken = wakeSocket
	for _, p := range c.Addresses {
		link := 0
		if len(c.Links) == 0 {
			link = int(t.host.loopback)
		}
		if err := t.host.addAddress(link, p); err != nil {
			return nil, fmt.Errorf("new stack: %w", err)
		}
	}
	routes := c.Routes
	if routes == nil && len(c.Links) > 0 {
		routes = []Route{{Prefix: everyone[0]}, {Prefix: everyone[1]}}
	}
	for _, r := range routes {
		if err := t.host.AddRoute(r); err != nil {
			return nil, fmt.Errorf("new stack: %w", err)
		}
	}
	t.timer = time.AfterFunc(time.Hour, t.tick)
	t.timer.Stop()
	for i, l := range t.links {
		t.pollLink(i, l)
	}
	for i := range t.links {
		t.readers.Add(1)
		go t.read(i)
	}
	return t, nil
}

// Close ends the stack: connections are reset, all that wait return
// [net.ErrClosed], and the links are closed.
func (t *Stack) Close() error {
	now := t.lock()
	if t.closed {
		t.unlock()
		return net.ErrClosed
	}
	t.host.shutDown(now)
	t.closed = true
	t.timer.Stop()
	for b := t.blocks; b != nil; b = b.next {
		b.wakeAll()
	}
	t.mu.Unlock()
	var errs []error
	for _, l := range t.links {
		if err := l.Close(); !errors.Is(err, os.ErrClosed) { // it may have ended before
			errs = append(errs, err)
		}
	}
	t.readers.Wait()
	return errors.Join(errs...)
}

// Do calls f with the stack's Host, while nothing else happens to it. f must not
// block, nor call the Stack, nor keep the Host.
func (t *Stack) Do(f func(now time.Time, h *Host)) {
	f(t.lock(), t.host)
	t.unlock()
}

// Stats returns the stack's counters.
func (t *Stack) Stats() (s Stats) {
	t.Do(func(_ time.Time, h *Host) { s = h.Stats() })
	return s
}

// AddAddress gives the stack an address on a link: see [Host.AddAddress].
func (t *Stack) AddAddress(link int, p netip.Prefix) (err error) {
	t.Do(func(_ time.Time, h *Host) { err = h.AddAddress(link, p) })
	return err
}

// AddRoute adds a route: see [Host.AddRoute].
func (t *Stack) AddRoute(r Route) (err error) {
	t.Do(func(_ time.Time, h *Host) { err = h.AddRoute(r) })
	return err
}

// ForgetDestinations forgets what connections have learnt of destinations. Call it
// when the machine has moved to another network.
func (t *Stack) ForgetDestinations() { t.host.ForgetDestinations() }

// lock begins a piece of work, at the time returned.
func (t *Stack) lock() time.Time {
	t.mu.Lock()
	return time.Now()
}

// unlock ends it.
func (t *Stack) unlock() {
	t.arm()
	t.mu.Unlock()
}

// arm sets the timer to the first deadline, unless it fires before that anyway.
func (t *Stack) arm() {
	at, ok := t.host.first()
	if !ok || t.closed || t.armed != 0 && t.armed <= at {
		return
	}
	t.armed = max(at, 1)
	t.timer.Reset(time.Until(t.host.time(at)))
}

// tick is called by the timer.
func (t *Stack) tick() {
	now := t.lock()
	t.armed = 0
	if !t.closed {
		t.host.Advance(now)
	}
	t.unlock()
}

// read gives the host what comes on a link, until that is closed or does nothing
// but fail. Then it is down: its device was deleted, most likely.
func (t *Stack) read(link int) {
	defer t.readers.Done()
	defer t.Do(func(_ time.Time, h *Host) { h.links[link].down = true })
	batch := make([]wire.Packet, batchSize)
	shared, _ := t.links[link].(pollable)
	for failures := 0; failures < 16; {
		n, err := t.links[link].Receive(batch)
		if failures++; n > 0 {
			failures = 0
		}
		if !t.take(link, batch[:n]) || errors.Is(err, os.ErrClosed) {
			return
		}
		if shared != nil {
			shared.Done()
		}
		// Whoever was woken goes first: what came for them is still in the
		// processor's caches.
		runtime.Gosched()
	}
}

// take gives the host what has come on a link, and reports whether the stack is
// still there.
func (t *Stack) take(link int, batch []wire.Packet) bool {
	now := t.lock()
	defer t.unlock()
	if !t.closed {
		t.host.Receive(now, link, batch)
	}
	return !t.closed
}

// output gives a link what the host sends.
func (t *Stack) output(link int, batch []wire.Packet) {
	n, _ := t.links[link].Send(batch)
	t.host.stats.Drops.Link += uint64(len(batch) - n)
}

// wakeSocket wakes whoever waits for a socket.
func wakeSocket(s *Socket) {
	if s.blocked != nil {
		s.blocked.wakeAll()
	}
}
