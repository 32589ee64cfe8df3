package tcp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// harness plays the peer of one connection by a script. Segments are written in
// the notation of wire.Segment, with sequence numbers counted from each side's
// initial one: what comes is "S 0:0(0) win 65535 <mss 1460>", what is wanted
// "S. 0:0(0) ack 1".
//
// In what is wanted, the window, P, and options may be left out, and are then
// not compared, except that options Fast Open and SACK must be named if they are
// there. Cookies are called "good" (of the first key), "old" (of the backup),
// "bad", or given in hex.
//
// Data is a pattern that depends on the position in the stream alone, so the
// harness can check every payload that goes out, and what is read.
type harness struct {
	t       *testing.T
	cfg     Config
	lc      ListenConfig
	start   time.Time
	now     time.Time
	l       *Listener
	c       *Conn
	irs     uint32 // the peer's initial sequence number
	local   netip.AddrPort
	remote  netip.AddrPort
	keys    tfo.Keys
	written int
	read    int
	last    wire.Segment
}

func newHarness(t *testing.T) *harness {
	h := &harness{t: t, start: testStart, now: testStart, irs: 0x7fffff00, local: serverAddr, remote: clientAddr}
	h.cfg.Secret[3] = 7
	h.cfg.NoTimestamps = true
	h.keys = tfo.NewKeys(tfo.Key{1, 2, 3}, tfo.Key{4, 5, 6})
	return h
}

// listen makes h a server; with pending > 0 it has Fast Open.
func (h *harness) listen(pending int) *harness {
	h.lc.FastOpen.MaxPending = pending
	if h.lc.FastOpen.MaxPendingPerPrefix == 0 {
		h.lc.FastOpen.MaxPendingPerPrefix = -1
	}
	h.lc.FastOpen.Keys = tfo.NewKeyring(h.keys)
	h.l = Listen(&h.cfg, h.lc, h.local)
	return h
}

// client makes h a client with an empty cache.
func (h *harness) client() *harness {
	h.local, h.remote = clientAddr, serverAddr
	h.cfg.Cache = &tfo.Cache{}
	return h
}

// knows puts a cookie for the peer into the client's cache.
func (h *harness) knows(cookie string, mss uint16, rtt time.Duration) *harness {
	o, _ := h.cookie(cookie, false)
	h.cfg.Cache.Learn(h.now, h.path(), tfo.Lesson{Cookie: o, MSS: mss, RTT: rtt})
	return h
}

func (h *harness) path() tfo.Path { return tfo.Path{Local: h.local.Addr(), Remote: h.remote} }

// dial starts a connection with n early bytes.
func (h *harness) dial(n int) {
	h.t.Helper()
	h.at(0)
	h.c = Dial(h.now, &h.cfg, h.local, h.remote, stream(0, n))
	h.written = n
}

// at moves the clock to ms since the start.
func (h *harness) at(ms float64) {
	h.t.Helper()
	at := h.start.Add(time.Duration(ms * float64(time.Millisecond)))
	if at.Before(h.now) {
		h.t.Fatalf("the script goes back in time, from %v to %v ms", h.now.Sub(h.start), ms)
	}
	h.now = at
}

// recv gives the segment to the connection at ms, or, if there is none, to the
// listener.
func (h *harness) recv(ms float64, text string) {
	h.t.Helper()
	h.at(ms)
	s := h.parse(text)
	if h.c != nil && !h.c.Done() {
		h.c.Receive(h.now, &s)
	} else if h.l != nil {
		if c := h.l.Receive(h.now, &s); c != nil {
			h.c = c
		}
	}
	h.check()
}

// send is the next segment that wants to leave.
func (h *harness) send() (wire.Segment, bool) {
	if h.l != nil {
		if s, ok := h.l.Send(); ok {
			return s, true
		}
	}
	if h.c == nil {
		return wire.Segment{}, false
	}
	s, ok := h.c.Send(h.now)
	h.check()
	return s, ok
}

