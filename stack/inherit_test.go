package stack

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// What comes in has its listener's linger time, like its other options: seen on Linux
// 6.18. Data that was read or not, closing it sends a reset.
func TestLingerOfListener(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.listen(at80, 0)
	l.SetLinger(0)
	c, s := w.connect(at80, l)
	w.seen = nil
	want(t, "Close", s.Close(w.now), nil)
	if len(w.seen) != 1 || !strings.HasPrefix(w.seen[0], "< R") {
		t.Errorf("closing sent %q, want a reset", w.seen)
	}
	w.run(time.Second)
	want(t, "PendingError", c.PendingError(), syscall.ECONNRESET)
}
