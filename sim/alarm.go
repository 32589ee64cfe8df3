package sim

import (
	"sync"
	"time"
)

// An alarm wakes one goroutine at a time that others set.
type alarm interface {
	// set lets wait return once after d, or at once when d is not positive.
	// It replaces what was set before.
	set(d time.Duration)
	// wait returns true when the alarm rings and false after close.
	wait() bool
	close()
}

// timerAlarm is an alarm of the runtime's timers. On Linux those may be a
// millisecond late, because the runtime waits in epoll_wait(2), which counts
// milliseconds.
type timerAlarm struct {
	timer  *time.Timer
	closed chan struct{}
	once   sync.Once
}

func newTimerAlarm() *timerAlarm {
	a := &timerAlarm{timer: time.NewTimer(time.Hour), closed: make(chan struct{})}
	a.timer.Stop()
	return a
}

func (a *timerAlarm) set(d time.Duration) { a.timer.Reset(d) }

func (a *timerAlarm) wait() bool {
	select {
	case <-a.timer.C:
	case <-a.closed:
	}
	select {
	case <-a.closed: // even if set since
		return false
	default:
		return true
	}
}

func (a *timerAlarm) close() {
	a.once.Do(func() {
		a.timer.Stop()
		close(a.closed)
	})
}
