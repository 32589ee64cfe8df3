//go:build unix

package stack

import (
	"fmt"
)

// drillEpoll is an epoll instance: what it watches.
type drillEpoll map[int]*drillWatch

type drillWatch struct {
	events Poll
	edge   bool
	told   bool
	seen   uint32 // Wakeups when it was told
}

var drillEvents = map[string]Poll{"EPOLLIN": PollIn, "EPOLLOUT": PollOut, "EPOLLERR": PollErr, "EPOLLHUP": PollHup, "EPOLLRDHUP": PollRdHup}

func drillEpollBits(a drillArg) (p Poll) {
	for _, w := range a.words {
		p |= drillEvents[w]
	}
	return p
}

// epoll makes epoll_create, epoll_ctl and epoll_wait.
func (d *drill) epoll(c *drillCall) func() (int, error) {
	if c.name == "epoll_create" {
		return func() (int, error) {
			d.epolls[c.result.number()] = drillEpoll{}
			return c.result.number(), nil
		}
	}
	e := d.epolls[c.args[0].number()]
	if c.name == "epoll_ctl" {
		return func() (int, error) {
			events := c.args[3].fields["events"]
			e[c.args[2].number()] = &drillWatch{events: drillEpollBits(events) | PollErr | PollHup, edge: events.has("EPOLLET")}
			return 0, nil
		}
	}
	return func() (int, error) {
		n := 0
		for fd, w := range e {
			s := d.sockets[fd]
			got := s.Poll() & w.events
			if got == 0 || w.edge && w.told && w.seen == s.Wakeups() {
				continue
			}
			w.told, w.seen = true, s.Wakeups()
			if want := drillEpollBits(c.args[1].fields["events"]); got != want {
				return 0, fmt.Errorf("epoll_wait has %#x, want %#x", got, want)
			}
			n++
		}
		if n == 0 && c.args[3].number() != 0 {
			return -1, nil
		}
		return n, nil
	}
}
