package sim

import "time"

// queue is where packets wait for their turn on a link with a rate.
type queue struct {
	leaving []leaver // from head on, the first to leave first
	head    int
	bytes   int
}

type leaver struct {
	at   time.Time
	size int
}

// enter returns when the packet has left, or false when there is no room.
func (q *queue) enter(now time.Time, w *Way, packet []byte) (leaves time.Time, ok bool) {
	if w.Rate <= 0 {
		return now, true
	}
	for q.head < len(q.leaving) && !q.leaving[q.head].at.After(now) {
		q.bytes -= q.leaving[q.head].size
		q.head++
	}
	if q.head == len(q.leaving) {
		q.leaving, q.head = q.leaving[:0], 0
	} else if q.head > 64 && q.head > len(q.leaving)/2 {
		q.leaving = q.leaving[:copy(q.leaving, q.leaving[q.head:])]
		q.head = 0
	}
	waiting := len(q.leaving) - q.head
	if waiting > 0 && (w.Queue > 0 && q.bytes+len(packet) > w.Queue || w.QueuePackets > 0 && waiting >= w.QueuePackets) {
		return time.Time{}, false
	}
	if w.Mark > 0 && q.bytes >= w.Mark {
		markCE(packet)
	}
	begin := now
	if waiting > 0 {
		begin = q.leaving[len(q.leaving)-1].at
	}
	leaves = begin.Add(time.Duration(8 * int64(len(packet)) * int64(time.Second) / int64(w.Rate)))
	q.leaving = append(q.leaving, leaver{leaves, len(packet)})
	q.bytes += len(packet)
	return leaves, true
}

// markCE says in the IP header that the packet has met congestion, if the
// sender understands that.
//
// https://www.rfc-editor.org/rfc/rfc3168#section-5
func markCE(packet []byte) {
	s, ok := parse(packet)
	if !ok || s.ECN != 1 && s.ECN != 2 {
		return
	}
	if s.is4() {
		s.ip[1] |= 3
		s.finishIP()
		return
	}
	s.ip[1] |= 3 << 4
}
