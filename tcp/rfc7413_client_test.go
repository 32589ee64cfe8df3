package tcp

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// rawSYN is a SYN of 10 bytes whose options are given in hex.
func (h *harness) rawSYN(flags wire.Flags, options string) wire.Segment {
	h.t.Helper()
	o, err := hex.DecodeString(options)
	if err != nil {
		h.t.Fatal(err)
	}
	for len(o)%4 != 0 {
		o = append(o, 0)
	}
	b := make([]byte, 20, 80)
	binary.BigEndian.PutUint16(b, h.remote.Port())
	binary.BigEndian.PutUint16(b[2:], h.local.Port())
	binary.BigEndian.PutUint32(b[4:], h.irs)
	b[12], b[13] = uint8(20+len(o))/4<<4, uint8(flags)
	b[14] = 255
	b = append(append(b, o...), stream(0, 10)...)
	sum := wire.Fold(wire.Sum(wire.PseudoHeader(h.remote.Addr(), h.local.Addr(), wire.ProtocolTCP, len(b)), b))
	binary.BigEndian.PutUint16(b[16:], sum)
	var s wire.Segment
	if !s.Parse(h.remote.Addr(), h.local.Addr(), b, wire.Full) {
		h.t.Fatalf("options %s: the segment does not parse", options)
	}
	return s
}

// Requirements OPT-1, OPT-2, OPT-5 and OPT-6, as a server that sees them: which
// options are taken for which, and that the rest of the SYN stands.
func TestOPT5OptionTable(t *testing.T) {
	h := newHarness(t).listen(10)
	good, _ := h.cookie("good", false)
	g := hex.EncodeToString(good.Append(nil)[2:])
	for _, x := range []struct{ name, options, want string }{
		{"OPT-1 request", "2202", "S. 0:0(0) ack 1 <fo good>"},
		{"OPT-1 cookie", "220a" + g, "S. 0:0(0) ack 11 <>"},
		{"OPT-2 request", "fe04f989", "S. 0:0(0) ack 1 <foexp good>"},
		{"OPT-2 cookie", "fe0cf989" + g, "S. 0:0(0) ack 11 <>"},
		{"OPT-3 unaligned, between others", "01220a" + g + "01020405b4", "S. 0:0(0) ack 11 <>"},
		{"OPT-5 odd cookie", "2203aa", "S. 0:0(0) ack 1 <>"},
		{"OPT-5 odd cookie after a good one", "220a" + g + "2205aabbcc", "S. 0:0(0) ack 11 <>"},
		{"OPT-5 two bytes erase", "220a" + g + "2204aabb", "S. 0:0(0) ack 1 <>"},
		{"OPT-5 eighteen bytes", "2214" + g + g + "0000", "S. 0:0(0) ack 1 <>"},
		{"OPT-5 four bytes", "2206aabbccdd", "S. 0:0(0) ack 1 <fo good>"},
		{"OPT-5 sixteen bytes", "2212" + g + g, "S. 0:0(0) ack 1 <fo good>"},
		{"OPT-5 length zero", "2200" + g, "S. 0:0(0) ack 1 <>"},
		{"OPT-5 length one", "2201" + g, "S. 0:0(0) ack 1 <>"},
		{"OPT-5 overrun", "22ff" + g, "S. 0:0(0) ack 1 <>"},
		{"OPT-5 other experiment", "fe0cf98a" + g, "S. 0:0(0) ack 1 <>"},
		{"OPT-5 short experiment", "fe03f9", "S. 0:0(0) ack 1 <>"},
		{"OPT-5 after the end", "00220a" + g, "S. 0:0(0) ack 1 <>"},
		{"OPT-6 request then cookie", "2202220a" + g, "S. 0:0(0) ack 11 <>"},
		{"OPT-6 cookie then request", "220a" + g + "2202", "S. 0:0(0) ack 1 <fo good>"},
		{"OPT-6 cookie then bad", "220a" + g + "220a0000000000000000", "S. 0:0(0) ack 1 <fo good>"},
		{"OPT-6 kind 254 last", "220a" + g + "fe04f989", "S. 0:0(0) ack 1 <foexp good>"},
	} {
		h := newHarness(t).listen(10)
		s := h.rawSYN(wire.SYN, x.options)
		if h.c = h.l.Receive(h.now, &s); h.c == nil {
			t.Errorf("%s: no connection", x.name)
			continue
		}
		want := x.want
		if want[len(want)-2:] == "<>" {
			want = want[:len(want)-2] + "<mss 1460>"
		} else {
			i := len("S. 0:0(0) ack 1 <")
			want = want[:i] + "mss 1460," + want[i:]
		}
		h.want(x.name, want)
	}
}

