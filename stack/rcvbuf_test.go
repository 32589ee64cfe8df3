package stack

import (
	"testing"
	"time"
)

// A receive buffer that was set for a connection to come can be set again once it is
// there, on either end.
func TestReceiveBufferTwice(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.b.Socket()
	l.SetReceiveBuffer(40_000)
	want(t, "Bind", l.Bind(at80), nil)
	want(t, "Listen", l.Listen(w.now, 0), nil)
	c, s := w.connect(at80, l)
	for _, n := range []int{30_000, 5000, 40_000} {
		s.SetReceiveBuffer(n)
		c.Send(w.now, make([]byte, 100_000))
		w.run(5 * time.Second)
		// A window that was announced is not taken back.
		got := s.Unread()
		if got < n-1500 || got > 40_000+1500 {
			t.Errorf("a buffer of %d bytes has come to hold %d", n, got)
		}
		for s.Unread() > 0 {
			w.receive(s)
		}
		w.run(5 * time.Second)
		for s.Unread() > 0 || c.Unacknowledged() > 0 {
			if s.Unread() > 0 {
				w.receive(s)
			}
			w.run(time.Second)
		}
	}
}
