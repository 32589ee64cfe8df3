package tcp

import (
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// pair is two hosts on one virtual clock with a path between them: the client
// has one connection, the server a listener and what it made.
type pair struct {
	t              testing.TB
	seed           uint64
	rng            *rand.Rand
	now            time.Time
	delay          time.Duration
	loss, dup, mix float64
	rate           int // bytes a second each way; 0 unlimited
	queue          int // bytes
	busy           [2]time.Time
	trace          func(string)
	filter         func(fromServer bool, s *wire.Segment) bool // false drops
	flying         flight
	steps          int
	cfg            [2]Config
	client         *Conn
	l              *Listener
	server         *Conn
	accepted       *Conn
	packets        [2]int
	drops          int
	end            [2]peerApp
}

type flying struct {
	at       time.Time
	n        int
	toServer bool
	s        wire.Segment
}

// flight is what is on its way, earliest first.
type flight []flying

func (f flight) Len() int { return len(f) }
func (f flight) Less(i, j int) bool {
	return f[i].at.Before(f[j].at) || f[i].at.Equal(f[j].at) && f[i].n < f[j].n
}
func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flight) Push(x any)   { *f = append(*f, x.(flying)) }
func (f *flight) Pop() any {
	x := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return x
}

// peerApp is what an application on one end does: send its bytes, read all.
type peerApp struct {
	send   []byte
	sent   int
	got    []byte
	eof    bool
	err    error
	closed bool
	eofAt  time.Time
}

var (
	clientAddr = netip.MustParseAddrPort("192.0.2.1:40000")
	serverAddr = netip.MustParseAddrPort("198.51.100.2:443")
	testStart  = time.Unix(1_700_000_000, 0)
)

func newPair(t testing.TB, seed uint64) *pair {
	p := &pair{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), now: testStart, delay: 20 * time.Millisecond}
	for i := range p.cfg {
		p.cfg[i].Secret[0] = byte(seed + uint64(i))
	}
	return p
}

func (p *pair) start(lc ListenConfig, early []byte) {
	p.l = Listen(&p.cfg[1], lc, serverAddr)
	p.dial(early)
}

func (p *pair) dial(early []byte) {
	p.server, p.accepted = nil, nil
	p.end = [2]peerApp{{send: p.end[0].send}, {send: p.end[1].send}}
	p.client = Dial(p.now, &p.cfg[0], clientAddr, serverAddr, early)
	p.drain()
}

func (p *pair) drain() {
	for {
		again := false
		if s, ok := p.client.Send(p.now); ok {
			p.launch(true, s)
			again = true
		}
		if s, ok := p.l.Send(); ok {
			p.launch(false, s)
			again = true
		}
		if p.server != nil {
			if s, ok := p.server.Send(p.now); ok {
				p.launch(false, s)
				again = true
			}
		}
		if !again {
			return
		}
	}
}

func (p *pair) launch(toServer bool, s wire.Segment) {
	dir := 0
	if !toServer {
		dir = 1
	}
	p.packets[dir]++
	// Through bytes and back, as on a wire.
	b := s.Append(nil, wire.Full)
	var q wire.Segment
	if !q.Parse(s.Src.Addr(), s.Dst.Addr(), b, wire.Full) {
		p.t.Fatalf("seed %d: what was sent does not parse: %v", p.seed, s)
	}
	q.ECN = s.ECN
	if p.trace != nil {
		p.trace(fmt.Sprintf("%8.3f %s %v", float64(p.now.Sub(testStart))/1e6, [...]string{">", "<"}[dir], p.relative(toServer, q)))
	}
	copies := 1
	if p.rng.Float64() < p.loss || p.filter != nil && !p.filter(!toServer, &q) {
		copies = 0
		p.drops++
		if p.trace != nil {
			p.trace("         dropped")
		}
	} else if p.rng.Float64() < p.dup {
		copies = 2
	}
	for range copies {
		at := p.now
		if p.rate > 0 {
			if p.busy[dir].Before(p.now) {
				p.busy[dir] = p.now
			}
			if waiting := p.busy[dir].Sub(p.now); p.queue > 0 && int(waiting.Seconds()*float64(p.rate)) > p.queue {
				p.drops++
				continue
			}
			p.busy[dir] = p.busy[dir].Add(time.Duration(float64(len(b)+20) / float64(p.rate) * 1e9))
			at = p.busy[dir]
		}
		at = at.Add(p.delay)
		if p.rng.Float64() < p.mix {
			at = at.Add(time.Duration(p.rng.Int64N(int64(p.delay) + 1)))
		}
		heap.Push(&p.flying, flying{at, p.packets[0] + p.packets[1], toServer, q})
	}
}