func TestOPT1Lengths(t *testing.T)      { TestOPT5OptionTable(t) }
func TestOPT2Experimental(t *testing.T) { TestOPT5OptionTable(t) }
func TestOPT6LastWins(t *testing.T)     { TestOPT5OptionTable(t) }

// Requirement OPT-3: the order of options on a SYN, and the padding.
func TestOPT3Order(t *testing.T) {
	h := newHarness(t).client()
	h.cfg.NoTimestamps = false
	h.knows("good", 1460, 0)
	h.dial(10)
	h.want("SYN", "S 0:10(10) <...,fo good>")
	b := h.last.Append(nil, wire.Full)
	head := b[20 : len(b)-10]
	o, _ := h.cookie("good", false)
	ts := hex.EncodeToString(binary.BigEndian.AppendUint32(nil, h.last.Options.TSVal))
	want := "020405b4" + "0402" + "080a" + ts + "00000000" + "01030307" + hex.EncodeToString(o.Append(nil)) + "0101"
	if got := hex.EncodeToString(head); got != want {
		t.Errorf("options are\n%s, want\n%s", got, want)
	}
}

// Requirement OPT-8: which cookies a client keeps from a SYN-ACK.
func TestOPT8SYNACKCookies(t *testing.T) {
	for _, x := range []struct {
		option string
		keeps  string
	}{
		{"fo 01020304", "01020304"}, {"fo 00000000", "00000000"}, {"fo 0102030405060708090a0b0c0d0e0f10", "0102030405060708090a0b0c0d0e0f10"},
		{"foexp 0102030405060708", "0102030405060708"}, {"mss 1400", ""},
	} {
		h := newHarness(t).client()
		h.dial(0)
		h.want("request", "S 0:0(0) <...,fo request>")
		h.recv(10, "S. 0:0(0) ack 1 win 1000 <mss 1400,"+x.option+">")
		e := h.cfg.Cache.Lookup(h.now, h.path())
		if e.Cookie.Cookie.Reveal() != x.keeps && (x.keeps != "" || !e.Cookie.IsRequest()) || e.MSS != 1400 {
			t.Errorf("%s: kept %q and MSS %d", x.option, e.Cookie.Cookie.Reveal(), e.MSS)
		}
	}
}

// Requirement OPT-9: an unsolicited cookie is not kept.
func TestOPT9Unsolicited(t *testing.T) {
	h := newHarness(t).client()
	h.cfg.Client.SendCookieless = true
	h.dial(10)
	h.want("no option", "S 0:10(10)")
	h.recv(10, "S. 0:0(0) ack 11 win 1000 <mss 1400,fo good>")
	if e := h.cfg.Cache.Lookup(h.now, h.path()); !e.Cookie.IsRequest() {
		t.Error("kept it")
	}
}

// Requirement OPT-10: what fits into 40 bytes.
func TestOPT10Room(t *testing.T) {
	for _, x := range []struct {
		o    wire.Options
		left int
	}{
		{wire.Options{MSS: 1460, SACKPermitted: true, Timestamps: true, WindowScale: 8}, 20},
		{wire.Options{MSS: 1460, SACKPermitted: true, WindowScale: 8}, 28},
	} {
		if got := x.o.Room(); got != x.left {
			t.Errorf("%v leaves %d, want %d", x.o, got, x.left)
		}
	}
	h := newHarness(t).client()
	h.cfg.NoTimestamps = false
	h.knows("0102030405060708090a0b0c0d0e0f10", 1460, 0)
	h.dial(10)
	h.want("sixteen bytes exactly fill it", "S 0:10(10) <...,fo 0102030405060708090a0b0c0d0e0f10>")
	if n := h.last.HeaderLen(); n != 60 {
		t.Errorf("header is %d bytes", n)
	}
}

