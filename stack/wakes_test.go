package stack

import (
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// A connect that tells of a failed one makes a new socket of it, which wakes whoever
// watches: an edge-triggered epoll of Linux 6.18 tells POLLOUT and POLLHUP.
func TestWakeOfFailedConnect(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	c := w.a.Socket()
	at81 := netip.AddrPortFrom(addrB4, 81)
	want(t, "Connect", c.Connect(w.now, at81), syscall.EINPROGRESS)
	w.run(time.Second)
	before := c.Wakeups()
	want(t, "Connect", c.Connect(w.now, at81), syscall.ECONNREFUSED)
	poll(t, "is as new", c, PollHup|out)
	if c.Wakeups() == before {
		t.Error("nobody was woken")
	}
}
