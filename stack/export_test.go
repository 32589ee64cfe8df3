package stack

import (
	"fmt"
	"time"
)

// Lent is how many buffers of the host are in use.
func Lent(h *Host) int { return h.memory.lent }

// Left describes the connections that there are.
func Left(h *Host) (all []string) {
	h.conns.each(func(s *Socket) { all = append(all, fmt.Sprintf("%v %+v flags %x", s.conn.Remote(), s.Info(), s.flags)) })
	return all
}

// Kept is how many connections the host keeps for use again.
func Kept(h *Host) int { return h.pool.Len() }

// PollFor makes calls that wait poll for so long, now.
func (t *Stack) PollFor(d time.Duration) {
	t.mu.Lock()
	t.polls.worth = pollBudget{budget: d, slept: d}
	t.mu.Unlock()
}
