package tfo

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// epoch is where the virtual clock of these tests begins.
var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func pathTo(remote string) Path {
	return Path{Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddrPort(remote)}
}

// Requirements CLI-1 and CLI-3.
//
// "The client MUST cache cookies from servers for later Fast Open connections."
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3
func TestCacheLearns(t *testing.T) {
	var c Cache
	p := pathTo("198.51.100.7:443")
	want := func(why string, p Path, want Entry) {
		t.Helper()
		if got := c.Lookup(epoch, p); got != want {
			t.Errorf("%s: got %+v want %+v", why, got, want)
		}
	}
	first := Option{Experimental, cookie(t, "0102030405060708")}
	second := Option{Standard, cookie(t, "a1a2a3a4")}

	want("at first", p, Entry{})
	c.Learn(epoch, p, Lesson{})
	if c.Len() != 0 {
		t.Errorf("remembers that it learnt nothing")
	}
	c.Learn(epoch, p, Lesson{MSS: 1460})
	want("MSS only", p, Entry{MSS: 1460})
	c.Learn(epoch, p, Lesson{Cookie: first, RTT: 30 * time.Millisecond})
	want("cookie in its form, and RTT", p, Entry{Cookie: first, MSS: 1460, RTT: 30 * time.Millisecond})
	c.Learn(epoch, p, Lesson{Cookie: Option{Form: Experimental}})
	want("an option without cookie", p, Entry{Cookie: first, MSS: 1460, RTT: 30 * time.Millisecond})
	c.Learn(epoch, p, Lesson{Cookie: second, MSS: 1400, RTT: 20 * time.Millisecond})
	known := Entry{Cookie: second, MSS: 1400, RTT: 20 * time.Millisecond}
	want("the last cookie", p, known)

	other := p
	other.Remote = netip.MustParseAddrPort("198.51.100.7:8443")
	want("another port", other, known)
	other = p
	other.Remote = netip.MustParseAddrPort("[::ffff:198.51.100.7]:443")
	other.Local = netip.MustParseAddr("::ffff:192.0.2.1")
	want("the same addresses written as IPv6", other, known)
	other = p
	other.Remote = netip.MustParseAddrPort("198.51.100.8:443")
	want("another server", other, Entry{})
	other = p
	other.Local = netip.MustParseAddr("192.0.2.2")
	want("another address of the client", other, Entry{})
	other.Local = netip.Addr{}
	want("no address of the client", other, Entry{})
	other = p
	other.Partition = "other"
	want("another partition", other, Entry{})
	if c.Len() != 1 {
		t.Errorf("remembers %d destinations", c.Len())
	}
	zoned := Path{Remote: netip.MustParseAddrPort("[fe80::1%eth0]:443")}
	c.Learn(epoch, zoned, Lesson{MSS: 1440})
	zoned.Remote = netip.MustParseAddrPort("[fe80::1%eth1]:443")
	want("the same link-local address on another link", zoned, Entry{})
}

func TestCacheCountsRequests(t *testing.T) {
	var c Cache
	p := pathTo("198.51.100.7:443")
	for i := range 3 {
		if n := c.Lookup(epoch, p).Requests; n != i {
			t.Errorf("%d requests, not %d", n, i)
		}
		c.Requested(epoch, p)
	}
	c.Learn(epoch, p, Lesson{MSS: 1460})
	if e := c.Lookup(epoch, p); e.Requests != 3 || e.MSS != 1460 {
		t.Errorf("%+v", e)
	}
	c.Learn(epoch, p, Lesson{Cookie: Option{Standard, cookie(t, "01020304")}})
	if e := c.Lookup(epoch, p); e.Requests != 0 || e.MSS != 1460 || e.Cookie.IsRequest() {
		t.Errorf("%+v", e)
	}
}