// want takes the next segment and compares it.
func (h *harness) want(why, text string) {
	h.t.Helper()
	s, ok := h.send()
	if !ok {
		h.t.Fatalf("%s: want %s, but nothing is sent (state %v, deadline %v)", why, text, h.state(), h.deadline())
	}
	h.last = s
	h.compare(why, text, s)
	h.checkPayload(why, &s)
}

// wantAt advances to the time when something is due and takes it; that must be
// at ms.
func (h *harness) wantAt(ms float64, why, text string) {
	h.t.Helper()
	h.idle(why)
	d := h.deadline()
	if d < 0 || d > ms+1 || d < ms-1 {
		h.t.Fatalf("%s: the next deadline is at %v ms, want %v", why, d, ms)
	}
	h.at(d)
	h.want(why, text)
}

// idle checks that nothing is to be sent.
func (h *harness) idle(why string) {
	h.t.Helper()
	if s, ok := h.send(); ok {
		h.t.Fatalf("%s: want nothing, got %s", why, h.format(s))
	}
}

// wake goes to the next deadline, and lets the timer act.
func (h *harness) wake() {
	h.t.Helper()
	d := h.deadline()
	if d < 0 {
		h.t.Fatal("no deadline to wait for")
	}
	h.at(max(d, float64(h.now.Sub(h.start))/1e6))
}

// deadline is in ms since the start; -1 if there is none.
func (h *harness) deadline() float64 {
	if h.c == nil || h.c.Deadline().IsZero() {
		return -1
	}
	return float64(h.c.Deadline().Sub(h.start)) / float64(time.Millisecond)
}

func (h *harness) state() State {
	if h.c == nil {
		return Closed
	}
	return h.c.State()
}

func (h *harness) wantState(why string, s State) {
	h.t.Helper()
	if h.state() != s {
		h.t.Fatalf("%s: state is %v, want %v", why, h.state(), s)
	}
}

// accept takes the connection from the listener.
func (h *harness) accept(why string) {
	h.t.Helper()
	c := h.l.Accept()
	if c == nil {
		h.t.Fatalf("%s: nothing to accept", why)
	}
	if h.c != nil && c != h.c {
		h.t.Fatalf("%s: accepted another connection", why)
	}
	h.c = c
}

// write writes n bytes of the pattern.
func (h *harness) write(n int) {
	h.t.Helper()
	k, err := h.c.Write(h.now, stream(h.written, n))
	if k != n || err != nil {
		h.t.Fatalf("wrote %d of %d bytes: %v", k, n, err)
	}
	h.written += n
}

// wantRead reads all there is: n bytes of the pattern, and then err.
func (h *harness) wantRead(why string, n int, err error) {
	h.t.Helper()
	buf := make([]byte, n+10)
	got := 0
	for got < len(buf) {
		k, e := h.c.Read(h.now, buf[got:])
		got += k
		if k == 0 {
			if e != err {
				h.t.Fatalf("%s: after %d bytes, Read returns %v, want %v", why, got, e, err)
			}
			break
		}
	}
	if got != n || !bytes.Equal(buf[:got], stream(h.read, n)) {
		h.t.Fatalf("%s: read %d bytes %q, want %d", why, got, buf[:min(got, 40)], n)
	}
	h.read += n
}

func (h *harness) wantOutcome(why string, status tfo.Status, cause tfo.Cause, sent int) {
	h.t.Helper()
	if o := h.c.Outcome(); o.Status != status || o.Cause != cause || o.Sent != sent {
		h.t.Fatalf("%s: outcome is %v (%v), %d bytes sent; want %v (%v), %d", why, o.Status, o.Cause, o.Sent, status, cause, sent)
	}
}

func (h *harness) check() {
	h.t.Helper()
	if h.c != nil {
		if err := h.c.invariants(); err != nil {
			h.t.Fatal(err)
		}
	}
}

