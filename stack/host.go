package stack

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/internal/pile"
	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// A Host is a whole host's TCP, UDP and ICMP as one synchronous object: no
// goroutine, no lock, no clock. Work happens only inside the caller's calls,
// which are of three kinds: a packet has come ([Host.Receive], [Host.Input]),
// the time has come ([Host.Advance]), and an operation on a socket. What is to be
// sent leaves through [HostConfig.Output] before the call returns.
//
// The rule for callers: after any call, ask [Host.Deadline] when to call Advance.
// Time never goes back. A Host is not safe for concurrent use; [Stack] is a Host
// with a lock, goroutines for its links, and blocking calls.
type Host struct {
	settings Settings
	secret   [16]byte
	cache    *tfo.Cache
	keys     *tfo.Keyring
	output   func(link int, batch []wire.Packet)
	woken    func(*Socket) // tells the shell that a socket's readiness has changed
	shell    *Stack        // who has the lock, if anybody
	epoch    time.Time     // the host's clock counts from here
	now      time.Time     // of the call under way

	links    []*attachment // the last is the loopback
	loopback int16
	own      map[netip.Addr]int16 // our addresses, and the link of each
	order    []netip.Addr         // the same, as they were added
	routes   []Route

	conns     table[*Socket]
	waits     table[*waiting]
	oldest    *waiting // those in TIME-WAIT, in the order in which they end
	newest    *waiting
	spares    pile.Pile[*waiting] // those that were
	waitPlace int32
	trimPlace int32
	listeners map[netip.AddrPort]*Socket
	bound     map[uint16][]*Socket // TCP sockets that are bound to a port
	datagrams map[netip.AddrPort][]*UDPSocket
	ports     tcp.Ports
	timers    alarms[*Socket]
	alarms    alarms[sleeper]
	memory    blocks
	pool      tcp.Pool
	configs   map[variant]*tcp.Config

	touched       []*Socket // whose Send is to be drained before the call returns
	segment       wire.Segment
	looped        []loopPacket
	settling      bool
	fragmentID    uint32
	fragments     reassembler
	fragmentPlace int32
	errors        errorLimit
	stats         Stats
}

// HostConfig is what a Host is made with.
type HostConfig struct {
	// Settings are the host's to begin with.
	Settings Settings
	// Links are what it is attached to, at least one.
	Links []LinkConfig
	// Output takes what is to be sent on a link, at the moment it is sent.
	// What the packets show is good until it returns. It must not call the
	// Host. Packets are whole IPv4 or IPv6 packets; see [wire.Packet].
	Output func(link int, batch []wire.Packet)
	// Secret keys sequence numbers, ports and SYN cookies, and hashes. If
	// zero, it is drawn from crypto/rand, and so is the first Fast Open key.
	Secret [16]byte
	// Cache remembers what connections learn of destinations. If nil, the
	// host has one of its own.
	Cache *tfo.Cache
}

// LinkConfig is what a Host knows of a link.
type LinkConfig struct {
	// MTU is the length of the longest IP packet, in bytes. If zero, 1500.
	MTU int
	// Offload says that whoever takes the packets also takes such as are to
	// be cut, with checksums that are only begun.
	Offload bool
	// Hardware is the link's own address, if packets on it are Ethernet
	// frames: six bytes. The host then finds the neighbours.
	Hardware net.HardwareAddr
}

