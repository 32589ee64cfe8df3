package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// story is one client that makes a few connections to one address.
type story struct {
	testCase
	f fastCase
	w network
	b box

	net       *sim.Net
	client    *sim.Host
	server    *sim.Host // the first of those that share the address
	listeners []*tcp.Listener
	cache     tfo.Cache
	ring      *tfo.Keyring
	rng       *rand.Rand
	nat       *sim.NAT
	memory    counted
	rtt       time.Duration
	ports     map[uint16]*connection // by the client's port
	conns     []*connection
	steps     int
}

// connection is one connection of a story, seen from both ends.
type connection struct {
	plan
	began    time.Time
	conn     *tcp.Conn
	client   *sim.Stream
	children []*child
	outcome  tfo.Outcome
}

// child is a connection that the server accepted. Of one connection there is
// more than one when a SYN with data came again after the first had gone.
type child struct {
	conn   *tcp.Conn
	stream *sim.Stream
}

const connections = 3 // of a story

const port = 443

// tell plays the story. What is logged goes to log, if that is not nil.
func tell(c testCase, log io.Writer) *story {
	return play(c, find(fasts, c.fast), find(networks, c.net), find(boxes, c.box), log)
}

// play is tell where the tables do not have what is to be told.
func play(c testCase, f fastCase, w network, b box, log io.Writer) *story {
	s := &story{testCase: c, f: f, w: w, b: b, net: sim.NewNet(c.seed), ports: map[uint16]*connection{}}
	if log != nil {
		s.net.Log = func(line string) { fmt.Fprintln(log, line) }
	}
	s.rng = s.net.Rand()
	s.build()
	for i := range connections {
		s.conns = append(s.conns, &connection{plan: newPlan(s.rng, i)})
	}
	if s.f.atOnce {
		for i, c := range s.conns {
			s.begin(i, c)
			s.net.Wait(s.rtt / 4)
		}
	} else {
		for i, c := range s.conns {
			s.begin(i, c)
			s.run(func() bool { return c.client.Over })
			s.net.Wait(c.pause)
		}
	}
	s.run(func() bool { return false })
	return s
}

// run goes on until done says so, or nothing is left to happen, or it has been
// long enough.
func (s *story) run(done func() bool) {
	limit := s.net.Now().Add(patience)
	for !done() && s.steps < endless && s.net.Step(limit) {
		s.steps++
	}
}

// endless is more events than any story has that ends.
const endless = 1_000_000

// patience is how long a story may take at most. A connection that is given up
// takes fifteen retransmissions, two minutes apart in the end.
const patience = 2 * time.Hour

func (s *story) build() {
	v6 := s.rng.IntN(3) == 0
	s.rtt = pick(s.rng, 2*ms, 20*ms, 66*ms, 200*ms)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	if v6 {
		a, b = netip.MustParseAddr("2001:db8:a::1"), netip.MustParseAddr("2001:db8:b::1")
	}
	s.client = s.net.Host("client", a)
	configure(s.rng, s.client.Config)
	shared := tcp.Config{}
	configure(s.rng, &shared)
	// Nobody waits for an answer for ever, nor for its acknowledgement.
	s.client.Config.Keepalive = tcp.Keepalive{Idle: 10 * time.Minute, Interval: 10 * time.Second, Count: 20}
	s.client.Config.UserTimeout = s.userTimeout()
	s.client.Config.Memory = &s.memory
	s.client.Config.Cache = &s.cache
	s.client.Config.Client.Off = s.plain
	if s.f.client != nil && !s.plain {
		s.f.client(&s.client.Config.Client)
	}
	s.ring = tfo.NewKeyring(s.key(0))
	half := s.w.way
	half.Delay = s.rtt / 4
	hops := []sim.Hop{sim.Both(half)}
	if s.b.before != nil {
		hops = append(hops, s.b.before)
	}
	if s.b.make != nil {
		hops = append(hops, s.b.make(s))
	}
	if s.b.after != nil {
		hops = append(hops, s.b.after)
	}
	// The checksum finds one flipped bit always, but two may make up for each
	// other: only one link flips any.
	half.Corrupt = 0
	hops = append(hops, sim.Both(half))
	if s.b.servers == 0 {
		s.server = s.net.Host("server", b)
		s.serve(s.server, shared, s.ring)
		s.net.Join(s.client, s.server, hops...)
		return
	}
	balancer := s.net.Balancer()
	for i := range s.b.servers {
		h := s.net.Host(fmt.Sprintf("server%d", i+1), b)
		ring := s.ring
		if s.b.apart && i > 0 {
			ring = tfo.NewKeyring(s.key(50 + i))
		}
		s.serve(h, shared, ring)
		s.net.Join(balancer, h)
		if i == 0 {
			s.server = h
		}
	}
	s.net.Join(s.client, balancer, hops...)
}

