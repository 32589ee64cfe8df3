package probe

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A world answers SYNs: n is how many there have been before.
type world func(n int, s SYN) Event

// granted, accepted and so on are what one does.
func welcomed(s SYN) Event { return Event{Sent: s, Answer: SYNACK, After: 10 * time.Millisecond} }

func lost(s SYN) Event { return Event{Sent: s} }

func reset(s SYN) Event { return Event{Sent: s, Answer: Reset} }

// good is a server with Fast Open and nothing in the way.
func good(_ int, s SYN) Event {
	e := welcomed(s)
	switch s {
	case Plain:
		e.Awaited, e.FirstByte = true, 20*time.Millisecond
	case Request, Legacy:
		e.Granted = "A"
	case Data:
		e.Data, e.Acked, e.Used = 5, 5, "A"
		e.Awaited, e.FirstByte = true, 10*time.Millisecond
	case Cookie:
		e.Used = "A"
	case BareData:
		e.Data = 5
	}
	return e
}

// worlds are the ways of the world, and what is to be said of them.
var worlds = map[string]struct {
	world
	want Verdict
}{
	"good": {good, Works},
	"no Fast Open": {func(n int, s SYN) Event {
		e := good(n, s)
		e.Granted, e.Acked = "", 0
		return e
	}, NoFastOpen},
	"stripped": {func(n int, s SYN) Event {
		e := good(n, s)
		e.Granted, e.Acked = "", 0
		e.Erased = s == Request || s == Legacy
		return e
	}, OptionStripped},
	"cookieless": {func(n int, s SYN) Event {
		e := good(n, s)
		e.Granted, e.Acked = "", e.Data
		return e
	}, Cookieless},
	"legacy": {func(n int, s SYN) Event {
		e := good(n, s)
		if s == Request {
			e.Granted = ""
		}
		return e
	}, LegacyOnly},
	"option dropped": {func(n int, s SYN) Event {
		if s == Plain || s == BareData {
			return good(n, s)
		}
		return lost(s)
	}, OptionDropped},
	"cookie dropped": {func(n int, s SYN) Event {
		if s == Cookie || s == Data {
			return Event{Sent: s, Data: 5}
		}
		return good(n, s)
	}, CookieDropped},
	"data dropped": {func(n int, s SYN) Event {
		if s == Data || s == BareData {
			return Event{Sent: s, Data: 5}
		}
		return good(n, s)
	}, DataDropped},
	"option reset": {func(n int, s SYN) Event {
		if s == Plain {
			return good(n, s)
		}
		return reset(s)
	}, ResetByFastOpen},
	"data reset": {func(n int, s SYN) Event {
		if s == Data {
			return reset(s)
		}
		return good(n, s)
	}, ResetByFastOpen},
	"refused cookie": {func(n int, s SYN) Event {
		e := good(n, s)
		e.Acked = 0
		return e
	}, CookieRefused},
	"cut": {func(n int, s SYN) Event {
		e := good(n, s)
		e.Acked = min(e.Acked, 1)
		return e
	}, CookieRefused},
	"two keys": {func(n int, s SYN) Event {
		e := good(n, s)
		if s == Data && n%2 == 0 {
			e.Acked, e.Granted = 0, "B"
		}
		return e
	}, KeysDiffer},
	"eight keys": {func(n int, s SYN) Event {
		e := good(n, s)
		if s == Data {
			e.Acked, e.Granted = 0, letter(1+n%8)
		}
		return e
	}, KeysDiffer},
	"half of them without": {func(n int, s SYN) Event {
		e := good(n, s)
		if s == Data && n%2 == 0 {
			e.Acked = 0
		}
		return e
	}, Varies},
	"black hole": {func(n int, s SYN) Event {
		e := good(n, s)
		if s == Data {
			e.FirstByte = 0
		}
		return e
	}, BlackHole},
	"no server": {func(_ int, s SYN) Event { return reset(s) }, Refused},
	"no host":   {func(_ int, s SYN) Event { return lost(s) }, Silent},
	"no route":  {func(_ int, s SYN) Event { return Event{Sent: s, Answer: Unreachable} }, NotReachable},
}