// Requirement SEC-9: cookies age, and nothing else does.
func TestCacheMaxAge(t *testing.T) {
	o := Option{Standard, cookie(t, "0102030405060708")}
	p := pathTo("198.51.100.7:443")
	for _, v := range []struct {
		maxAge, age time.Duration
		kept        bool
	}{
		{0, 0, true},
		{0, time.Hour - 1, true},
		{0, time.Hour, false},
		{time.Minute, time.Minute - 1, true},
		{time.Minute, time.Minute, false},
		{-1, 100 * 365 * 24 * time.Hour, true},
		{0, -time.Minute, true}, // a clock that went back
	} {
		c := Cache{MaxAge: v.maxAge}
		c.Learn(epoch, p, Lesson{Cookie: o, MSS: 1460, RTT: time.Millisecond})
		want := Entry{Cookie: o, MSS: 1460, RTT: time.Millisecond}
		if !v.kept {
			want.Cookie = Option{}
		}
		if got := c.Lookup(epoch.Add(v.age), p); got != want {
			t.Errorf("MaxAge %v, after %v: %+v", v.maxAge, v.age, got)
		}
		if !v.kept { // and does not come back
			if got := c.Lookup(epoch, p); got != want {
				t.Errorf("MaxAge %v, after %v: back again: %+v", v.maxAge, v.age, got)
			}
		}
	}
	// The age counts from when the server last handed the cookie out.
	var c Cache
	c.Learn(epoch, p, Lesson{Cookie: o})
	c.Learn(epoch.Add(50*time.Minute), p, Lesson{Cookie: o})
	if c.Lookup(epoch.Add(100*time.Minute), p).Cookie != o {
		t.Error("the age counts from when the cookie was first handed out")
	}
}

// Requirement CLI-11: after one failure of these causes, or two of those, a
// pause of 15 minutes, then of twice as long each, up to 24 hours.
//
// "For any negative responses, the client SHOULD disable Fast Open on the
// specific path [...] at least temporarily."
// https://www.rfc-editor.org/rfc/rfc7413#section-4.1.3.1
func TestCacheBackOff(t *testing.T) {
	const m, h = time.Minute, time.Hour
	pauses := []time.Duration{15 * m, 30 * m, h, 2 * h, 4 * h, 8 * h, 16 * h, 24 * h, 24 * h, 24 * h}
	for why := NoCause; why <= Overload+1; why++ {
		var c Cache
		p, now := pathTo("198.51.100.7:443"), epoch
		fail := func() Avoid {
			c.Failed(now, p, why)
			return c.Lookup(now, p).Avoid
		}
		times := 0
		switch why {
		case Lost, Reset, Unreachable, BlackHole, Overtaken:
		case Unacknowledged, Partial:
			times++
			if got, want := fail(), (Avoid{Cause: why, Since: now, Times: 1}); got != want || got.Active(now) {
				t.Errorf("%v once: %+v want %+v", why, got, want)
			}
			now = now.Add(time.Second)
		default:
			for range 5 {
				if got := fail(); got != (Avoid{}) {
					t.Errorf("%v, which says nothing about the path: %+v", why, got)
				}
			}
			if c.Len() != 0 {
				t.Errorf("%v: remembered", why)
			}
			continue
		}
		for i, pause := range pauses {
			times++
			want := Avoid{Cause: why, Since: now, Until: now.Add(pause), Times: times}
			if got := fail(); got != want {
				t.Fatalf("%v, pause %d: %+v want %+v", why, i, got, want)
			}
			for _, v := range []struct {
				after  time.Duration
				active bool
			}{{0, true}, {pause - 1, true}, {pause, false}, {pause + h, false}} {
				a := c.Lookup(now.Add(v.after), p).Avoid
				if a.Active(now.Add(v.after)) != v.active {
					t.Errorf("%v, pause %d, after %v: active %t", why, i, v.after, !v.active)
				}
				if a != want {
					t.Errorf("%v, pause %d, after %v: %+v want %+v", why, i, v.after, a, want)
				}
			}
			now = now.Add(pause)
		}
		c.Succeeded(now, p)
		if got := c.Lookup(now, p).Avoid; got != (Avoid{}) || c.Len() != 0 {
			t.Errorf("%v: after a success %+v", why, got)
		}
		// And it begins at the beginning.
		if times = 1; why == Unacknowledged || why == Partial {
			times++
			fail()
		}
		if got, want := fail(), (Avoid{Cause: why, Since: now, Until: now.Add(15 * m), Times: times}); got != want {
			t.Errorf("%v, after a success: %+v want %+v", why, got, want)
		}
	}
}

