package stack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

var (
	ourHardware    = hardwareAddr{2, 0, 0, 0, 0, 1}
	theirHardware  = hardwareAddr{2, 0, 0, 0, 0, 2}
	othersHardware = hardwareAddr{2, 0, 0, 0, 0, 3}
	neighbourStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// An etherTest is our end of an Ethernet link: the table, and a neighbour whose
// messages are made by hand.
type etherTest struct {
	*testing.T
	n           neighbours[string]
	now         time.Time
	ours, their netip.Addr
}

// eachFamily runs a test with ARP and with neighbour discovery.
func eachFamily(t *testing.T, test func(e *etherTest)) {
	for name, a := range map[string][2]string{"ARP": {"192.0.2.1", "192.0.2.2"}, "NDP": {"2001:db8::1", "2001:db8::2"}} {
		t.Run(name, func(t *testing.T) {
			e := &etherTest{T: t, now: neighbourStart, ours: netip.MustParseAddr(a[0]), their: netip.MustParseAddr(a[1])}
			e.n = neighbours[string]{Hardware: ourHardware, Own: func(a netip.Addr) bool { return a == e.ours }, Seed: 1}
			test(e)
		})
	}
}

// answer is what a neighbour answers to our question, or what it announces if
// nobody has asked.
func (e *etherTest) answer(who netip.Addr, h hardwareAddr, asked bool) {
	e.Helper()
	if who.Is4() {
		m := arpMessage{op: arpReplied, senderHW: h, sender: who, targetHW: ourHardware, targetProtocol: e.ours}
		if !asked {
			m.targetProtocol, m.targetHW = who, broadcastHardware
		}
		e.n.arp(e.now, m.append(nil))
		return
	}
	m := ndpMessage{kind: ndpAdvertisement, flags: flagOverride, target: who, hardware: h, hasHardware: true}
	to := allNodes
	if asked {
		m.flags |= flagSolicited
		to = e.ours
	}
	e.ndp(m.append(nil, who, to))
}

// question is a neighbour's question for us.
func (e *etherTest) question(who netip.Addr, h hardwareAddr) {
	e.Helper()
	if who.Is4() {
		m := arpMessage{op: arpRequested, senderHW: h, sender: who, targetProtocol: e.ours}
		e.n.arp(e.now, m.append(nil))
		return
	}
	m := ndpMessage{kind: ndpSolicitation, target: e.ours, hardware: h, hasHardware: true}
	e.ndp(m.append(nil, who, solicitedNode(e.ours)))
}

func (e *etherTest) ndp(packet []byte) {
	e.Helper()
	h, b, ok := wire.ParseIP(packet)
	if !ok || !e.n.ndp(e.now, &h, b) {
		e.Fatalf("not taken for neighbour discovery: %x", packet)
	}
}

// sent tells what leaves, in words.
func (e *etherTest) sent() (list []string) {
	e.Helper()
	for {
		d, ok := e.n.send()
		if !ok {
			return list
		}
		switch {
		case d.Message != nil:
			list = append(list, e.describe(d))
		case d.Lost:
			list = append(list, "lost "+d.Packet)
		default:
			list = append(list, fmt.Sprintf("%s to %x", d.Packet, d.To[5]))
		}
	}
}

func (e *etherTest) describe(d departure[string]) string {
	e.Helper()
	b := d.Message
	if !bytes.Equal(b[:6], d.To[:]) || !bytes.Equal(b[6:12], ourHardware[:]) {
		e.Fatalf("a frame to %x: %x", d.To, b)
	}
	to := fmt.Sprintf("%x", d.To[5])
	if d.To.group() {
		to = "all"
	}
	if binary.BigEndian.Uint16(b[12:]) == etherTypeARP {
		m, ok := parseARP(b[14:])
		switch {
		case !ok || m.senderHW != ourHardware:
			e.Fatalf("sent %x", b)
		case m.op == arpRequested:
			return fmt.Sprintf("who is %v, to %s", m.targetProtocol, to)
		}
		return fmt.Sprintf("I am %v, to %s", m.sender, to)
	}
	h, body, _ := wire.ParseIP(b[14:])
	m, ok := parseNDP(&h, body)
	switch {
	case !ok || m.hardware != ourHardware:
		e.Fatalf("sent %x", b)
	case m.kind == ndpSolicitation:
		return fmt.Sprintf("who is %v, to %s", m.target, to)
	}
	return fmt.Sprintf("I am %v, to %s", m.target, to)
}

func (e *etherTest) want(why string, want ...string) {
	e.Helper()
	if got := e.sent(); fmt.Sprint(got) != fmt.Sprint(want) {
		e.Errorf("%s: sent %q, want %q", why, got, want)
	}
}

// pass lets time pass, with all ticks on the way.
func (e *etherTest) pass(d time.Duration) {
	end := e.now.Add(d)
	for t := e.n.deadline(); !t.IsZero() && !t.After(end); t = e.n.deadline() {
		e.now = t
		e.n.tick(t)
	}
	e.now = end
}

func (e *etherTest) resolve(packet string) (hardwareAddr, bool) {
	return e.n.resolve(e.now, e.their, e.ours, packet, len(packet))
}

// TestNeighbour follows one neighbour through its states.
// https://www.rfc-editor.org/rfc/rfc4861#section-7.3.2
func TestNeighbour(t *testing.T) {
	eachFamily(t, func(e *etherTest) {
		who := "who is " + e.their.String()
		for _, p := range []string{"a", "b"} {
			if _, ok := e.resolve(p); ok {
				e.Fatal("known without asking")
			}
		}
		e.want("one question for two packets", who+", to all")
		e.pass(500 * time.Millisecond)
		e.want("before the time to ask again")
		e.pass(500 * time.Millisecond)
		e.want("again", who+", to all")
		e.answer(e.their, theirHardware, true)
		e.want("what has waited leaves in order", "a to 2", "b to 2")
		if h, ok := e.resolve("c"); !ok || h != theirHardware {
			e.Fatalf("got %x, %t", h, ok)
		}
		e.pass(time.Minute)
		e.want("nobody is asked who is not needed")
		if _, ok := e.resolve("d"); !ok {
			e.Fatal("a stale address is not used")
		}
		e.pass(5 * time.Second)
		e.want("the delay is over: asked alone", who+", to 2")
		e.answer(e.their, theirHardware, true)
		e.pass(10 * time.Second)
		e.want("confirmed")

		e.pass(time.Minute)
		e.resolve("e")
		e.n.confirm(e.now, e.their)
		e.pass(10 * time.Second)
		e.want("confirmed by upper layers")

		e.pass(time.Minute)
		e.resolve("f")
		e.pass(10 * time.Second)
		e.want("gone", who+", to 2", who+", to 2", who+", to 2")
		if _, ok := e.resolve("g"); ok {
			e.Error("still known")
		}
		e.want("asked anew", who+", to all")
		e.pass(5 * time.Second)
		e.want("nobody answers", who+", to all", who+", to all", "lost g")
		if len(e.n.known) != 0 || e.n.ages.Len() != 0 || !e.n.deadline().IsZero() {
			e.Errorf("left: %d neighbours, deadline %v", len(e.n.known), e.n.deadline())
		}
	})
}

// TestNeighbourQuestion: we answer, remember who has asked, and answer nobody
// who asks for another.
func TestNeighbourQuestion(t *testing.T) {
	eachFamily(t, func(e *etherTest) {
		e.question(e.their, theirHardware)
		e.want("answered", "I am "+e.ours.String()+", to 2")
		if h, ok := e.resolve("a"); !ok || h != theirHardware {
			e.Errorf("who asked is not known: %x, %t", h, ok)
		}
		ours := e.ours
		e.ours = e.their.Next()
		e.n.Own = func(a netip.Addr) bool { return a == ours }
		e.question(e.their, theirHardware)
		e.want("for somebody else")
	})
}

// TestNeighbourUnasked: nobody is remembered for an announcement, one who is
// known may change the address but is asked before long, and of two answers the
// first counts.
func TestNeighbourUnasked(t *testing.T) {
	eachFamily(t, func(e *etherTest) {
		e.answer(e.their, theirHardware, false)
		e.answer(e.their, theirHardware, true)
		if len(e.n.known) != 0 || e.n.Drops.Unasked != 2 {
			e.Errorf("%d known, %+v", len(e.n.known), e.n.Drops)
		}
		e.resolve("a")
		e.answer(e.their, theirHardware, true)
		e.answer(e.their, othersHardware, true)
		e.want("the second answer", "who is "+e.their.String()+", to all", "a to 2")
		if h, _ := e.resolve("b"); h != theirHardware || e.n.Drops.TooSoon != 1 {
			e.Errorf("the second answer counts: %x, %+v", h, e.n.Drops)
		}
		e.pass(2 * time.Second)
		e.answer(e.their, othersHardware, false)
		if h, _ := e.resolve("c"); h != othersHardware {
			e.Errorf("moved, and sent to %x", h)
		}
		e.pass(5 * time.Second)
		e.want("the new address is asked", "who is "+e.their.String()+", to 3")
	})
}

// TestNeighbourOverride: an advertisement without the Override flag makes us
// ask, and changes nothing by itself (RFC 4861, section 7.2.5).
func TestNeighbourOverride(t *testing.T) {
	eachFamily(t, func(e *etherTest) {
		if e.ours.Is4() {
			return
		}
		e.resolve("a")
		e.answer(e.their, theirHardware, true)
		e.sent()
		e.pass(2 * time.Second)
		m := ndpMessage{kind: ndpAdvertisement, flags: flagSolicited, target: e.their, hardware: othersHardware, hasHardware: true}
		e.ndp(m.append(nil, e.their, e.ours))
		if h, _ := e.resolve("b"); h != theirHardware {
			e.Errorf("sent to %x", h)
		}
		e.pass(5 * time.Second)
		e.want("asked", "who is "+e.their.String()+", to 2")
		bare := ndpMessage{kind: ndpAdvertisement, flags: flagSolicited, target: e.their}
		e.ndp(bare.append(nil, e.their, e.ours))
		e.pass(10 * time.Second)
		e.want("an answer without the option confirms")
	})
}

// TestNeighbourConflict: nobody takes our address from us.
func TestNeighbourConflict(t *testing.T) {
	eachFamily(t, func(e *etherTest) {
		e.answer(e.ours, othersHardware, false)
		e.question(e.ours, othersHardware)
		if e.n.Drops.Conflict == 0 || len(e.n.known) != 0 {
			e.Errorf("%+v, %d known", e.n.Drops, len(e.n.known))
		}
	})
}

// TestNeighbourProbe: somebody makes sure that an address is free, and hears
// that it is not (RFC 5227, RFC 4862 section 5.4.3).
func TestNeighbourProbe(t *testing.T) {
	eachFamily(t, func(e *etherTest) {
		if e.ours.Is4() {
			e.question(netip.IPv4Unspecified(), othersHardware)
			e.want("a probe", "I am "+e.ours.String()+", to 3")
		} else {
			m := ndpMessage{kind: ndpSolicitation, target: e.ours}
			e.ndp(m.append(nil, netip.IPv6Unspecified(), solicitedNode(e.ours)))
			e.want("a probe", "I am "+e.ours.String()+", to all")
		}
		if len(e.n.known) != 0 {
			e.Error("who probes is remembered")
		}
	})
}

// TestNeighbourQueue: "When a queue overflows, the new arrival SHOULD replace
// the oldest entry."
// https://www.rfc-editor.org/rfc/rfc4861#section-7.2.2
func TestNeighbourQueue(t *testing.T) {
	eachFamily(t, func(e *etherTest) {
		e.n.QueuePackets, e.n.QueueBytes = 3, 10
		for _, p := range []string{"1", "2", "3", "4", "55555", "666", "7777777777777"} {
			e.resolve(p)
		}
		e.sent()
		e.answer(e.their, theirHardware, true)
		e.want("the latest", "4 to 2", "55555 to 2", "666 to 2")
		if e.n.Drops.Queue != 4 {
			e.Errorf("%+v", e.n.Drops)
		}
	})
}

// TestNeighbourFlood: forged questions drive out forged neighbours, and ours
// are bounded in number.
func TestNeighbourFlood(t *testing.T) {
	eachFamily(t, func(e *etherTest) {
		e.n.Capacity = 16
		e.resolve("a")
		e.answer(e.their, theirHardware, true)
		forged := e.their
		for range 1000 {
			forged = forged.Next()
			e.question(forged, othersHardware)
		}
		if h, ok := e.resolve("b"); !ok || h != theirHardware || len(e.n.known) > 16 || e.n.ages.Len() != len(e.n.known) {
			e.Errorf("%x, %t, %d known", h, ok, len(e.n.known))
		}
		e.sent()
		asked := 0
		for range 10_000 {
			forged = forged.Next()
			e.n.resolve(e.now, forged, e.ours, "x", 1)
			for _, s := range e.sent() {
				if s[:3] == "who" {
					asked++
				}
			}
		}
		if asked > asksBurst || len(e.n.known) > 16 {
			e.Errorf("%d questions at once, %d known", asked, len(e.n.known))
		}
	})
}

// TestNeighbourGroups: groups are not asked for.
func TestNeighbourGroups(t *testing.T) {
	for a, want := range map[string]hardwareAddr{
		"224.0.0.251":      {0x01, 0x00, 0x5e, 0, 0, 0xfb},
		"239.129.2.3":      {0x01, 0x00, 0x5e, 1, 2, 3},
		"255.255.255.255":  broadcastHardware,
		"ff02::1":          {0x33, 0x33, 0, 0, 0, 1},
		"ff02::1:ff00:123": {0x33, 0x33, 0xff, 0, 1, 0x23},
	} {
		var n neighbours[string]
		if h, ok := n.resolve(neighbourStart, netip.MustParseAddr(a), netip.Addr{}, "", 0); !ok || h != want {
			t.Errorf("%s: %x, %t", a, h, ok)
		}
	}
	if got := solicitedNode(netip.MustParseAddr("2001:db8::12:3456")); got != netip.MustParseAddr("ff02::1:ff12:3456") {
		t.Errorf("solicited-node group %v", got)
	}
}

// TestNDPChecks damages a valid message in the ways that RFC 4861, sections
// 7.1.1 and 7.1.2, list.
func TestNDPChecks(t *testing.T) {
	us, them := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	valid := ndpMessage{kind: ndpSolicitation, target: us, hardware: theirHardware, hasHardware: true}
	advert := ndpMessage{kind: ndpAdvertisement, flags: flagSolicited, target: them, hardware: theirHardware, hasHardware: true}
	group := valid
	group.target = netip.MustParseAddr("ff02::5")
	bad := valid
	bad.hardware = broadcastHardware
	for name, c := range map[string]struct {
		packet []byte
		damage func(h *wire.IP, b []byte) []byte
		want   bool
	}{
		"valid":                      {valid.append(nil, them, us), nil, true},
		"forwarded":                  {valid.append(nil, them, us), func(h *wire.IP, b []byte) []byte { h.HopLimit = 254; return b }, false},
		"behind a fragment header":   {valid.append(nil, them, us), func(h *wire.IP, b []byte) []byte { h.HeaderLen += 8; return b }, false},
		"checksum":                   {valid.append(nil, them, us), func(_ *wire.IP, b []byte) []byte { b[2]++; return b }, false},
		"short":                      {valid.append(nil, them, us), func(_ *wire.IP, b []byte) []byte { return b[:23] }, false},
		"a group as the target":      {group.append(nil, them, us), nil, false},
		"a group's hardware address": {bad.append(nil, them, us), nil, false},
		"unspecified, with option":   {valid.append(nil, netip.IPv6Unspecified(), solicitedNode(us)), nil, false},
		"advertised":                 {advert.append(nil, them, us), nil, true},
		"solicited, to a group":      {advert.append(nil, them, allNodes), nil, false},
	} {
		h, b, ok := wire.ParseIP(c.packet)
		if !ok {
			t.Fatal(name)
		}
		if c.damage != nil {
			b = c.damage(&h, b)
		}
		if _, got := parseNDP(&h, b); got != c.want {
			t.Errorf("%s: taken: %t", name, got)
		}
	}
	zero := valid.append(nil, them, us)
	h, b, _ := wire.ParseIP(zero)
	b[25] = 0 // the option's length
	binary.BigEndian.PutUint16(b[2:], 0)
	binary.BigEndian.PutUint16(b[2:], wire.Fold(wire.Sum(wire.PseudoHeader(h.Src, h.Dst, wire.ProtocolICMPv6, len(b)), b)))
	if _, ok := parseNDP(&h, b); ok {
		t.Error("an option of no length was taken")
	}
}

// FuzzNeighbours gives a table any frames, and time.
func FuzzNeighbours(f *testing.F) {
	m := arpMessage{op: arpRequested, senderHW: theirHardware, sender: netip.MustParseAddr("192.0.2.2"), targetProtocol: netip.MustParseAddr("192.0.2.1")}
	f.Add(m.append(nil), uint8(1))
	s := ndpMessage{kind: ndpSolicitation, target: netip.MustParseAddr("2001:db8::1"), hardware: theirHardware, hasHardware: true}
	f.Add(s.append(nil, netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::1")), uint8(9))
	f.Fuzz(func(t *testing.T, b []byte, seconds uint8) {
		ours := map[netip.Addr]bool{netip.MustParseAddr("192.0.2.1"): true, netip.MustParseAddr("2001:db8::1"): true}
		n := neighbours[string]{Hardware: ourHardware, Own: func(a netip.Addr) bool { return ours[a] }, Capacity: 2}
		n.resolve(neighbourStart, netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.1"), "four", 4)
		n.resolve(neighbourStart, netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::1"), "six", 3)
		if m, ok := parseARP(b); ok && !bytes.Equal(m.append(nil), b[:arpLen]) {
			t.Fatalf("%+v of %x", m, b)
		}
		n.arp(neighbourStart, b)
		if h, body, ok := wire.ParseIP(b); ok && h.Protocol == wire.ProtocolICMPv6 {
			n.ndp(neighbourStart, &h, body)
			// The checksum of what a fuzzer makes up is seldom right.
			if len(body) >= 4 {
				body[2], body[3] = 0, 0
				binary.BigEndian.PutUint16(body[2:], wire.Fold(wire.Sum(wire.PseudoHeader(h.Src, h.Dst, wire.ProtocolICMPv6, len(body)), body)))
				n.ndp(neighbourStart, &h, body)
			}
		}
		n.tick(neighbourStart.Add(time.Duration(seconds) * time.Second))
		for {
			d, ok := n.send()
			if !ok {
				break
			}
			if d.Message != nil && len(d.Message) < etherHeader+arpLen {
				t.Fatalf("sent %x", d.Message)
			}
		}
		if len(n.known) > 2 || n.ages.Len() != len(n.known) {
			t.Fatalf("%d known, %d in order", len(n.known), n.ages.Len())
		}
	})
}