// play probes a world.
func play(t *testing.T, w world, mode Mode) []Event {
	t.Helper()
	var events []Event
	for {
		next := plan(events, func(SYN) bool { return true }, 3, 6)
		if len(next) == 0 {
			return events
		}
		for _, tr := range next {
			e := w(len(events), tr.kind)
			if !tr.exchange {
				e.Awaited, e.FirstByte = false, 0
			}
			events = append(events, e)
		}
		if len(events) > 1000 {
			t.Fatalf("it does not end: %v", events[:30])
		}
	}
}

func TestVerdicts(t *testing.T) {
	seen := map[Verdict]bool{}
	for name, w := range worlds {
		events := play(t, w.world, Raw)
		if got := judge(events, Raw, 3); got != w.want {
			t.Errorf("%s: got %v, want %v: %v", name, got, w.want, events)
		}
		if len(events) > 24 {
			t.Errorf("%s: %d SYNs are more than anyone should be bothered with: %v", name, len(events), events)
		}
		seen[w.want] = true
	}
	// A firewall that blocks after the first SYN with data.
	blocked := false
	events := play(t, func(n int, s SYN) Event {
		blocked = blocked || s == Data
		if blocked {
			return lost(s)
		}
		return good(n, s)
	}, Raw)
	if got := judge(events, Raw, 3); got != Blocked {
		t.Errorf("blocked: got %v: %v", got, events)
	}
	seen[Blocked], seen[Unclear] = true, true
	for _, v := range Verdicts() {
		if !seen[v] {
			t.Errorf("nothing leads to verdict %v", v)
		}
	}
}

// Whichever one or two packets are lost, the verdict stays the same: only a path
// that loses much more may leave it unclear.
func TestSingleLoss(t *testing.T) {
	for name, w := range worlds {
		wrong := 0
		for i := range 30 {
			for j := range i + 1 {
				events := play(t, func(n int, s SYN) Event {
					if n == i || n == j {
						return Event{Sent: s, Data: w.world(n, s).Data, Used: w.world(n, s).Used}
					}
					return w.world(n, s)
				}, Raw)
				got := judge(events, Raw, 3)
				if got == w.want {
					continue
				}
				// Where one of two servers is without Fast Open, or with
				// another key, too few of them may have been met.
				if got == Unclear && i != j || w.want == KeysDiffer && got == Varies {
					continue
				}
				if wrong++; wrong == 1 {
					t.Errorf("%s: without SYNs %d and %d: got %v, want %v: %v", name, i, j, got, w.want, events)
				}
			}
		}
	}
}

// On a path that loses packets at random, a wrong verdict is rare, and a
// verdict that warns of harm where there is none rarer.
func TestRandomLoss(t *testing.T) {
	const rounds = 400
	for _, loss := range []float64{0.01, 0.05, 0.1, 0.2} {
		for name, w := range worlds {
			wrong, alarms := 0, 0
			var example string
			for seed := range uint64(rounds) {
				rng := rand.New(rand.NewPCG(seed, 1))
				events := play(t, func(n int, s SYN) Event {
					e := w.world(n, s)
					if rng.Float64() < loss {
						return Event{Sent: s, Data: e.Data, Used: e.Used}
					}
					return e
				}, Raw)
				got := judge(events, Raw, 3)
				if got == w.want || got == Unclear {
					continue
				}
				wrong++
				if got.Harmful() && !w.want.Harmful() {
					alarms++
				}
				example = fmt.Sprintf("seed %d: %v: %v", seed, got, events)
			}
			// Three SYNs of a kind are lost in a row, and none of the plain ones.
			chance := int(rounds * loss * loss * loss)
			if wrong > 2+int(rounds*loss*0.2) || alarms > 2+chance {
				t.Errorf("%s, loss %v: %d of %d verdicts are wrong, %d raise a false alarm; %s", name, loss, wrong, rounds, alarms, example)
			}
		}
	}
}

