package sim

import (
	"net/netip"
	"slices"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/wire"
)

// An App is what runs on a connection. It is called whenever something may have
// changed, one last time when nothing can any more, and does what it can
// without waiting: read, write, close.
type App func(now time.Time, c *tcp.Conn)

// A Host has addresses, listeners and connections of package tcp.
type Host struct {
	// Config is what connections are made with from now on. It is the
	// host's own to begin with; for another, put another in its place: it
	// must not change while a connection uses it.
	Config *tcp.Config
	// Hold keeps connections waiting in listeners instead of accepting them
	// at once. Set it only before anything runs.
	Hold bool

	net       *Net
	name      string
	own       []netip.Addr
	first     *end
	routes    map[netip.Addr]*end
	listeners map[netip.AddrPort]*service
	conns     []*running // in the order they were made
	waits     []*waiting
	ports     tcp.Ports
	packet    []byte
}

// service is a listener and what runs on its connections.
type service struct {
	*tcp.Listener
	serve func(*tcp.Conn) App
}

// running is a connection in use.
type running struct {
	*tcp.Conn
	at  *service // where it came from, if it was not dialed
	app App
}

// waiting is a connection in TIME-WAIT.
type waiting struct {
	flow
	tcp.Wait
}

// Host adds a host with the given addresses.
func (n *Net) Host(name string, addrs ...netip.Addr) *Host {
	h := &Host{
		Config: &tcp.Config{}, net: n, name: name, own: addrs,
		routes: map[netip.Addr]*end{}, listeners: map[netip.AddrPort]*service{},
	}
	rng := n.Rand()
	for range n.hosts {
		rng.Uint64()
	}
	for i := range h.Config.Secret {
		h.Config.Secret[i] = byte(rng.Uint32())
	}
	n.hosts = append(n.hosts, h)
	return h
}

// Name is what the log calls the host.
func (h *Host) Name() string { return h.name }

// Addr is the host's first address.
func (h *Host) Addr() netip.Addr { return h.own[0] }

// Listen takes connections to local, and runs on each what serve returns.
func (h *Host) Listen(local netip.AddrPort, lc tcp.ListenConfig, serve func(*tcp.Conn) App) *tcp.Listener {
	s := &service{tcp.Listen(h.Config, lc, local), serve}
	h.listeners[local] = s
	return s.Listener
}

// Dial opens a connection to remote, from the host's address of that family and
// a port that is free, with data to begin with that may travel in the SYN.
func (h *Host) Dial(remote netip.AddrPort, early []byte, app App) *tcp.Conn {
	i := slices.IndexFunc(h.own, func(a netip.Addr) bool { return a.Is4() == remote.Addr().Is4() })
	if i < 0 {
		panic("sim: host " + h.name + " has no address of the family of " + remote.String())
	}
	local := h.own[i]
	for try := 0; ; try++ {
		from := netip.AddrPortFrom(local, h.ports.Port(h.Config, local, remote, 32768, 60999, try))
		if f := (flow{from, remote}); h.conn(f) == nil && h.wait(f) == nil {
			h.ports.Taken(try)
			return h.DialFrom(from, remote, early, app)
		}
	}
}

// DialFrom is Dial with the local address and port given.
func (h *Host) DialFrom(local, remote netip.AddrPort, early []byte, app App) *tcp.Conn {
	r := &running{Conn: tcp.Dial(h.net.now, h.Config, local, remote, early), app: app}
	h.conns = append(h.conns, r)
	h.attend(r)
	return r.Conn
}

// Attend lets the host see to its connections after something was done to one
// from outside of its App.
func (h *Host) Attend() {
	for _, r := range slices.Clone(h.conns) {
		h.attend(r)
	}
}

// Conns is how many connections there are, those in TIME-WAIT not included.
func (h *Host) Conns() int { return len(h.conns) }

// Waits is how many connections are in TIME-WAIT.
func (h *Host) Waits() int { return len(h.waits) }

func (h *Host) addrs() []netip.Addr { return h.own }

func (h *Host) attach(e *end) {
	if h.first == nil {
		h.first = e
	}
	for _, a := range e.peer().addrs() {
		h.routes[a] = e
	}
}

// arrive does what an IP layer does.
func (h *Host) arrive(e *end, packet []byte) {
	ip, body, ok := wire.ParseIP(packet)
	if !ok || ip.IsFragment() || !slices.Contains(h.own, ip.Dst) {
		return
	}
	switch ip.Protocol {
	case wire.ProtocolTCP:
		var s wire.Segment
		if s.Parse(ip.Src, ip.Dst, body, wire.Full) {
			s.ECN = ip.ECN()
			h.log('<', &s)
			h.receive(&s)
		}
	case wire.ProtocolICMP, wire.ProtocolICMPv6:
		m, ok := wire.ParseICMP(ip.Src, ip.Dst, body)
		if !ok {
			return
		}
		h.logICMP(&m)
		if q, ok := m.QuotedTCP(); ok {
			if r := h.conn(flow{q.Src, q.Dst}); r != nil {
				r.ICMP(h.net.now, &m, q)
				h.attend(r)
			}
		}
	}
}