// relative is s with sequence numbers counted from the start of each side.
func (p *pair) relative(toServer bool, s wire.Segment) wire.Segment {
	iss := p.client.snd.iss
	var irs uint32
	if p.server != nil {
		irs = p.server.snd.iss
	}
	if !toServer {
		iss, irs = irs, iss
	}
	s.Seq -= iss
	if s.Flags.Has(wire.ACK) {
		s.Ack -= irs
	}
	for i := range s.Options.Ranges() {
		s.Options.SACK[i].Start -= irs
		s.Options.SACK[i].End -= irs
	}
	return s
}

// step goes on to the next event; it reports false when there is none before
// the limit.
func (p *pair) step(limit time.Time) bool {
	arrives := len(p.flying) > 0
	var at time.Time
	if arrives {
		at = p.flying[0].at
	}
	for _, c := range []*Conn{p.client, p.server} {
		if c == nil {
			continue
		}
		if d := c.Deadline(); !d.IsZero() && (at.IsZero() || d.Before(at)) {
			arrives, at = false, d
		}
	}
	if at.IsZero() || at.After(limit) {
		return false
	}
	if at.After(p.now) {
		p.now = at
	}
	if arrives {
		p.deliver(heap.Pop(&p.flying).(flying))
	}
	p.drain()
	p.apps()
	// The check looks at everything in flight: not each time when that is a lot.
	if p.steps++; p.steps%64 == 0 || p.client.snd.nxt-p.client.snd.una < 100_000 && (p.server == nil || p.server.snd.nxt-p.server.snd.una < 100_000) {
		p.check()
	}
	return true
}

func (p *pair) deliver(f flying) {
	switch {
	case !f.toServer:
		p.client.Receive(p.now, &f.s)
	case p.server != nil && !p.server.Done():
		p.server.Receive(p.now, &f.s)
	default:
		if c := p.l.Receive(p.now, &f.s); c != nil {
			p.server = c
		}
	}
	if p.accepted == nil {
		p.accepted = p.l.Accept()
	}
}

// apps lets both applications do what they can.
func (p *pair) apps() {
	for i, c := range []*Conn{p.client, p.accepted} {
		if c == nil {
			continue
		}
		a := &p.end[i]
		var buf [4096]byte
		for {
			n, err := c.Read(p.now, buf[:])
			a.got = append(a.got, buf[:n]...)
			if err == io.EOF {
				if !a.eof {
					a.eofAt = p.now
				}
				a.eof = true
			} else if err != nil && a.err == nil {
				a.err = err
			}
			if n == 0 {
				break
			}
		}
		if a.sent < len(a.send) {
			n, _ := c.Write(p.now, a.send[a.sent:])
			a.sent += n
		}
		if a.sent == len(a.send) && !a.closed {
			a.closed = true
			c.CloseWrite(p.now)
		}
		if a.closed && a.eof {
			c.Close(p.now)
		}
	}
	p.drain()
}

// check holds the invariants of both ends.
func (p *pair) check() {
	p.t.Helper()
	for _, c := range []*Conn{p.client, p.server} {
		if c != nil {
			if err := c.invariants(); err != nil {
				p.t.Fatalf("seed %d at %v: %v", p.seed, p.now.Sub(testStart), err)
			}
		}
	}
}

// run goes on until both ends are done or the time is over.
func (p *pair) run(d time.Duration) {
	p.t.Helper()
	limit := p.now.Add(d)
	p.apps()
	for n := 0; p.step(limit); n++ {
		if n > 2_000_000 {
			p.t.Fatalf("seed %d: no end in sight", p.seed)
		}
	}
}

// whole checks that both applications got what the other sent.
func (p *pair) whole() {
	p.t.Helper()
	for i := range p.end {
		if !bytes.Equal(p.end[i].got, p.end[1-i].send) {
			p.t.Errorf("seed %d: end %d got %d bytes, want %d; states %v %v, errors %v %v", p.seed, i,
				len(p.end[i].got), len(p.end[1-i].send), p.client.state, p.stateOf(p.server), p.end[0].err, p.end[1].err)
		}
	}
}

func (p *pair) stateOf(c *Conn) string {
	if c == nil {
		return "none"
	}
	return fmt.Sprintf("%v una %d nxt %d wnd %d cwnd %d out %d in %d phase %d lost %d again %d q %v timers %v", c.state, c.snd.una-c.snd.iss, c.snd.nxt-c.snd.iss,
		c.snd.wnd, c.cc.cwnd, c.out.n, c.in.n, c.recovery.phase, c.board.lostBytes, c.board.pendingBytes, len(c.board.q), c.timers)
}