// A cookie that the kernel had kept, and the server does not know any more, is
// no sign of a fleet.
func TestStaleCookie(t *testing.T) {
	first := true
	events := play(t, func(n int, s SYN) Event {
		if s == Request {
			s = Data // the kernel has a cookie
		}
		e := good(n, s)
		e.Used = "B"
		if s == Data && first {
			first = false
			e.Used, e.Acked, e.Granted = "A", 0, "B"
		}
		return e
	}, Kernel)
	if got := judge(events, Kernel, 3); got != Works {
		t.Errorf("got %v: %v", got, events)
	}
}

// Every verdict is explained, in words that fit into a sentence, and its name
// can be read back.
func TestSentences(t *testing.T) {
	for _, v := range Verdicts() {
		for _, mode := range []Mode{Raw, Kernel} {
			r := Report{Target: netip.MustParseAddrPort("192.0.2.1:443"), Mode: mode, Verdict: v, Sent: 6, Accepted: 3, Refused: 3, Cookies: 2}
			s := r.Summary()
			if !strings.HasSuffix(s, ".") || strings.Contains(s, "%!") || strings.Contains(strings.TrimSuffix(s, "."), ". ") {
				t.Errorf("%v: %q is not one sentence", v, s)
			}
			if (r.Advice() == "") != (v == Works) || strings.Contains(r.Advice(), "%!") {
				t.Errorf("%v: advice %q", v, r.Advice())
			}
			var back struct {
				Verdict Verdict
				Mode    Mode
				Address string
			}
			b, err := json.Marshal(r)
			if err == nil {
				err = json.Unmarshal(b, &back)
			}
			if err != nil || back.Verdict != v || back.Mode != mode || back.Address != "192.0.2.1:443" {
				t.Errorf("%v: %s read back is %v, %v", v, b, back, err)
			}
		}
	}
	if err := new(Verdict).UnmarshalText([]byte("nonsense")); err == nil {
		t.Error("nonsense is a verdict")
	}
}

// One round trip is all that Fast Open can save. Where the first bytes say
// something else, they are not taken for it.
func TestSaved(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		rtt, plain, fast time.Duration
		saved            float64
		measured         bool
	}{
		{100 * ms, 201 * ms, 100 * ms, 1.01, true},
		{100 * ms, 200 * ms, 140 * ms, 0.6, true},
		{ms / 50, ms, ms / 2, 1, false},         // on loopback: 25 round trips
		{ms / 50, ms / 2, ms, 1, false},         // and the other way
		{10 * ms, 500 * ms, 300 * ms, 1, false}, // a server that takes its time
		{10 * ms, 0, 0, 1, false},               // one that says nothing
		{10 * ms, 20 * ms, 0, 1, false},         // or only sometimes
	} {
		r := newReport(netip.MustParseAddrPort("192.0.2.1:443"), Kernel, time.Time{}, time.Second, []Event{
			{At: 2 * ms, Sent: Plain, Answer: SYNACK, After: c.rtt, Awaited: true, FirstByte: c.plain},
			{At: ms, Sent: Request, Answer: SYNACK, After: c.rtt, Granted: "A", cookieLen: 8},
			{At: 3 * ms, Sent: Data, Data: 5, Used: "A", Answer: SYNACK, After: c.rtt, Acked: 5, Awaited: true, FirstByte: c.fast},
		}, 3)
		if math.Abs(r.Saved-c.saved) > 1e-9 || r.Measured != c.measured {
			t.Errorf("%v, %v instead of %v: got %v, measured %v: want %v, %v", c.rtt, c.fast, c.plain, r.Saved, r.Measured, c.saved, c.measured)
		}
		if s := r.Summary(); strings.Contains(s, "round trips") != c.measured {
			t.Errorf("%v, %v instead of %v: %s", c.rtt, c.fast, c.plain, s)
		}
	}
}