// receive gives a segment to whom it is for.
func (h *Host) receive(s *wire.Segment) {
	f := flow{s.Dst, s.Src}
	if r := h.conn(f); r != nil {
		r.Receive(h.net.now, s)
		h.attend(r)
		return
	}
	w := h.wait(f)
	if w != nil {
		reply, send, reuse := w.Receive(h.net.now, h.Config, s)
		if send {
			h.send(&reply)
		}
		if !reuse {
			return
		}
		h.waits = slices.DeleteFunc(h.waits, func(x *waiting) bool { return x == w })
	}
	at := h.listeners[s.Dst]
	if at == nil {
		if r, ok := tcp.Reset(s); ok {
			h.send(&r)
		}
		return
	}
	var c *tcp.Conn
	if w != nil {
		c = at.Reopen(h.net.now, &w.Wait, s)
	} else {
		c = at.Receive(h.net.now, s)
	}
	if c != nil {
		r := &running{Conn: c, at: at}
		h.conns = append(h.conns, r)
		h.attend(r)
	}
	for {
		s, ok := at.Send()
		if !ok {
			return
		}
		h.send(&s)
	}
}

// attend does for a connection all that can be done now: send what is to be
// sent, run its application, and forget it when it is over.
func (h *Host) attend(r *running) {
	// Applications come first, so that what they write can go with what the
	// connection has to send anyway: in the SYN-ACK, even.
	if r.at != nil && !h.Hold {
		h.accept(r.at)
	}
	h.run(r)
	h.drain(r)
	if r.Events() != 0 { // a timer ended it
		h.run(r)
		h.drain(r)
	}
	w, over := r.Wait(h.net.now)
	if over {
		h.waits = append(h.waits, &waiting{flow{r.Local(), r.Remote()}, w})
	}
	if over || r.Done() {
		h.conns = slices.DeleteFunc(h.conns, func(x *running) bool { return x == r })
	}
}

// run calls the application.
func (h *Host) run(r *running) {
	if r.app != nil {
		r.app(h.net.now, r.Conn)
	}
	r.Events()
}

// accept starts applications on what waits in a listener.
func (h *Host) accept(at *service) {
	for c := at.Accept(); c != nil; c = at.Accept() {
		app := at.serve(c)
		i := slices.IndexFunc(h.conns, func(r *running) bool { return r.Conn == c })
		if i < 0 { // it has ended since
			app(h.net.now, c)
			continue
		}
		r := h.conns[i]
		r.app = app
		h.run(r)
		h.drain(r)
	}
}

func (h *Host) drain(r *running) {
	for {
		s, ok := r.Send(h.net.now)
		if !ok {
			return
		}
		h.send(&s)
	}
}

// send puts a segment on its way, in pieces if it is to be split: the link of a
// host does segmentation offload.
func (h *Host) send(s *wire.Segment) {
	size := int(s.Split)
	if size == 0 || s.Len() <= size {
		h.launch(s)
		return
	}
	data := slices.Concat(s.Payload, s.Rest)
	for off := 0; off < len(data); off += size {
		piece := *s
		piece.Seq += uint32(off)
		piece.Payload, piece.Rest = data[off:min(off+size, len(data))], nil
		if off+size < len(data) {
			piece.Flags &^= wire.FIN | wire.PSH
		}
		if off > 0 {
			piece.Flags &^= wire.CWR
		}
		h.launch(&piece)
	}
}

func (h *Host) launch(s *wire.Segment) {
	h.log('>', s)
	h.packet = s.AppendPacket(h.packet[:0], wire.Full)
	e := h.routes[s.Dst.Addr()]
	if e == nil {
		e = h.first
	}
	if e != nil {
		e.strand.path.Send(h.net.now, e.dir, h.packet)
	}
}

// deadline is when wake has something to do.
func (h *Host) deadline() time.Time {
	var first time.Time
	for _, r := range h.conns {
		if d := r.Deadline(); !d.IsZero() && (first.IsZero() || d.Before(first)) {
			first = d
		}
	}
	for _, w := range h.waits {
		if d := w.Deadline(); first.IsZero() || d.Before(first) {
			first = d
		}
	}
	return first
}

// wake attends to the connections whose time has come.
func (h *Host) wake() {
	now := h.net.now
	due := func(d time.Time) bool { return !d.IsZero() && !d.After(now) }
	if !due(h.deadline()) {
		return
	}
	for _, r := range slices.Clone(h.conns) {
		if due(r.Deadline()) {
			h.attend(r)
		}
	}
	h.waits = slices.DeleteFunc(h.waits, func(w *waiting) bool { return due(w.Deadline()) })
}

func (h *Host) conn(f flow) *running {
	for _, r := range h.conns {
		if r.Local() == f.src && r.Remote() == f.dst {
			return r
		}
	}
	return nil
}

func (h *Host) wait(f flow) *waiting {
	for _, w := range h.waits {
		if w.flow == f {
			return w
		}
	}
	return nil
}