// A failure of one kind counts for the other.
func TestCacheBackOffMixed(t *testing.T) {
	const m = time.Minute
	type step struct {
		after time.Duration // since the step before
		why   Cause         // NoCause stands for a success
		pause time.Duration // that is on after it, 0 for none
		times int
	}
	for name, steps := range map[string][]step{
		"two in a row":                       {{0, Unacknowledged, 0, 1}, {m, Partial, 15 * m, 2}},
		"two with a success between":         {{0, Unacknowledged, 0, 1}, {m, NoCause, 0, 0}, {m, Unacknowledged, 0, 1}},
		"two at the same time":               {{0, Unacknowledged, 0, 1}, {0, Unacknowledged, 15 * m, 2}},
		"a mild one, then a hard one":        {{0, Unacknowledged, 0, 1}, {m, Lost, 15 * m, 2}},
		"a hard one, then on probation":      {{0, Lost, 15 * m, 1}, {15 * m, Unacknowledged, 30 * m, 2}, {30 * m, Partial, 60 * m, 3}},
		"in a pause nothing counts":          {{0, Lost, 15 * m, 1}, {m, Lost, 14 * m, 1}, {m, Reset, 13 * m, 1}, {m, Unacknowledged, 12 * m, 1}},
		"a success in a pause ends it":       {{0, Lost, 15 * m, 1}, {m, NoCause, 0, 0}, {m, Lost, 15 * m, 1}},
		"long after the pause":               {{0, Lost, 15 * m, 1}, {1000 * m, Lost, 30 * m, 2}},
		"two, with causes that do not count": {{0, Partial, 0, 1}, {m, Refused, 0, 1}, {m, NotGranted, 0, 1}, {m, Partial, 15 * m, 2}},
	} {
		var c Cache
		p, now := pathTo("198.51.100.7:443"), epoch
		for i, s := range steps {
			now = now.Add(s.after)
			if s.why == NoCause {
				c.Succeeded(now, p)
			} else {
				c.Failed(now, p, s.why)
			}
			a := c.Lookup(now, p).Avoid
			if a.Active(now) != (s.pause > 0) || a.Active(now) && a.Until.Sub(now) != s.pause || a.Times != s.times {
				t.Errorf("%s, step %d: %+v, %v to go", name, i, a, a.Until.Sub(now))
			}
		}
	}
}

// Connections opened together find out together that the server has changed its
// keys. That is one event: the next connection has the new cookie.
func TestCacheCountsABurstOnce(t *testing.T) {
	const rtt = 100 * time.Millisecond
	for _, v := range []struct {
		apart  time.Duration
		paused bool
	}{{0, false}, {time.Millisecond, false}, {rtt/2 - 1, false}, {rtt / 2, true}, {rtt, true}, {time.Hour, true}} {
		var c Cache
		p := pathTo("198.51.100.7:443")
		c.Learn(epoch, p, Lesson{RTT: rtt})
		c.Failed(epoch, p, Unacknowledged)
		now := epoch.Add(v.apart)
		c.Failed(now, p, Unacknowledged)
		if got := c.Lookup(now, p).Avoid.Active(now); got != v.paused {
			t.Errorf("%v apart: paused %t", v.apart, got)
		}
		// A SYN that was lost is worth a pause at any time.
		c.Failed(now, p, Lost)
		if !c.Lookup(now, p).Avoid.Active(now) {
			t.Errorf("%v apart, then a lost SYN: not paused", v.apart)
		}
	}
}

// Failures belong to partition, both addresses and the port; the cookie outlives
// them.
func TestCacheFailuresByPath(t *testing.T) {
	var c Cache
	p := pathTo("198.51.100.7:443")
	o := Option{Standard, cookie(t, "0102030405060708")}
	c.Learn(epoch, p, Lesson{Cookie: o})
	c.Failed(epoch, p, Lost)
	if e := c.Lookup(epoch, p); e.Cookie != o || !e.Avoid.Active(epoch) {
		t.Errorf("%+v", e)
	}
	for why, change := range map[string]func(*Path){
		"port":      func(p *Path) { p.Remote = netip.MustParseAddrPort("198.51.100.7:8443") },
		"server":    func(p *Path) { p.Remote = netip.MustParseAddrPort("198.51.100.8:443") },
		"client":    func(p *Path) { p.Local = netip.MustParseAddr("192.0.2.2") },
		"partition": func(p *Path) { p.Partition = "other" },
	} {
		q := p
		change(&q)
		if a := c.Lookup(epoch, q).Avoid; a != (Avoid{}) {
			t.Errorf("another %s: %+v", why, a)
		}
		c.Succeeded(epoch, q)
	}
	if !c.Lookup(epoch, p).Avoid.Active(epoch) {
		t.Error("successes elsewhere ended the pause")
	}
}

