package tcp

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// script reads a fuzzer's bytes as small numbers.
type script struct{ b []byte }

func (s *script) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	v := s.b[0]
	s.b = s.b[1:]
	return v
}

func (s *script) uint16() uint16 { return binary.BigEndian.Uint16([]byte{s.byte(), s.byte()}) }

// near is a number close to one of those given, or anywhere.
func (s *script) near(points ...uint32) uint32 {
	k := s.byte()
	if k == 255 {
		return uint32(s.uint16())<<16 | uint32(s.uint16())
	}
	return points[int(k)%len(points)] + uint32(int16(s.uint16())>>(k>>4))
}

// FuzzMachine lets a peer send whatever it likes to a connection that an
// application uses at the same time. Nothing may panic, and the invariants of
// sequence spaces, buffers and timers must hold after every step.
func FuzzMachine(f *testing.F) {
	for i := range 20 {
		b := make([]byte, 400)
		r := rand.New(rand.NewPCG(uint64(i), 3))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { runScript(t, &script{b}) })
}

// TestMachineScripts runs many random scripts of the fuzz target.
func TestMachineScripts(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	for seed := range uint64(n) {
		r := rand.New(rand.NewPCG(seed, 5))
		b := make([]byte, 200+r.IntN(2000))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		runScript(t, &script{b})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func runScript(t *testing.T, s *script) {
	k := s.byte()
	cfg := &Config{NoSACK: k&1 != 0, NoTimestamps: k&2 != 0, NoWindowScale: k&4 != 0, ECN: k&8 != 0,
		Cache: &tfo.Cache{}, Offload: int(k>>4) * 1000}
	keys := tfo.NewKeys(tfo.Key{1})
	l := Listen(cfg, ListenConfig{SYNQueue: int(s.byte()%4) - 1, FastOpen: FastOpenServer{MaxPending: 3, Keys: tfo.NewKeyring(keys)}}, serverAddr)
	now := testStart
	var c *Conn
	irs := uint32(s.uint16()) << 16
	if s.byte()&1 == 0 {
		path := tfo.Path{Local: clientAddr.Addr(), Remote: serverAddr}
		cfg.Cache.Learn(now, path, tfo.Lesson{Cookie: tfo.Option{Cookie: keys.Mint(clientAddr.Addr(), serverAddr.Addr())}})
		c = Dial(now, cfg, clientAddr, serverAddr, make([]byte, s.uint16()%3000))
	}
	var buf [3000]byte
	for step := 0; len(s.b) > 0 && step < 2000; step++ {
		now = now.Add(time.Duration(s.byte()) * time.Millisecond)
		switch op := s.byte(); {
		case op < 130:
			seg := hostile(s, c, irs, keys)
			if c == nil || c.Done() {
				if n := l.Receive(now, &seg); n != nil {
					c = n
				}
			} else {
				c.Receive(now, &seg)
			}
			l.Send()
		case c == nil:
		case op < 160:
			c.Write(now, buf[:s.uint16()%uint16(len(buf))])
		case op < 185:
			c.Read(now, buf[:s.uint16()%uint16(len(buf))])
		case op < 190:
			c.CloseWrite(now)
		case op < 192:
			c.Close(now)
		case op == 192:
			c.Abort(now)
		case op < 200:
			m := wire.ICMP{Kind: wire.ICMPKind(s.byte() % 14), MTU: uint32(s.uint16())}
			c.ICMP(now, &m, wire.Quoted{Src: c.local, Dst: c.remote, Seq: s.near(c.snd.una, c.snd.nxt)})
		case op < 225:
			if d := c.Deadline(); d.After(now) && d.Sub(now) < time.Hour {
				now = d
			}
		case op < 228:
			c.SetKeepalive(now, op&1 == 0)
		case op == 228:
			c.SetUserTimeout(time.Duration(s.byte()) * time.Second)
		case op < 232:
			l.Accept()
		}
		if c != nil {
			drainScript(t, c, now)
		}
	}
}

func drainScript(t *testing.T, c *Conn, now time.Time) {
	t.Helper()
	for n := 0; ; n++ {
		seg, ok := c.Send(now)
		if err := c.invariants(); err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		if n > 5000 {
			t.Fatalf("Send does not come to an end: %v", seg)
		}
		if seg.Len() > 65535 || seg.HeaderLen() > 60 || after(seg.End(), c.snd.nxt) && !seg.Flags.Has(wire.RST) && seg.Len() > 0 {
			t.Fatalf("sends nonsense: %v", seg)
		}
	}
	if d := c.Deadline(); !d.IsZero() && !d.After(now) {
		t.Fatalf("drained at %v, but due at %v: %v %v", now, d, c.state, c.timers)
	}
	// Memory goes with what is in it.
	if c.in.n == 0 && c.asm.empty() && len(c.in.b) != 0 || len(c.in.b) > 4*(int(c.rcv.edge-c.rcv.nxt)+c.in.n)+minBlock && c.asm.empty() && len(c.in.b) > 1<<17 {
		t.Fatalf("%d bytes of receive buffer for %d bytes", len(c.in.b), c.in.n)
	}
	if len(c.board.q) > maxSplits+int(c.snd.nxt-c.snd.una)/minMSS+2000 {
		t.Fatalf("scoreboard of %d entries", len(c.board.q))
	}
}

// hostile is a segment near to what the connection expects.
func hostile(s *script, c *Conn, irs uint32, keys tfo.Keys) (g wire.Segment) {
	g.Src, g.Dst = clientAddr, serverAddr
	nxt, edge, una, snd := irs, irs+65535, uint32(0), uint32(0)
	if c != nil {
		g.Src, g.Dst = c.remote, c.local
		nxt, edge, una, snd = c.rcv.nxt, c.rcv.edge, c.snd.una, c.snd.nxt
		if c.state == SynSent {
			nxt, edge = irs, irs
		}
	}
	switch k := s.byte(); {
	case k < 170:
		g.Flags = wire.ACK
	case k < 200:
		g.Flags = wire.SYN
	case k < 220:
		g.Flags = wire.SYN | wire.ACK
	case k < 235:
		g.Flags = wire.FIN | wire.ACK
	case k < 240:
		g.Flags = wire.RST
	default:
		g.Flags = wire.Flags(s.byte())
	}
	g.Seq, g.Ack = s.near(nxt, nxt, nxt, edge, irs), s.near(snd, snd, una, una+1448)
	g.Window = s.uint16()
	g.ECN = s.byte() & 3
	if n := s.byte(); n < 128 {
		g.Payload = make([]byte, int(n)*12)
	}
	o := &g.Options
	k := s.byte()
	if g.Flags.Has(wire.SYN) {
		o.MSS, o.WindowScale, o.SACKPermitted = s.uint16(), s.byte()%16, k&1 != 0
		if k&2 != 0 {
			o.HasFastOpen, o.FastOpen.Cookie = true, keys.Mint(clientAddr.Addr(), serverAddr.Addr())
		}
	}
	if k&12 != 0 && (c == nil || !c.cfg.NoTimestamps) {
		o.Timestamps, o.TSVal = true, uint32(k>>4)
		if c != nil {
			o.TSVal = s.near(c.rcv.recent)
			o.TSEcr = s.near(c.snd.tsBase)
		}
	}
	if k&16 != 0 {
		for o.SACKs = 0; o.SACKs < k>>6; o.SACKs++ {
			start := s.near(una, snd, una)
			o.SACK[o.SACKs] = wire.Range{Start: start, End: start + uint32(s.uint16())}
		}
	}
	return g
}

// FuzzAgree joins two machines by a network that the fuzzer chooses: what each
// application reads is what the other wrote.
func FuzzAgree(f *testing.F) {
	f.Add(uint64(1), []byte{1, 2, 3, 4, 0, 0, 9, 250}, uint16(4000), uint16(9000))
	f.Add(uint64(110), []byte("010111"), uint16(3879), uint16(8752)) // the child's SYN-ACKs are all lost
	f.Fuzz(func(t *testing.T, seed uint64, fate []byte, up, down uint16) {
		p := newPair(t, seed)
		p.mix = float64(seed%3) * 0.1
		p.cfg[0].Cache = &tfo.Cache{}
		p.cfg[0].NoSACK, p.cfg[1].NoTimestamps = seed&1 != 0, seed&2 != 0
		keys := tfo.NewKeys(tfo.Key{1})
		if seed&4 != 0 {
			p.cfg[0].Cache.Learn(p.now, tfo.Path{Local: clientAddr.Addr(), Remote: serverAddr},
				tfo.Lesson{Cookie: tfo.Option{Cookie: keys.Mint(clientAddr.Addr(), serverAddr.Addr())}, MSS: 1460})
		}
		i := 0
		p.filter = func(_ bool, s *wire.Segment) bool {
			if len(fate) == 0 || i >= 4*len(fate) {
				return true // at last the network behaves
			}
			k := fate[i%len(fate)]
			i++
			if k > 250 {
				s.Options.SACKs = 0
			}
			return k&7 != 1
		}
		p.end[0].send, p.end[1].send = pattern(int(up), seed), pattern(int(down), seed+1)
		early := p.end[0].send
		p.start(ListenConfig{FastOpen: FastOpenServer{MaxPending: 3, Keys: tfo.NewKeyring(keys)}}, early)
		p.end[0].sent = p.client.Queued()
		p.run(2 * time.Hour)
		// A child that gave up before the client did was followed by another,
		// to which the data in the SYN came a second time: RFC 7413 section 6.1.
		if p.end[0].err == nil && p.end[1].err == nil && p.client.Err() == nil && (p.server == nil || p.server.Err() == nil) {
			p.whole()
		}
	})
}