// Requirement OPT-11: never data without its cookie. The machine's own options
// leave room for any cookie in either form, so the longest goes out whole.
func TestOPT11NoRoom(t *testing.T) {
	h := newHarness(t).client()
	h.cfg.NoTimestamps = false
	c, _ := tfo.CookieFrom([]byte("0123456789abcdef"))
	h.cfg.Cache.Learn(h.now, h.path(), tfo.Lesson{Cookie: tfo.Option{Form: tfo.Experimental, Cookie: c}})
	h.dial(10)
	h.want("the longest there is", "S 0:10(10) <...,foexp 30313233343536373839616263646566>")
	if n := h.last.HeaderLen(); n != 60 {
		t.Errorf("header is %d bytes", n)
	}
	// What does not fit is left out whole.
	o := wire.Options{MSS: 1460, SACKPermitted: true, Timestamps: true, WindowScale: 8, SACKs: 1, SACK: [4]wire.Range{{Start: 1, End: 2}}}
	o.HasFastOpen, o.FastOpen = true, tfo.Option{Form: tfo.Experimental, Cookie: c}
	s := wire.Segment{Src: h.local, Dst: h.remote, Flags: wire.SYN, Options: o}
	if n := s.HeaderLen(); n != 60 {
		t.Errorf("header is %d bytes", n)
	}
}

// Requirement OPT-12: room for data is the segment size less 40.
func TestOPT12DataRoom(t *testing.T) {
	for _, x := range []struct{ mss, want int }{{1460, 1420}, {1000, 960}, {536, 496}, {9000, 1420}, {88, 48}} {
		h := newHarness(t).client().knows("good", uint16(x.mss), 0)
		h.dial(3000)
		s, _ := h.send()
		if s.Len() != x.want {
			t.Errorf("MSS %d: %d bytes in the SYN, want %d", x.mss, s.Len(), x.want)
		}
	}
}

// Requirement CLI-1: a cookie serves every port of a server, and no other local
// address.
func TestCLI1CacheKey(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.remote = netip.AddrPortFrom(serverAddr.Addr(), 8443)
	h.dial(10)
	h.want("another port", "S 0:10(10) <...,fo good>")
	h = newHarness(t).client().knows("good", 1460, 0)
	h.local = netip.MustParseAddrPort("192.0.2.77:1")
	h.dial(10)
	h.want("another local address", "S 0:0(0) <...,fo request>")
}

// Requirement CLI-3: the peer's MSS is kept from every SYN-ACK that answers Fast
// Open, and the default is used without.
func TestCLI3MSS(t *testing.T) {
	h := newHarness(t).client().knows("good", 0, 0)
	h.dial(2000)
	h.want("536 less 40", "S 0:496(496) <...>")
	h.recv(10, "S. 0:0(0) ack 1 win 10000 <mss 1300,fo old>")
	if e := h.cfg.Cache.Lookup(h.now, h.path()); e.MSS != 1300 {
		t.Errorf("kept MSS %d", e.MSS)
	}
	h = newHarness(t).client()
	h.local, h.remote = netip.MustParseAddrPort("[2001:db8::1]:1"), netip.MustParseAddrPort("[2001:db8::2]:2")
	h.knows("good", 0, 0)
	h.dial(2000)
	h.want("1220 less 40", "S 0:1180(1180) <...>")
	h = newHarness(t).client().knows("good", 0, 0)
	h.cfg.Client.InterfaceMSS = true
	h.dial(2000)
	h.want("as Linux: of the interface", "S 0:1420(1420) <...>")
}