// A cookie that the kernel had before is not said to be granted: most often it
// is of another port of the address, and Fast Open is off on this one.
func TestHeldCookie(t *testing.T) {
	refused := Event{Sent: Data, Data: 5, Used: "A", Answer: SYNACK, After: 10 * time.Millisecond}
	plain := Event{Sent: Plain, Answer: SYNACK, After: 10 * time.Millisecond}
	request := Event{Sent: Request, Answer: SYNACK, After: 10 * time.Millisecond, Granted: "A", cookieLen: 8}
	for _, c := range []struct {
		events []Event
		held   bool
	}{
		{[]Event{plain, refused, plain, refused, refused}, true},
		{[]Event{plain, request, plain, refused, refused}, false},
	} {
		r := newReport(netip.MustParseAddrPort("192.0.2.1:80"), Kernel, time.Time{}, time.Second, c.events, 3)
		if r.Verdict != CookieRefused {
			t.Errorf("%v: want %v", r, CookieRefused)
		}
		if s := r.String(); strings.Contains(s, "the server grants a cookie") == c.held || strings.Contains(s, "Fast Open is off on this port") != c.held {
			t.Errorf("the cookie is an old one, %v: %s", c.held, s)
		}
	}
}

// SYNs that are sent side by side are told of in the order in which they went.
func TestEventsInOrder(t *testing.T) {
	r := newReport(netip.MustParseAddrPort("192.0.2.1:443"), Kernel, time.Time{}, time.Second, []Event{
		{At: 2, Sent: Plain, Answer: SYNACK}, {At: 1, Sent: Request, Answer: SYNACK}, {At: 3, Sent: Plain, Answer: SYNACK},
	}, 3)
	for i, want := range []SYN{Request, Plain, Plain} {
		if e := r.Events[i]; e.Sent != want || e.At != time.Duration(i+1) {
			t.Errorf("event %d: %v at %v, want %v", i, e.Sent, e.At, want)
		}
	}
}

// JSON shows what happened, and no cookie.
func TestJSON(t *testing.T) {
	r := newReport(netip.MustParseAddrPort("[2001:db8::1]:443"), Raw, time.Unix(1e9, 0).UTC(), time.Second, []Event{
		{At: time.Millisecond, Port: 4000, Sent: Plain, Answer: SYNACK, After: 10 * time.Millisecond, Awaited: true, FirstByte: 20 * time.Millisecond},
		{At: time.Millisecond, Port: 4001, Sent: Request, Answer: SYNACK, After: 10 * time.Millisecond, Granted: "A", cookieLen: 8},
		{At: 2 * time.Millisecond, Port: 4002, Sent: Data, Data: 5, Used: "A", Answer: SYNACK, After: 10 * time.Millisecond, Acked: 5, Awaited: true, FirstByte: 10 * time.Millisecond},
		{At: 3 * time.Millisecond, Port: 4003, Sent: Data, Data: 5, Used: "A"},
	}, 3)
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"address":"[2001:db8::1]:443","verdict":"works","summary":"` +
		`Fast Open works: data in the SYN was accepted on 1 of 2 connections, which saves 1.00 round trips (10.0 ms to the server's first byte instead of 20.0 ms) each.` +
		`","advice":"","mode":"raw","began":"2001-09-09T01:46:40Z","took_ms":1000,"rtt_ms":10,` +
		`"data":{"sent":2,"accepted":1,"refused":0,"reset":0,"lost":1},"cookies":1,"cookie_bytes":8,"renewed":false,"withdrawn":false,"cut":false,` +
		`"plain_first_byte_ms":20,"fast_first_byte_ms":10,"saved_round_trips":1,"saved_measured":true,"events":[` +
		`{"at_ms":1,"sent":"plain","answer":"syn-ack","port":4000,"after_ms":10,"awaited":true,"first_byte_ms":20},` +
		`{"at_ms":1,"sent":"request","answer":"syn-ack","port":4001,"after_ms":10,"granted":"A"},` +
		`{"at_ms":2,"sent":"data","answer":"syn-ack","port":4002,"data":5,"used":"A","after_ms":10,"acked":5,"awaited":true,"first_byte_ms":10},` +
		`{"at_ms":3,"sent":"data","answer":"nothing","port":4003,"data":5,"used":"A"}]}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