// establish completes a plain handshake, from either side, with the options
// given, in 10 ms.
func (h *harness) establish(options string) {
	h.t.Helper()
	ms := float64(h.now.Sub(h.start)) / float64(time.Millisecond)
	if h.l != nil {
		h.recv(ms, "S 0:0(0) win 65535 <"+options+">")
		h.want("SYN-ACK", "S. 0:0(0) ack 1")
		h.recv(ms+10, ". 1:1(0) ack 1 win 65535")
		h.accept("handshake")
		h.idle("established")
		return
	}
	h.dial(0)
	h.want("SYN", "S 0:0(0)")
	h.recv(ms+10, "S. 0:0(0) ack 1 win 65535 <"+options+">")
	h.want("ACK", ". 1:1(0) ack 1")
}

func (h *harness) iss() uint32 {
	if h.c != nil {
		return h.c.snd.iss
	}
	return h.last.Seq
}

// stream is n bytes of the pattern from offset off.
func stream(off, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + (off+i)%26 + (off+i)/26%7)
	}
	return b
}

func (h *harness) checkPayload(why string, s *wire.Segment) {
	h.t.Helper()
	got := append(append([]byte{}, s.Payload...), s.Rest...)
	if off := int(int32(s.Seq - h.iss() - 1)); len(got) > 0 {
		if s.Flags.Has(wire.SYN) {
			off++
		}
		if !bytes.Equal(got, stream(off, len(got))) {
			h.t.Fatalf("%s: payload of %s is %q, want %q", why, h.format(*s), got, stream(off, len(got)))
		}
	}
}

// cookie is the option that a name stands for.
func (h *harness) cookie(name string, experimental bool) (o tfo.Option, ok bool) {
	if experimental {
		o.Form = tfo.Experimental
	}
	client, server := clientAddr.Addr(), serverAddr.Addr()
	switch name {
	case "request":
		return o, true
	case "good":
		o.Cookie = h.keys.Mint(client, server)
	case "old":
		o.Cookie = tfo.NewKeys(h.keys.Backups()[0]).Mint(client, server)
	case "bad":
		o.Cookie, _ = tfo.CookieFrom([]byte("badbadba"))
	default:
		b, err := hex.DecodeString(name)
		if err != nil {
			return o, false
		}
		o.Cookie, ok = tfo.CookieFrom(b)
		return o, ok
	}
	return o, true
}

func (h *harness) cookieName(o tfo.Option) string {
	prefix := "fo "
	if o.Form == tfo.Experimental {
		prefix = "foexp "
	}
	for _, name := range []string{"request", "good", "old", "bad"} {
		if p, _ := h.cookie(name, o.Form == tfo.Experimental); p == o {
			return prefix + name
		}
	}
	return prefix + o.Cookie.Reveal()
}

// parse reads a segment from the peer.
func (h *harness) parse(text string) wire.Segment {
	h.t.Helper()
	s, err := h.parseSegment(text)
	if err != nil {
		h.t.Fatalf("script: %q: %v", text, err)
	}
	return s
}

