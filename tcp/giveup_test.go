package tcp

import (
	"testing"
	"time"
)

// A connection that nobody owns any more does not wait for ever for a peer that keeps
// its window shut and answers every probe: such a peer costs a full send buffer each
// time. One that is owned does (RFC 9293 section 3.8.6.1, MUST-37).
func TestShutWindowOfOrphan(t *testing.T) {
	for _, orphan := range []bool{false, true} {
		h := newHarness(t).listen(0)
		h.establish("mss 1460")
		h.recv(20, ". 1:1(0) ack 1 win 0")
		h.write(100)
		h.idle("the window is shut")
		if orphan {
			h.c.Close(h.now)
		}
		const day = float64(24 * time.Hour / time.Millisecond)
		probes := 0
		for h.state() != Closed && h.deadline() < day {
			h.wake()
			if _, ok := h.send(); ok {
				probes++
				h.recv(h.deadline()-1, ". 1:1(0) ack 1 win 0")
			}
		}
		switch {
		case !orphan && (h.state() == Closed || probes < 24*60/2-10):
			t.Errorf("a connection with an owner is %v after %d probes: %v", h.state(), probes, h.c.Err())
		case orphan && (h.state() != Closed || h.c.Err() != ErrTimeout || probes < 8):
			t.Errorf("a connection without an owner is %v after %d probes: %v", h.state(), probes, h.c.Err())
		case orphan && h.now.Sub(h.start) > 15*time.Minute:
			t.Errorf("a connection without an owner has lasted %v", h.now.Sub(h.start))
		}
	}
}

// The window was shut for a while. That does not count as time in which data that is
// sent afterwards was not acknowledged: the user timeout begins with that.
//
// https://www.rfc-editor.org/rfc/rfc5482
func TestUserTimeoutAfterShutWindow(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.c.SetUserTimeout(10 * time.Second)
	h.recv(20, ". 1:1(0) ack 1 win 0")
	h.write(100)
	h.idle("the window is shut")
	for h.deadline() < 6000 {
		h.wake()
		h.want("probe", ". 0:0(0) ack 1")
		h.recv(float64(h.now.Sub(h.start))/1e6+10, ". 1:1(0) ack 1 win 0")
	}
	h.recv(9900, ". 1:1(0) ack 1 win 1000")
	h.want("the window is open", ". 1:101(100) ack 1")
	h.wake()
	h.want("sent again: it is out for less than a second", ". 1:101(100) ack 1")
	for h.state() == Established {
		h.wake()
		h.send()
	}
	if at := h.now.Sub(h.start); at < 19900*time.Millisecond || h.c.Err() != ErrTimeout {
		t.Errorf("given up after %v: %v", at, h.c.Err())
	}
}

// The user timeout says as well how long an idle peer may leave keepalive probes
// unanswered, in place of their number, as in Linux (tcp(7), TCP_USER_TIMEOUT).
func TestUserTimeoutOfKeepalive(t *testing.T) {
	for _, x := range []struct {
		limit time.Duration
		count int
		ends  float64 // seconds
	}{
		{0, 3, 13},                // 10 s idle, then three probes
		{12 * time.Second, 9, 12}, // sooner than nine would
		{20 * time.Second, 3, 20}, // later than three would
		{5 * time.Second, 3, 11},  // not before one went unanswered
	} {
		h := newHarness(t).listen(0)
		h.establish("mss 1460")
		h.c.SetUserTimeout(x.limit)
		h.c.SetKeepaliveConfig(h.now, Keepalive{Idle: 10 * time.Second, Interval: time.Second, Count: x.count})
		h.c.SetKeepalive(h.now, true)
		for h.state() == Established {
			h.wake()
			h.send()
		}
		if at := h.now.Sub(h.start).Seconds(); at < x.ends || at > x.ends+0.1 || h.c.Err() != ErrTimeout {
			t.Errorf("user timeout %v, %d probes: ended after %v s, want %v: %v", x.limit, x.count, at, x.ends, h.c.Err())
		}
	}
}

// The user timeout ends a connection when it has come, and not with whatever
// retransmission is next; an attempt to connect, too, once a SYN was lost. As on Linux
// 6.18, where connects with 0.5, 1, 3 and 4.5 s end after 1.04, 1.02, 3.03 and 4.52 s.
func TestUserTimeoutInTime(t *testing.T) {
	for _, x := range []struct{ limit, ends time.Duration }{
		{500 * time.Millisecond, time.Second}, // the first SYN's
		{time.Second, time.Second},
		{3 * time.Second, 3 * time.Second},
		{4500 * time.Millisecond, 4500 * time.Millisecond},
		{time.Hour, 127 * time.Second}, // no more SYNs than without
	} {
		h := newHarness(t).client()
		h.dial(0)
		h.c.SetUserTimeout(x.limit)
		for h.send(); h.state() == SynSent; h.send() {
			h.wake()
		}
		if at := h.now.Sub(h.start); at != x.ends || h.c.Err() != ErrTimeout {
			t.Errorf("user timeout %v: connect ended after %v, want %v: %v", x.limit, at, x.ends, h.c.Err())
		}
	}
	for _, shut := range []bool{false, true} {
		h := newHarness(t).listen(0)
		h.establish("mss 1460")
		h.c.SetUserTimeout(5 * time.Second)
		if shut {
			h.recv(20, ". 1:1(0) ack 1 win 0")
		}
		h.at(1000)
		h.write(10)
		for h.send(); h.state() == Established; h.send() {
			h.wake()
		}
		if at := h.now.Sub(h.start); at < 6*time.Second || at > 6500*time.Millisecond || h.c.Err() != ErrTimeout {
			t.Errorf("window shut %v: ended after %v, want 6 s: %v", shut, at, h.c.Err())
		}
	}
}