// Requirement CLI-4: without a cookie, a request and no data, which goes out
// after the SYN-ACK.
func TestCLI4Request(t *testing.T) {
	h := newHarness(t).client()
	h.dial(100)
	h.want("request", "S 0:0(0) <mss 1460,sackOK,wscale 7,fo request>")
	h.recv(10, "S. 0:0(0) ack 1 win 10000 <mss 1460,sackOK,wscale 7,fo good>")
	h.want("data with the ACK", "P. 1:101(100) ack 1")
	h.wantOutcome("asked", tfo.CookieRequested, tfo.NoCause, 0)
	if e := h.cfg.Cache.Lookup(h.now, h.path()); h.cookieName(e.Cookie) != "fo good" || e.RTT != 10*time.Millisecond {
		t.Errorf("cache has %v, RTT %v", h.cookieName(e.Cookie), e.RTT)
	}
}

// Requirement CLI-5: cookie and data, all acknowledged.
func TestCLI5Accepted(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("all in the SYN", "S 0:100(100) <mss 1460,sackOK,wscale 7,fo good>")
	h.wantOutcome("sent", tfo.DataSent, tfo.NoCause, 100)
	h.recv(10, "S. 0:0(0) ack 101 win 10000 <mss 1460,sackOK,wscale 7>")
	h.want("ACK", ". 101:101(0) ack 1")
	h.wantOutcome("accepted", tfo.DataAccepted, tfo.NoCause, 100)
	if !h.c.Outcome().Saved() {
		t.Error("a round trip was saved")
	}
	if e := h.cfg.Cache.Lookup(h.now, h.path()); h.cookieName(e.Cookie) != "fo good" {
		t.Error("the cookie must be kept when none is returned")
	}
}

