package stack

import (
	"syscall"
	"testing"
	"time"
)

// The host's settings count for listeners that are there already, from the next SYN on:
// so does how many handshakes may be under way before SYN cookies take over.
func TestSYNQueueChanges(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	w.listen(at80, 0)
	for i, queue := range []int{0, -1, 0} {
		set := w.b.Settings()
		set.SYNQueue = queue
		w.b.SetSettings(set)
		before := w.b.Stats().SYNCookies.Sent
		c := w.a.Socket()
		want(t, "Connect", c.Connect(w.now, at80), syscall.EINPROGRESS)
		w.run(time.Second)
		poll(t, "is connected", c, out)
		if sent := w.b.Stats().SYNCookies.Sent - before; (sent > 0) != (queue < 0) {
			t.Errorf("connection %d, queue %d: %d SYN cookies", i, queue, sent)
		}
	}
}