// Requirement CLI-19.
func TestCacheForgets(t *testing.T) {
	var c Cache
	fill := func() {
		for _, partition := range []string{"", "home", "office"} {
			for i := range 10 {
				p := pathTo(fmt.Sprintf("198.51.100.%d:443", i))
				p.Partition = partition
				c.Learn(epoch, p, Lesson{MSS: 1460})
				c.Failed(epoch, p, Lost)
			}
		}
	}
	fill()
	if c.Len() != 60 {
		t.Fatalf("remembers %d", c.Len())
	}
	c.ForgetPartition("home")
	c.ForgetPartition("nowhere")
	if c.Len() != 40 {
		t.Errorf("remembers %d", c.Len())
	}
	p := pathTo("198.51.100.3:443")
	for partition, want := range map[string]bool{"": true, "home": false, "office": true} {
		p.Partition = partition
		if e := c.Lookup(epoch, p); (e != Entry{}) != want || e.Avoid.Active(epoch) != want {
			t.Errorf("%q: %+v", partition, e)
		}
	}
	c.ForgetPartition("")
	if c.Len() != 20 {
		t.Errorf("remembers %d", c.Len())
	}
	c.Forget()
	if c.Len() != 0 || c.Lookup(epoch, p) != (Entry{}) {
		t.Errorf("remembers %d", c.Len())
	}
	fill()
	if c.Len() != 60 {
		t.Errorf("remembers %d", c.Len())
	}
}

func TestCacheIsBounded(t *testing.T) {
	number := func(i int) Path {
		return Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 443)}
	}
	for _, v := range []struct{ capacity, want int }{{3, 3}, {1, 1}, {0, DefaultCapacity}, {-1, DefaultCapacity}} {
		c := NewCache(v.capacity)
		for i := range 2 * v.want {
			c.Learn(epoch, number(i), Lesson{MSS: 1460})
		}
		if c.Len() != v.want {
			t.Errorf("capacity %d: %d destinations", v.capacity, c.Len())
		}
		for i := range 2 * v.want {
			c.Failed(epoch, number(i), Lost)
		}
		if c.Len() != 2*v.want {
			t.Errorf("capacity %d: %d destinations and failures", v.capacity, c.Len())
		}
	}

	// What is asked for stays; what is not goes, oldest first.
	c := NewCache(3)
	for i := range 3 {
		c.Learn(epoch, number(i), Lesson{MSS: 1460})
		c.Failed(epoch, number(i), Lost)
	}
	c.Lookup(epoch, number(0))
	c.Requested(epoch, number(3))     // drives out 1
	c.Failed(epoch, number(3), Reset) // drives out 1
	for i, known := range []bool{true, false, true, true} {
		e := c.Lookup(epoch, number(i))
		if (e.MSS != 0 || e.Requests != 0) != known || e.Avoid.Active(epoch) != known {
			t.Errorf("destination %d: %+v", i, e)
		}
	}

	// A flood of new destinations leaves the memory of failures alone.
	c = NewCache(3)
	c.Failed(epoch, number(0), Lost)
	for i := range 100 {
		c.Learn(epoch, number(i+1), Lesson{MSS: 1460})
	}
	if !c.Lookup(epoch, number(0)).Avoid.Active(epoch) {
		t.Error("the failure was driven out")
	}

	// A failure whose pause is over gives way before one whose pause is on.
	c = NewCache(3)
	c.Failed(epoch, number(0), Lost)
	later := epoch.Add(time.Hour) // the pause of 0 is over
	c.Failed(later, number(1), Lost)
	c.Failed(later, number(2), Lost)
	c.Lookup(later, number(0)) // and 0 was used last
	c.Failed(later, number(3), Lost)
	for i, on := range []bool{false, true, true, true} {
		if a := c.Lookup(later, number(i)).Avoid; a.Active(later) != on || on != (a.Times > 0) {
			t.Errorf("path %d: %+v", i, a)
		}
	}
}