// NewHost makes a host without addresses.
func NewHost(now time.Time, c HostConfig) *Host {
	h := &Host{
		settings: c.Settings, secret: c.Secret, cache: c.Cache, output: c.Output, epoch: now,
		keys:      &tfo.Keyring{},
		own:       map[netip.Addr]int16{},
		listeners: map[netip.AddrPort]*Socket{},
		bound:     map[uint16][]*Socket{},
		datagrams: map[netip.AddrPort][]*UDPSocket{},
		configs:   map[variant]*tcp.Config{},
	}
	if h.secret == [16]byte{} {
		_, _ = rand.Read(h.secret[:])
		h.keys.Set(tfo.GenerateKeys())
	} else {
		// Everything follows from the secret, so that tests can repeat
		// themselves.
		h.keys.Set(tfo.NewKeys(tfo.Key(h.secret)))
	}
	if h.cache == nil {
		h.cache = &tfo.Cache{}
	}
	for i := range h.conns.key {
		half := h.secret[i%2*8:]
		h.conns.key[i] = mix(binary.LittleEndian.Uint64(half)^uint64(i+1)*0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	}
	h.waits.key = h.conns.key
	h.errors.Seed = h.conns.key[0]
	for i, l := range c.Links {
		at := newAttachment(i, l)
		if a, ok := hardwareOf(l.Hardware); ok {
			at.ether = newEthernet(h, int16(i), a)
		}
		h.links = append(h.links, at)
	}
	h.loopback = int16(len(h.links))
	h.links = append(h.links, newAttachment(len(h.links), LinkConfig{MTU: 65535, Offload: true}))
	return h
}

// Receive takes packets that have come on a link, in their order. What they show
// is the caller's again when it returns, but for a Buffer that has been exchanged:
// a packet without one is copied.
func (h *Host) Receive(now time.Time, link int, batch []wire.Packet) {
	h.now = now
	for i := range batch {
		h.arrive(now, int16(link), &batch[i])
	}
	h.settle(now)
}

// Input is Receive of one IP packet on the first link.
func (h *Host) Input(now time.Time, packet []byte) {
	h.Receive(now, 0, []wire.Packet{{Head: packet}})
}

// Deadline is when Advance has something to do, zero for never. It may be early,
// since what was put off meanwhile is found out only then.
func (h *Host) Deadline() time.Time {
	at, ok := h.first()
	if !ok {
		return time.Time{}
	}
	return h.epoch.Add(time.Duration(at))
}

// Advance does what is due.
func (h *Host) Advance(now time.Time) {
	h.now = now
	h.timers.run(h.clock(now))
	h.alarms.run(h.clock(now))
	h.settle(now)
}

func (h *Host) clock(now time.Time) int64 { return int64(now.Sub(h.epoch)) }
func (h *Host) time(at int64) time.Time   { return h.epoch.Add(time.Duration(at)) }

// Sockets is how many connections there are, and how many in TIME-WAIT.
func (h *Host) Sockets() (conns, waits int) { return h.conns.n, h.waits.n }

// touch has s attended to before the call returns: once for all that came for it.
func (h *Host) touch(s *Socket) {
	if s.flags&touched == 0 {
		s.flags |= touched
		h.touched = append(h.touched, s)
	}
}

// settle attends to the connections that were touched, hands over what was
// written to the links, and then what this host has sent to itself.
func (h *Host) settle(now time.Time) {
	if h.settling {
		return
	}
	h.settling, h.now = true, now
	for {
		for i := 0; i < len(h.touched); i++ {
			s := h.touched[i]
			h.touched[i] = nil
			s.flags &^= touched
			h.attend(now, s)
		}
		h.touched = h.touched[:0]
		h.flush()
		if !h.takeLooped(now) {
			break
		}
	}
	h.settling = false
	if h.trimPlace == 0 && h.keepsMuch() {
		h.alarms.set((*memoryTrim)(h), h.clock(now)+int64(trimEvery))
	}
}

// attend does for a connection what can be done now: sends what is to be sent,
// tells of what has happened, arms its timer, and forgets it when it is over.
func (h *Host) attend(now time.Time, s *Socket) {
	c := s.conn
	if c == nil || s.flags&gone != 0 {
		return
	}
	for {
		seg, ok := c.Send(now)
		if !ok {
			break
		}
		h.transmit(s.link, &seg)
	}
	s.observe(c.Events())
	if s.parent != nil {
		s.parent.offer(s)
	}
	if w, over := c.Wait(now); over {
		h.retire(s)
		h.addWait(now, s.flow(), w)
		s.letGo()
		return
	}
	if c.Done() {
		h.retire(s)
		s.letGo()
		return
	}
	if d := c.Deadline(); !d.IsZero() {
		h.timers.set(s, max(h.clock(d), h.clock(now)+1))
	}
}

// retire forgets a connection that is over. What is left of it belongs to whoever
// still holds the socket.
func (h *Host) retire(s *Socket) {
	if s.flags&gone != 0 {
		return
	}
	s.flags |= gone
	h.conns.remove(s)
	h.timers.drop(s)
	if l := s.parent; l != nil && !l.ext.listener.Holds(s.conn) {
		delete(l.ext.children, s.conn)
		s.parent = nil
		s.flags |= closed // nobody has it, and nobody will
	}
	if s.flags&closed != 0 {
		s.unbind()
	}
	h.countFastOpen(s)
}

// place and wake make a socket a sleeper: its connection's timers.
func (s *Socket) place() *int32 { return &s.slot }

func (s *Socket) wake(at int64) {
	// Not at once: settle does, for many at a time.
	s.host.touch(s)
}

// shutDown resets all connections, and closes all sockets.
func (h *Host) shutDown(now time.Time) {
	for _, l := range h.listeners {
		l.stopListening(now)
	}
	var all []*Socket
	h.conns.each(func(s *Socket) { all = append(all, s) })
	for _, s := range all {
		s.conn.Abort(now)
		h.attend(now, s)
	}
	for _, list := range h.datagrams {
		for len(list) > 0 {
			u := list[0]
			list = list[1:]
			_ = u.Close()
		}
	}
	h.settle(now)
}
