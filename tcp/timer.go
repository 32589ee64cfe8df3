package tcp

import "time"

// instant is a time within a connection: nanoseconds since it was made, plus
// one. Zero means unset.
type instant int64

func (t instant) add(d time.Duration) instant { return t + instant(d) }

func (t instant) sub(u instant) time.Duration { return time.Duration(t - u) }

// timer names a reason to wake up.
type timer uint8

const (
	timerHandshake  timer = iota // SYN or SYN-ACK again
	timerRetransmit              // RTO: RFC 6298
	timerReorder                 // RACK reordering window over: RFC 8985
	timerProbe                   // tail loss probe: RFC 8985
	timerPersist                 // zero-window probe: RFC 9293 3.8.6.1
	timerAck                     // delayed ACK
	timerKeepalive               // RFC 9293 3.8.4
	timerLinger                  // FIN-WAIT-2 without an owner, and TIME-WAIT
	numTimers
)

// timers is the table of deadlines. A zero entry is not set. Nothing fires by
// itself: the caller asks for the first deadline and looks when it has come.
type timers [numTimers]instant

// first is the earliest deadline, zero when none is set.
func (t *timers) first() instant {
	var m instant
	for _, d := range t {
		if d != 0 && (m == 0 || d < m) {
			m = d
		}
	}
	return m
}

// due reports whether the deadline of w has come, and clears it if so.
func (t *timers) due(now instant, w timer) bool {
	if t[w] == 0 || t[w] > now {
		return false
	}
	t[w] = 0
	return true
}

func (t *timers) set(w timer, at instant) { t[w] = at }

func (t *timers) stop(ws ...timer) {
	for _, w := range ws {
		t[w] = 0
	}
}
