package tcp

import (
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// RFC 6298 section 2.
func TestRFC6298_2_Estimate(t *testing.T) {
	var r rtt
	cfg := &Config{MinRTO: time.Millisecond}
	if d := r.timeout(cfg); d != time.Second {
		t.Errorf("(2.1) before anything was measured: %v", d)
	}
	r.sample(1, 100*time.Millisecond)
	if r.srtt != 100*time.Millisecond || r.rttvar != 50*time.Millisecond || r.timeout(cfg) != 300*time.Millisecond {
		t.Errorf("(2.2) %+v", r)
	}
	r.sample(2, 180*time.Millisecond)
	if r.rttvar != 57500*time.Microsecond || r.srtt != 110*time.Millisecond {
		t.Errorf("(2.3) %+v", r)
	}
	r.backoff = 40
	if d := r.timeout(cfg); d != 120*time.Second {
		t.Errorf("(2.5) the upper bound: %v", d)
	}
}

// RFC 6937: in recovery, what is sent is in proportion to what is delivered.
func TestRFC6937_3_Proportional(t *testing.T) {
	var c congestion
	c.start(NewReno, 1000, 10)
	c.cwnd = 20_000
	var r recovery
	r.enter(recovering, 1, 20_000, c.save())
	c.loss(20_000)
	if c.ssthresh != 10_000 {
		t.Fatalf("ssthresh %d", c.ssthresh)
	}
	r.force = false
	flight, out := uint32(19_000), uint32(0)
	for flight > c.ssthresh {
		flight -= 1000
		r.prr(&c, 1000, flight, true)
		for flight+1000 <= c.cwnd {
			flight += 1000
			out += 1000
			r.sent(1000)
		}
		if flight <= 10_000 {
			break
		}
	}
	// Half of what is delivered goes out, until the flight is down to ssthresh.
	if out < 7_000 || out > 10_000 {
		t.Errorf("sent %d while the flight fell from 19000 to %d", out, flight)
	}
}

// RFC 2018 section 8: SACKed data that a timeout finds at the head was thrown
// away by the receiver, and goes out again.
func TestRFC2018_8_Reneging(t *testing.T) {
	var b scoreboard
	b.add(1, 0, 1000)
	b.add(2, 1000, 2000)
	var d delivered
	b.sack(wire.Range{Start: 0, End: 2000}, &d, func(*sent) {})
	if b.sackedBytes != 2000 || d.bytes != 2000 || len(b.q) != 1 {
		t.Fatalf("%+v", b)
	}
	b.loseAll(false)
	if b.lostBytes != 0 {
		t.Error("without reneging what was sacked is not lost")
	}
	b.loseAll(true)
	if b.sackedBytes != 0 || b.lostBytes != 2000 {
		t.Errorf("%+v", b)
	}
}

// RFC 9438: after a loss the window grows back along the cubic: concave up to
// where it was, and convex beyond.
func TestRFC9438_4_Cubic(t *testing.T) {
	const mss = 1000
	var c congestion
	c.start(Cubic, mss, 10)
	c.cwnd = 1000 * mss
	c.loss(1000 * mss)
	if c.ssthresh != 700*mss {
		t.Errorf("section 4.6: ssthresh is %d segments", c.ssthresh/mss)
	}
	c.cwnd = c.ssthresh
	r := rtt{srtt: 100 * time.Millisecond}
	// K = cbrt(W_max * (1 - beta) / C) = cbrt(1000*0.3/0.4) = 9.09 s
	at := func(d time.Duration) uint32 {
		d0 := congestion(c)
		now := instant(1)
		for now.sub(1) < d {
			n := d0.cwnd
			for acked := uint32(0); acked < n; acked += 2 * mss {
				d0.ack(now, 2*mss, d0.cwnd, &r, 0, 1)
				now += instant(100*time.Millisecond) * 2 * mss / instant(n)
			}
		}
		return d0.cwnd / mss
	}
	for _, x := range []struct {
		s        time.Duration
		from, to uint32
	}{{1, 770, 800}, {5, 970, 985}, {9, 995, 1002}, {13, 1010, 1040}} {
		if w := at(x.s * time.Second); w < x.from || w > x.to {
			t.Errorf("after %d s the window is %d segments, want %d to %d", x.s, w, x.from, x.to)
		}
	}
	// Section 4.7: fast convergence.
	c.cwnd = 900 * mss
	c.loss(900 * mss)
	if w := c.cubic.wMax; w < 764 || w > 766 {
		t.Errorf("W_max is %v, want 765", w)
	}
}

// RFC 5681 section 3.1: slow start by bytes, then a segment a round trip.
func TestRFC5681_3_1_NewReno(t *testing.T) {
	var c congestion
	c.start(NewReno, 1000, 10)
	r := rtt{srtt: 10 * time.Millisecond}
	for range 10 {
		c.ack(1, 1000, c.cwnd, &r, 0, 1)
	}
	if c.cwnd != 20_000 {
		t.Errorf("slow start: %d", c.cwnd)
	}
	c.ssthresh = c.cwnd
	for range 20 {
		c.ack(1, 1000, c.cwnd, &r, 0, 1)
	}
	if c.cwnd != 21_000 {
		t.Errorf("congestion avoidance: %d", c.cwnd)
	}
	c.loss(20_000)
	c.timeout(20_000, false)
	if c.ssthresh != 10_000 || c.cwnd != 1000 {
		t.Errorf("timeout: ssthresh %d, window %d", c.ssthresh, c.cwnd)
	}
}

// RFC 6928 section 2: the initial window.
func TestRFC6928_2_InitialWindow(t *testing.T) {
	for mss, want := range map[uint32]uint32{536: 5360, 1460: 14600, 4000: 14600, 9000: 18000} {
		var c congestion
		c.start(Cubic, mss, 10)
		if c.cwnd != want {
			t.Errorf("MSS %d: %d, want %d", mss, c.cwnd, want)
		}
	}
}

// RFC 9406: slow start becomes cautious when round trips grow, ends after five
// rounds, and goes on if that was an accident.
func TestRFC9406_4_HyStart(t *testing.T) {
	round := func(h *hystart, n uint32, m time.Duration) {
		for range 10 {
			h.sample(1, m, n*1000, (n+1)*1000)
		}
	}
	var h hystart
	round(&h, 0, 50*time.Millisecond)
	round(&h, 1, 52*time.Millisecond)
	if h.css {
		t.Error("two milliseconds are within the threshold")
	}
	round(&h, 2, 60*time.Millisecond)
	if !h.css {
		t.Fatal("eight milliseconds are not")
	}
	if n, done := h.grow(8000); n != 2000 || done {
		t.Errorf("grows by %d of 8000, done %v", n, done)
	}
	again := h
	round(&again, 3, 51*time.Millisecond)
	if again.css {
		t.Error("shorter again: slow start resumes")
	}
	for i := range uint32(6) {
		round(&h, 3+i, 61*time.Millisecond)
	}
	if _, done := h.grow(1000); !done {
		t.Error("five rounds later it must be over")
	}
}

// HyStart's other sign: ACKs that keep coming for half a round trip say that the
// path is half full, so the doubling ends; and a queue that grows after that ends
// slow start without five rounds more.
func TestHyStartTrains(t *testing.T) {
	const rtt = 64 * time.Millisecond
	var h hystart
	now := instant(1)
	// A round has n ACKs of one segment, 100 µs apart, in two bursts, and
	// brings the window to twice that.
	round := func(n uint32, at time.Duration) {
		start := now
		for i := range n {
			if now = now.add(100 * time.Microsecond); i == n/2 {
				now = now.add(10 * time.Millisecond)
			}
			h.sample(now, at, n+i, 2*n+2*i)
			h.busy(now, rtt)
		}
		now = start.add(rtt)
	}
	for n := uint32(10); n <= 170; n *= 2 {
		round(n, rtt)
	}
	if h.css {
		t.Fatal("16 ms of 64 are not half")
	}
	round(330, rtt)
	if _, done := h.grow(1000); !h.css || done {
		t.Fatalf("ACKs for 32 of 64 ms: %+v", h)
	}
	round(640, rtt)
	round(1280, rtt+5*time.Millisecond)
	if _, done := h.grow(1000); !h.css || done {
		t.Errorf("5 ms are no queue: %+v", h)
	}
	round(2560, rtt+9*time.Millisecond)
	if _, done := h.grow(1000); !done {
		t.Errorf("9 ms are a queue: %+v", h)
	}
}

// RFC 7661 section 4: a window that is not used does not grow, and is given up
// after five minutes.
func TestRFC7661_4_Validation(t *testing.T) {
	var c congestion
	c.start(NewReno, 1000, 10)
	c.cwnd, c.ssthresh = 100_000, 50_000
	r := rtt{srtt: 10 * time.Millisecond}
	now := instant(1)
	c.validation.sending(now, &c, 10_000)
	for range 2000 {
		now = now.add(10 * time.Millisecond)
		c.ack(now, 1000, 1000, &r, 0, 1)
	}
	if c.cwnd != 100_000 {
		t.Errorf("window went to %d for an application that uses 1000", c.cwnd)
	}
	now = now.add(6 * time.Minute)
	c.validation.sending(now, &c, 10_000)
	if c.cwnd != 50_000 || c.ssthresh != 75_000 {
		t.Errorf("after the period: window %d, ssthresh %d", c.cwnd, c.ssthresh)
	}
}