func (h *harness) parseSegment(text string) (s wire.Segment, err error) {
	head, options, _ := strings.Cut(strings.TrimSuffix(text, ">"), " <")
	f := strings.Fields(head)
	s.Src, s.Dst = h.remote, h.local
	for _, r := range f[0] {
		i := strings.IndexRune("FSRP.UEW-", r)
		if i < 0 {
			return s, fmt.Errorf("flag %q", r)
		}
		s.Flags |= wire.Flags(1 << i)
	}
	var start, end, n uint32
	if _, err := fmt.Sscanf(f[1], "%d:%d(%d)", &start, &end, &n); err != nil || end-start != n {
		return s, fmt.Errorf("sequence numbers %q", f[1])
	}
	s.Seq = h.irs + start
	if n > 0 {
		off := int(start) - 1
		if s.Flags.Has(wire.SYN) {
			off++
		}
		s.Payload = stream(off, int(n))
	}
	s.Window = 65535
	for i := 2; i+1 <= len(f)-1; i += 2 {
		v, err := strconv.ParseInt(f[i+1], 10, 64)
		switch {
		case err != nil:
			return s, err
		case f[i] == "ack":
			s.Ack = h.iss() + uint32(v)
		case f[i] == "win":
			s.Window = uint16(v)
		case f[i] == "ecn":
			s.ECN = uint8(v)
		default:
			return s, fmt.Errorf("%q", f[i])
		}
	}
	for _, o := range strings.Split(options, ",") {
		if o = strings.TrimSpace(o); o == "" {
			continue
		}
		if err := h.parseOption(&s.Options, o); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (h *harness) parseOption(o *wire.Options, text string) error {
	name, value, _ := strings.Cut(text, " ")
	n, _ := strconv.ParseUint(value, 10, 32)
	var a, b uint32
	switch name {
	case "mss":
		o.MSS = uint16(n)
	case "sackOK":
		o.SACKPermitted = true
	case "wscale":
		o.WindowScale = uint8(n) + 1
	case "TS":
		if _, err := fmt.Sscanf(value, "%d/%d", &a, &b); err != nil {
			return err
		}
		o.Timestamps, o.TSVal, o.TSEcr = true, a, b
		if b != 0 && h.c != nil {
			o.TSEcr += h.c.snd.tsBase
		}
	case "sack":
		if _, err := fmt.Sscanf(value, "%d:%d", &a, &b); err != nil {
			return err
		}
		o.SACK[o.SACKs] = wire.Range{Start: h.iss() + a, End: h.iss() + b}
		o.SACKs++
	case "fo", "foexp":
		var ok bool
		if o.FastOpen, ok = h.cookie(value, name == "foexp"); !ok {
			return fmt.Errorf("cookie %q", value)
		}
		o.HasFastOpen = true
	default:
		return fmt.Errorf("option %q", text)
	}
	return nil
}

// format writes a segment of ours in the notation, in relative numbers.
func (h *harness) format(s wire.Segment) string {
	s.Seq -= h.iss()
	if s.Flags.Has(wire.ACK) {
		s.Ack -= h.irs
	}
	for i := range s.Options.Ranges() {
		s.Options.SACK[i].Start -= h.irs
		s.Options.SACK[i].End -= h.irs
	}
	if s.Options.Timestamps && h.c != nil {
		s.Options.TSVal -= h.c.snd.tsBase
	}
	text := s.String()
	if s.Options.HasFastOpen {
		i := strings.Index(text, "fo")
		j := i + strings.IndexAny(text[i:], ",>")
		text = text[:i] + h.cookieName(s.Options.FastOpen) + text[j:]
	}
	return text
}

func (h *harness) compare(why, want string, s wire.Segment) {
	h.t.Helper()
	got := h.format(s)
	g, w := got, want
	if !strings.Contains(strings.Fields(w)[0], "P") {
		f, rest, _ := strings.Cut(g, " ")
		g = strings.ReplaceAll(f, "P", "") + " " + rest
	}
	if !strings.Contains(w, " win ") {
		i := strings.Index(g, " win ")
		j := strings.IndexByte(g[i+5:], ' ')
		if j < 0 {
			g = g[:i]
		} else {
			g = g[:i] + g[i+5+j:]
		}
	}
	if !strings.Contains(w, "<") {
		head, options, _ := strings.Cut(g, " <")
		if !strings.Contains(options, "fo") && !strings.Contains(options, "sack ") {
			g = head
		}
	}
	if i := strings.Index(w, "..."); i >= 0 {
		// <...> is any options, <..., fo good> any that end so.
		if strings.HasPrefix(g, w[:i]) && strings.HasSuffix(g, w[i+3:]) {
			return
		}
	}
	if g != w {
		h.t.Fatalf("%s:\n got %s\nwant %s", why, got, want)
	}
}

func sprint(format string, a ...any) string { return fmt.Sprintf(format, a...) }

// icmp gives the connection an error about its segment at sequence seq.
func (h *harness) icmp(kind wire.ICMPKind, mtu, seq uint32) {
	h.t.Helper()
	m := wire.ICMP{Kind: kind, MTU: mtu}
	h.c.ICMP(h.now, &m, wire.Quoted{Src: h.local, Dst: h.remote, Seq: h.iss() + seq})
	h.check()
}