// userTimeout is shorter than the memory of what failed lasts, so that the next
// connection finds it.
func (s *story) userTimeout() time.Duration {
	if s.b.kills {
		return time.Minute
	}
	return 0
}

// serve makes h a server.
func (s *story) serve(h *sim.Host, cfg tcp.Config, ring *tfo.Keyring) {
	cfg.Secret = h.Config.Secret
	cfg.Keepalive, cfg.UserTimeout = s.client.Config.Keepalive, s.client.Config.UserTimeout
	cfg.Memory = &s.memory
	h.Config = &cfg
	if s.f.both {
		h.Config.Cache = &tfo.Cache{}
		h.Config.Client.Off = s.plain
		return
	}
	lc := tcp.ListenConfig{FastOpen: tcp.FastOpenServer{Keys: ring, MaxPending: 100, MaxPendingPerPrefix: -1}}
	if s.f.server != nil {
		s.f.server(&lc.FastOpen)
	}
	if s.f.listen != nil {
		s.f.listen(&lc)
	}
	s.listeners = append(s.listeners, h.Listen(netip.AddrPortFrom(h.Addr(), port), lc, s.accept))
}

// accept finds out which connection has been accepted.
func (s *story) accept(c *tcp.Conn) sim.App {
	from := c.Remote()
	if s.nat != nil {
		from, _ = s.nat.Inside(c.Local(), from)
	}
	x := s.ports[from.Port()]
	ch := &child{conn: c, stream: x.plan.server()}
	x.children = append(x.children, ch)
	s.net.Logf("server   %5d accepts", c.Remote().Port())
	return keepAlive(ch.stream.Run)
}

// begin opens connection i.
func (s *story) begin(i int, c *connection) {
	if s.f.before != nil {
		s.f.before(s, i)
	}
	c.began = s.net.Now()
	c.client = c.plan.client(s.net)
	early := c.request.Bytes(c.early)
	app := keepAlive(func(now time.Time, conn *tcp.Conn) {
		over := c.client.Over
		c.client.Run(now, conn)
		if c.client.Over && !over {
			c.outcome = conn.Outcome()
			s.net.Logf("client   %5d ends after %v: sent %d got %d, %v, error %v", conn.Local().Port(),
				now.Sub(c.began), c.client.Sent, c.client.Got, c.outcome, conn.Err())
		}
	})
	if s.f.both {
		s.beginBoth(i, c, early, app)
		return
	}
	c.conn = s.client.Dial(netip.AddrPortFrom(s.server.Addr(), port), early, app)
	s.ports[c.conn.Local().Port()] = c
}

// beginBoth opens a connection from both ends.
func (s *story) beginBoth(i int, c *connection, early []byte, app sim.App) {
	a, b := netip.AddrPortFrom(s.client.Addr(), 5000+uint16(i)), netip.AddrPortFrom(s.server.Addr(), 6000+uint16(i))
	c.conn = s.client.DialFrom(a, b, early, app)
	ch := &child{stream: c.plan.server()}
	answer := []byte{}
	if !c.answer {
		answer = c.response.Bytes(1000)
		ch.stream.Early = len(answer)
	}
	s.net.At(s.net.Now().Add(time.Duration(s.rng.Int64N(int64(s.rtt/2)))), func() {
		ch.conn = s.server.DialFrom(b, a, answer, keepAlive(ch.stream.Run))
	})
	c.children = append(c.children, ch)
}

// keepAlive makes an application notice when the other end is gone.
func keepAlive(app sim.App) sim.App {
	on := false
	return func(now time.Time, c *tcp.Conn) {
		if !on {
			on = true
			c.SetKeepalive(now, true)
		}
		app(now, c)
	}
}

// path is the client's path in its cache.
func (s *story) path() tfo.Path {
	return tfo.Path{Local: s.client.Addr(), Remote: netip.AddrPortFrom(s.server.Addr(), port)}
}

// key is the i-th set of keys of the story.
func (s *story) key(i int) tfo.Keys {
	var raw [16]byte
	rng := rand.New(rand.NewPCG(s.seed, uint64(i)))
	for j := range raw {
		raw[j] = byte(rng.Uint32())
	}
	k, err := tfo.KeysFromRaw(raw[:])
	if err != nil {
		panic(err)
	}
	return k
}

// public is the address pool of the NAT.
func (s *story) public() []netip.Addr {
	if s.client.Addr().Is4() {
		return []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")}
	}
	return []netip.Addr{netip.MustParseAddr("2001:db8:c::1"), netip.MustParseAddr("2001:db8:c::2")}
}