// The cache, whatever is done to it, is what a plain list would be.
func TestLRU(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var l lru[int, int]
	var model [][2]int // key and value, newest first
	find := func(k int) int {
		for i := range model {
			if model[i][0] == k {
				return i
			}
		}
		return -1
	}
	for step := range 20_000 {
		k := r.IntN(12)
		i := find(k)
		switch op := r.IntN(10); {
		case op < 5:
			n := l.get(k)
			if (n == nil) != (i < 0) || n != nil && n.value != model[i][1] {
				t.Fatalf("seed %d, step %d: get %d gives %v; the model has %v", seed, step, k, n, model)
			}
			if i >= 0 {
				model = append([][2]int{model[i]}, append(append([][2]int(nil), model[:i]...), model[i+1:]...)...)
			}
		case op < 8:
			if i < 0 {
				l.add(k).value = step
				model = append([][2]int{{k, step}}, model...)
			}
		case op < 9:
			if len(model) > 0 {
				if n, last := l.oldest(), model[len(model)-1]; n.key != last[0] || n.value != last[1] {
					t.Fatalf("seed %d, step %d: oldest is %d; the model has %v", seed, step, n.key, model)
				}
				l.remove(l.oldest())
				model = model[:len(model)-1]
			}
		default:
			odd := func(k int) bool { return k%4 == 1 }
			l.removeIf(odd)
			kept := model[:0]
			for _, e := range model {
				if !odd(e[0]) {
					kept = append(kept, e)
				}
			}
			model = kept
		}
		if len(l.m) != len(model) {
			t.Fatalf("seed %d, step %d: %d entries; the model has %v", seed, step, len(l.m), model)
		}
		if len(model) > 0 {
			i := len(model)
			for n := l.oldest(); n != nil; n = l.newer(n) {
				i--
				if i < 0 || n.key != model[i][0] {
					t.Fatalf("seed %d, step %d: entry %d from the newest is %d; the model has %v", seed, step, i, n.key, model)
				}
			}
			if i != 0 {
				t.Fatalf("seed %d, step %d: the ring ends %d early; the model has %v", seed, step, i, model)
			}
		}
	}
}

func TestCacheConcurrently(t *testing.T) {
	c := NewCache(8)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 2000 {
				p := Path{
					Partition: string(rune('a' + i%2)),
					Remote:    netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i * (g + 1) % 16)}), uint16(i%3)),
				}
				now := epoch.Add(time.Duration(i) * time.Second)
				switch (i + g) % 6 {
				case 0:
					c.Learn(now, p, Lesson{MSS: 1460, RTT: time.Millisecond})
				case 1:
					c.Failed(now, p, Unacknowledged)
				case 2:
					c.Succeeded(now, p)
				case 3:
					c.Requested(now, p)
				case 4:
					c.Lookup(now, p)
				case 5:
					if i%100 == 5 {
						c.ForgetPartition("a")
					}
				}
				if n := c.Len(); n > 16 {
					t.Errorf("%d entries", n)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestCacheLookupDoesNotAllocate(t *testing.T) {
	var c Cache
	p := pathTo("198.51.100.7:443")
	c.Learn(epoch, p, Lesson{MSS: 1460})
	if n := testing.AllocsPerRun(100, func() {
		c.Lookup(epoch, p)
		c.Learn(epoch, p, Lesson{RTT: time.Millisecond})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCacheLookup(b *testing.B) {
	var c Cache
	for i := range 1000 {
		p := Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 443)}
		c.Learn(epoch, p, Lesson{MSS: 1460})
	}
	p := Path{Remote: netip.MustParseAddrPort("10.0.1.2:443")}
	b.ReportAllocs()
	for b.Loop() {
		c.Lookup(epoch, p)
	}
}

// BenchmarkCacheLearnNew is a scan: every destination is new and drives out
// another.
func BenchmarkCacheLearnNew(b *testing.B) {
	c := NewCache(1000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		p := Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 443)}
		c.Learn(epoch, p, Lesson{MSS: 1460})
	}
}

// A server that accepts data has granted a cookie, whoever keeps it.
func TestSucceededEndsRequests(t *testing.T) {
	var c Cache
	p := Path{Remote: netip.MustParseAddrPort("192.0.2.1:443")}
	c.Requested(epoch, p)
	if got := c.Lookup(epoch, p).Requests; got != 1 {
		t.Fatalf("after a request: %d requests, want 1", got)
	}
	c.Succeeded(epoch, p)
	if got := c.Lookup(epoch, p).Requests; got != 0 {
		t.Errorf("after success: %d requests, want 0", got)
	}
}