// invariants are what must hold between calls, whatever the peer does.
func (c *Conn) invariants() error {
	switch {
	case after(c.snd.una, c.snd.nxt):
		return errors.New("SND.UNA after SND.NXT")
	case before(c.rcv.edge, c.rcv.nxt):
		return errors.New("RCV.NXT beyond the announced edge")
	case c.in.n < 0 || c.in.chained() < 0 || c.out.n < 0 || c.in.n > len(c.in.b) || c.out.n > len(c.out.b):
		return errors.New("buffer counts out of range")
	case c.asm != nil && len(c.asm.runs) > maxRuns:
		return errors.New("too many runs kept")
	case c.cc.cwnd == 0 && c.state > SynReceived:
		return errors.New("no congestion window")
	}
	var s, l, a uint32
	at := c.snd.una
	for i, e := range c.board.q {
		if i == 0 && before(c.snd.una, e.start) && c.snd.una == c.snd.iss {
			at = e.start // the SYN is not on the board
		}
		if e.start != at || !before(e.start, e.end) {
			return fmt.Errorf("scoreboard has a gap at %d: %+v", at-c.snd.iss, e)
		}
		at = e.end
		if e.flags&sacked != 0 {
			s += e.len()
		}
		if e.flags&lost != 0 {
			l += e.len()
		}
		if e.flags&again != 0 {
			a += e.len()
		}
	}
	if len(c.board.q) > 0 && at != c.snd.nxt {
		return fmt.Errorf("scoreboard ends at %d, SND.NXT is %d", at-c.snd.iss, c.snd.nxt-c.snd.iss)
	}
	if c.state != Closed && c.state != TimeWait && len(c.board.q) == 0 && c.snd.una != c.snd.nxt && c.snd.nxt-c.snd.una > 1 {
		return fmt.Errorf("bytes are out but not on the scoreboard: %v", c.state)
	}
	if s != c.board.sackedBytes || l != c.board.lostBytes || a != c.board.pendingBytes {
		return fmt.Errorf("scoreboard counts %d %d %d, has %d %d %d", c.board.sackedBytes, c.board.lostBytes, c.board.pendingBytes, s, l, a)
	}
	if c.state > SynReceived && c.state != TimeWait && c.snd.una != c.snd.nxt && c.timers[timerRetransmit] == 0 {
		return fmt.Errorf("bytes are out and no timer runs: %v", c.state)
	}
	if c.state == Closed && (c.timers.first() != 0 || c.out.b != nil) {
		return fmt.Errorf("closed with timers or buffers left: %v, %d", c.timers, len(c.out.b))
	}
	return nil
}

func pattern(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 9))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestPairPlain(t *testing.T) {
	p := newPair(t, 1)
	if testing.Verbose() {
		p.trace = func(s string) { t.Log(s) }
	}
	p.end[0].send, p.end[1].send = pattern(300, 1), pattern(20_000, 2)
	p.start(ListenConfig{}, nil)
	p.run(5 * time.Minute)
	p.whole()
	if p.client.state != Closed || p.server.state != Closed {
		t.Errorf("ended in %v and %v", p.client.state, p.server.state)
	}
}

func TestPairLoss(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 40
	}
	for seed := uint64(1); seed <= uint64(n); seed++ {
		p := newPair(t, seed)
		p.loss = float64(seed%5) * 0.02
		p.dup = float64(seed%3) * 0.01
		p.mix = float64(seed%4) * 0.02
		p.cfg[0].NoSACK = seed%7 == 0
		p.cfg[1].NoTimestamps = seed%3 == 0
		p.cfg[0].NoWindowScale = seed%11 == 0
		p.cfg[0].ECN, p.cfg[1].ECN = seed%2 == 0, seed%2 == 0
		if seed%5 == 0 {
			p.cfg[1].Congestion = NewReno
		}
		if seed%6 == 0 {
			p.cfg[0].Offload, p.cfg[1].Offload = 20_000, 60_000
		}
		if seed%8 == 0 {
			p.cfg[0].ReceiveBuffer, p.cfg[0].MaxReceiveBuffer = 4000, 4000
		}
		cache := &tfo.Cache{}
		p.cfg[0].Cache = cache
		p.cfg[0].Client.IgnoreFailures = true
		p.end[0].send, p.end[1].send = pattern(int(seed*37%5000), seed), pattern(int(seed*7919%400_000), seed+1)
		lc := ListenConfig{FastOpen: FastOpenServer{MaxPending: 10, Keys: tfo.NewKeyring(tfo.GenerateKeys())}}
		p.start(lc, nil)
		for round := range 2 {
			p.run(20 * time.Minute)
			p.whole()
			if p.client.state != Closed || p.server != nil && p.server.state != Closed {
				t.Errorf("seed %d: ended in %v and %v", seed, p.client.state, p.stateOf(p.server))
			}
			if n := p.l.Pending() + p.l.HalfOpen(); n != 0 {
				t.Errorf("seed %d: %d slots left", seed, n)
			}
			if t.Failed() {
				return
			}
			if round == 0 {
				p.flying = nil
				p.now = p.now.Add(time.Minute)
				early := p.end[0].send
				p.dial(early)
				p.end[0].sent = p.client.Queued()
			}
		}
	}
}