// Requirement CLI-6: only the ISN acknowledged: the data again at once, in place
// of the ACK, and no response of congestion control.
func TestCLI6NotAcked(t *testing.T) {
	h := newHarness(t).client().knows("bad", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...,fo bad>")
	h.recv(10, "S. 0:0(0) ack 1 win 10000 <mss 1460,sackOK,wscale 7,fo good>")
	h.want("data in place of the ACK", ". 1:101(100) ack 1")
	h.idle("once")
	if h.c.cc.cwnd != 14600 {
		t.Errorf("window is %d", h.c.cc.cwnd)
	}
	h.wantOutcome("fell back", tfo.FellBack, tfo.Unacknowledged, 100)
	if e := h.cfg.Cache.Lookup(h.now, h.path()); h.cookieName(e.Cookie) != "fo good" {
		t.Error("the new cookie must be kept")
	}
}

// Requirement CLI-7: a part acknowledged; and acknowledgments out of range.
func TestCLI7Partial(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.recv(10, "S. 0:0(0) ack 41 win 10000 <mss 1460,sackOK>")
	h.want("the rest", ". 41:101(60) ack 1")
	h.wantOutcome("a part", tfo.FellBack, tfo.Partial, 100)

	for _, ack := range []string{"0", "102"} {
		h := newHarness(t).client().knows("good", 1460, 0)
		h.dial(100)
		h.want("SYN", "S 0:100(100) <...>")
		h.recv(10, "S. 0:0(0) ack "+ack+" win 10000 <mss 1460>")
		h.want("reset to the peer", "R "+ack+":"+ack+"(0)")
		h.want("and a plain SYN at once", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
		h.wantState("still", SynSent)
		if h.cfg.Cache.Lookup(h.now, h.path()).Avoid.Times != 0 {
			t.Error("the cache must not be touched")
		}
	}
}

// Requirement CLI-8: a retransmitted SYN is plain, and the attempts end.
func TestCLI8Timeout(t *testing.T) {
	for _, known := range []bool{true, false} {
		h := newHarness(t).client()
		h.cfg.SYNRetries = 3
		if known {
			h.knows("good", 1460, 0)
		}
		h.dial(100)
		s, _ := h.send()
		if s.Options.HasFastOpen != true || known != (s.Len() > 0) {
			t.Errorf("first SYN is %s", h.format(s))
		}
		h.wantAt(1000, "plain", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
		h.wantAt(3000, "plain", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
		h.wantAt(7000, "plain", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
		h.wake()
		h.idle("gave up")
		if h.c.Err() != ErrTimeout || h.c.State() != Closed {
			t.Errorf("ended in %v with %v", h.c.State(), h.c.Err())
		}
	}
	// The first timer is taken from what is known of the path.
	h := newHarness(t).client().knows("good", 1460, 30*time.Millisecond)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.wantAt(230, "not a blind second", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
}

// Requirement CLI-9: after a timeout, what the late answer says.
func TestCLI9LateAnswer(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.wantAt(1000, "plain", "S 0:0(0)")
	h.recv(1010, "S. 0:0(0) ack 1 win 10000 <mss 1460,sackOK>")
	h.want("data", ". 1:101(100) ack 1")
	h.wantOutcome("lost", tfo.FellBack, tfo.Lost, 100)
	if a := h.cfg.Cache.Lookup(h.now, h.path()).Avoid; !a.Active(h.now) || a.Cause != tfo.Lost {
		t.Errorf("negative memory is %+v", a)
	}

	h = newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.wantAt(1000, "plain", "S 0:0(0)")
	h.recv(1010, "S. 0:0(0) ack 101 win 10000 <mss 1460,sackOK>")
	h.wantOutcome("the data had come through", tfo.DataAccepted, tfo.NoCause, 100)
	if a := h.cfg.Cache.Lookup(h.now, h.path()).Avoid; a.Times != 0 {
		t.Errorf("negative memory is %+v", a)
	}
}

// Requirements CLI-10 and CLI-11: negative memory per path: after it, plain; with
// the switch, as Linux, none.
func TestCLI11NegativeMemory(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.cfg.Cache.Failed(h.now, h.path(), tfo.Lost)
	h.dial(100)
	h.want("plain, not even a request", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
	h.wantOutcome("avoided", tfo.Off, tfo.Avoided, 0)
	if o := h.c.Outcome(); o.Avoid.Cause != tfo.Lost {
		t.Errorf("outcome says %+v", o.Avoid)
	}
	h.recv(10, "S. 0:0(0) ack 1 win 10000 <mss 1460,fo bad>")
	h.want("data", "P. 1:101(100) ack 1")
	if e := h.cfg.Cache.Lookup(h.now, h.path()); h.cookieName(e.Cookie) != "fo good" {
		t.Error("an unsolicited cookie was kept")
	}
	// Two refusals in a row are enough, one is not.
	h = newHarness(t).client().knows("good", 1460, 0)
	for i := range 2 {
		h.dial(100)
		h.want("SYN", "S 0:100(100) <...,fo good>")
		h.recv(0, "S. 0:0(0) ack 1 win 10000 <mss 1460>")
		if active := h.cfg.Cache.Lookup(h.now, h.path()).Avoid.Active(h.now); active != (i == 1) {
			t.Errorf("after %d refusals avoided: %v", i+1, active)
		}
		h.now = h.now.Add(time.Second)
		h.start = h.now
	}
}

func TestCLI10LinuxParity(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.cfg.Client.IgnoreFailures = true
	h.cfg.Cache.Failed(h.now, h.path(), tfo.Lost)
	h.dial(100)
	h.want("tried all the same", "S 0:100(100) <...,fo good>")
}

// Requirement CLI-12: the experimental kind is tried once if asked for; a cookie
// goes back in the kind it came in.
func TestCLI12Experimental(t *testing.T) {
	h := newHarness(t).client()
	h.cfg.Client.RetryExperimental = true
	for i, want := range []string{"fo request", "foexp request", "fo request", "fo request"} {
		h.dial(0)
		h.want("try "+string(rune('1'+i)), "S 0:0(0) <mss 1460,sackOK,wscale 7,"+want+">")
		h.recv(0, "S. 0:0(0) ack 1 win 1000 <mss 1460>")
	}
	h = newHarness(t).client()
	h.dial(0)
	h.want("request", "S 0:0(0) <...,fo request>")
	h.recv(0, "S. 0:0(0) ack 1 win 1000 <mss 1460,foexp good>")
	h.dial(10)
	h.want("in the kind it came", "S 0:10(10) <...,foexp good>")
}

// Requirement CLI-13: opened before anything was written.
func TestCLI13NoData(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(0)
	h.want("cookie, no data", "S 0:0(0) <...,fo good>")
	h.wantOutcome("nothing to send", tfo.Off, tfo.NoData, 0)
}

// Requirement CLI-14: more than fits: the rest follows the handshake.
func TestCLI14LongWrite(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(5000)
	h.want("as much as fits", "S 0:1420(1420) <...>")
	if o := h.c.Outcome(); o.Wanted != 5000 || o.Sent != 1420 {
		t.Errorf("outcome %+v", o)
	}
	h.recv(10, "S. 0:0(0) ack 1421 win 10000 <mss 1460,sackOK>")
	h.want("rest", ". 1421:2881(1460) ack 1")
	h.want("rest", ". 2881:4341(1460) ack 1")
	h.want("rest", "P. 4341:5001(660) ack 1")
	if h.c.Outcome().Saved() {
		t.Error("nothing was saved: the rest waited")
	}
}

// Requirement CLI-15: data and FIN in the SYN-ACK, taken if Fast Open was used
// and discarded otherwise.
func TestCLI15DataInSYNACK(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.recv(10, "SF. 0:50(50) ack 101 win 10000 <mss 1460>")
	h.want("ACK of data and FIN", ". 101:101(0) ack 52")
	h.wantState("half closed", CloseWait)
	h.wantRead("data", 50, io.EOF)

	h = newHarness(t).client()
	h.cfg.Client.Off = true
	h.dial(0)
	h.want("plain", "S 0:0(0)")
	h.recv(10, "S. 0:50(50) ack 1 win 10000 <mss 1460>")
	h.want("not taken", ". 1:1(0) ack 1")
	h.wantRead("nothing", 0, nil)
}

// Requirement CLI-16: ICMP and RST while the SYN with data is out: fall back, or
// with the switch end as Linux does.
func TestCLI16Errors(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.recv(10, "R. 0:0(0) ack 101 win 0")
	h.want("plain", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
	h.recv(20, "R. 0:0(0) ack 1 win 0")
	h.wantState("really refused", Closed)
	if h.c.Err() != ErrRefused {
		t.Errorf("ended with %v", h.c.Err())
	}
	if h.cfg.Cache.Lookup(h.now, h.path()).Avoid.Times != 0 {
		t.Error("a closed port says nothing of Fast Open")
	}

	h = newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.recv(10, "R. 0:0(0) ack 101 win 0")
	h.want("plain", "S 0:0(0)")
	h.recv(20, "S. 0:0(0) ack 1 win 10000 <mss 1460>")
	h.want("data", ". 1:101(100) ack 1")
	h.wantOutcome("it was Fast Open", tfo.FellBack, tfo.Reset, 100)
	if a := h.cfg.Cache.Lookup(h.now, h.path()).Avoid; a.Cause != tfo.Reset || !a.Active(h.now) {
		t.Errorf("negative memory %+v", a)
	}

	h = newHarness(t).client().knows("good", 1460, 0)
	h.cfg.Client.AbortOnError = true
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.icmp(wire.AdminProhibited, 0, 0)
	if h.c.Err() != (Unreachable{wire.AdminProhibited}) {
		t.Errorf("ended with %v", h.c.Err())
	}

	h = newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.icmp(wire.HostUnreachable, 0, 0)
	h.want("plain", "S 0:0(0) <mss 1460,sackOK,wscale 7>")
	h.icmp(wire.HostUnreachable, 0, 0)
	h.wantState("really", Closed)

	// Too big: a plain SYN at once, smaller segments later.
	h = newHarness(t).client().knows("good", 1460, 0)
	h.dial(1400)
	h.want("SYN", "S 0:1400(1400) <...>")
	h.icmp(wire.PacketTooBig, 900, 0)
	h.want("plain", "S 0:0(0)")
	h.recv(20, "S. 0:0(0) ack 1 win 10000 <mss 1460>")
	h.want("smaller", ". 1:861(860) ack 1")
}

// Requirement CLI-17: simultaneous open: the peer's data is not taken, our
// SYN-ACK is plain.
func TestCLI17SimultaneousOpen(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.recv(10, "S 0:30(30) win 10000 <mss 1460,sackOK,fo good>")
	h.want("ISN only, no data, no option", "S. 0:0(0) ack 1 <mss 1460,sackOK>")
	h.recv(20, "S. 0:0(0) ack 1 win 10000 <mss 1460,sackOK>")
	h.wantState("open", Established)
	h.want("data", ". 1:101(100) ack 1")
	h.recv(30, "P. 1:31(30) ack 101 win 10000")
	h.wantRead("the peer sends its data again", 30, nil)
}

// Requirement CLI-18: cookie-less data, no option, the cookie in the cache unused.
func TestCLI18Cookieless(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.cfg.Client.SendCookieless = true
	h.dial(100)
	h.want("data, no option", "S 0:100(100) <mss 1460,sackOK,wscale 7>")
	h.recv(10, "S. 0:0(0) ack 101 win 1000 <mss 1460,fo bad>")
	h.wantOutcome("accepted", tfo.DataAccepted, tfo.NoCause, 100)
	if e := h.cfg.Cache.Lookup(h.now, h.path()); h.cookieName(e.Cookie) != "fo good" {
		t.Error("an unsolicited cookie was kept")
	}
}

// Requirements CLI-19 and SEC-9: what is learnt is kept per partition.
func TestCLI19Partition(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.cfg.Partition = "another network"
	h.dial(100)
	h.want("request", "S 0:0(0) <...,fo request>")
}

// Requirements MBOX-1 to MBOX-3, per path: a connection that used Fast Open and
// hears nothing after the handshake.
func TestMBOX2BlackHole(t *testing.T) {
	h := newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.recv(10, "S. 0:0(0) ack 101 win 10000 <mss 1460>")
	h.want("ACK", ". 101:101(0) ack 1")
	h.wantOutcome("so far", tfo.DataAccepted, tfo.NoCause, 100)
	h.write(50)
	h.want("request", ". 101:151(50) ack 1")
	for range 3 {
		h.wake()
		h.want("again", ". 101:151(50) ack 1")
	}
	h.wantOutcome("black hole", tfo.FellBack, tfo.BlackHole, 100)
	if a := h.cfg.Cache.Lookup(h.now, h.path()).Avoid; a.Cause != tfo.BlackHole || !a.Active(h.now) {
		t.Errorf("negative memory %+v", a)
	}
	other := h.path()
	other.Remote = netip.AddrPortFrom(other.Remote.Addr(), 1)
	if h.cfg.Cache.Lookup(h.now, other).Avoid.Active(h.now) {
		t.Error("MBOX-3: only this path, not all")
	}
	// Not if something came.
	h = newHarness(t).client().knows("good", 1460, 0)
	h.dial(100)
	h.want("SYN", "S 0:100(100) <...>")
	h.recv(10, "S. 0:0(0) ack 101 win 10000 <mss 1460>")
	h.recv(11, "P. 1:11(10) ack 101 win 10000")
	h.want("ACK", ". 101:101(0) ack 11")
	h.write(50)
	for range 4 {
		h.want("again", ". 101:151(50) ack 11")
		h.wake()
	}
	h.wantOutcome("not a black hole of Fast Open", tfo.DataAccepted, tfo.NoCause, 100)
}

// Requirement MBOX-4: a server's children never count against its own client side.
func TestMBOX4PassiveDoesNotCount(t *testing.T) {
	h := newHarness(t)
	h.cfg.Cache = &tfo.Cache{}
	h.listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,fo good>")
	h.accept("child")
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	h.recv(10, ". 11:11(0) ack 1 win 1000")
	h.write(10)
	h.want("data", ". 1:11(10) ack 11")
	for range 4 {
		h.wake()
		h.want("again", ". 1:11(10) ack 11")
	}
	if h.cfg.Cache.Len() != 0 {
		t.Error("a remote peer wrote into the cache")
	}
	h.wantOutcome("still", tfo.DataAccepted, tfo.NoCause, 10)
}
