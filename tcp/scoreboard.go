package tcp

import "github.com/fastopen-go/fastopen/wire"

// sent is a stretch of sequence space that was sent at one time.
type sent struct {
	start, end uint32
	at         instant // when it was last sent
	flags      sentFlags
}

type sentFlags uint8

const (
	sacked sentFlags = 1 << iota // the peer has it, by its SACK blocks
	lost                         // taken for lost
	resent                       // sent more than once
	again                        // lost, and sent again since: in flight
)

func (s *sent) len() uint32 { return s.end - s.start }

// scoreboard is what has been sent and not yet acknowledged, in order and
// without gaps. It keeps the counts that RFC 6675 calls pipe.
type scoreboard struct {
	q []sent
	// Bytes per flag.
	sackedBytes, lostBytes, pendingBytes uint32
	// hint is where to look for the first lost stretch that waits.
	hint uint32
	high uint32 // highest sequence number that was sacked or acked
	// few is where q lies as long as it is short: as a rule, for ever.
	few [2]sent
}

// maxSplits bounds the extra entries that a peer's SACK blocks may cause.
const maxSplits = 512

// keptStretches is how much room is kept when everything is acknowledged: a busy
// connection is through with its flight thousands of times a second, and would
// otherwise ask for that room as often. It is 1.5 kB at most, of connections
// that have had so much in flight.
const keptStretches = 64

// delivered is what an acknowledgement told.
type delivered struct {
	bytes    uint32  // newly acknowledged, cumulatively or selectively
	acked    uint32  // of these, cumulatively
	original bool    // some of it was never sent again
	repeated bool    // some of it had been sent again
	rttAt    instant // when the newest stretch that was sent once was sent; 0 none
	newSACK  bool    // some of it selectively
	oldest   uint32  // lowest original sequence number delivered (reordering)
	hasOld   bool
}

// add notes that start:end was sent for the first time. Stretches sent at one
// instant are one entry: they can be told apart when need be, by splitting.
func (b *scoreboard) add(now instant, start, end uint32) {
	if n := len(b.q); n > 0 {
		l := &b.q[n-1]
		if l.at == now && l.flags == 0 && l.end == start && end-l.start < 1<<30 {
			l.end = end
			return
		}
	}
	if cap(b.q) == 0 {
		b.q = b.few[:0]
	}
	b.q = append(b.q, sent{start: start, end: end, at: now})
}

// flight is how many bytes are believed to be in the network, of those between
// una and nxt.
func (b *scoreboard) flight(una, nxt uint32) uint32 {
	return nxt - una - b.sackedBytes - b.lostBytes + b.pendingBytes
}

// ack removes everything before una, telling seen of each stretch delivered.
func (b *scoreboard) ack(una uint32, d *delivered, seen func(*sent)) {
	k := 0
	for k < len(b.q) && before(b.q[k].start, una) {
		e := &b.q[k]
		if after(e.end, una) {
			// Not on a copy, which would be allocated because seen gets it.
			end := e.end
			e.end = una
			d.acked += e.len()
			b.deliver(e, d, seen)
			b.count(e, false)
			e.start, e.end = una, end
			break
		}
		d.acked += e.len()
		b.deliver(e, d, seen)
		b.count(e, false)
		k++
	}
	if k == len(b.q) {
		b.q = b.q[:0]
		if cap(b.q) > keptStretches {
			b.q = nil
		}
	} else if k > 0 {
		b.q = append(b.q[:0], b.q[k:]...)
	}
	if before(b.high, una) || len(b.q) == 0 {
		b.high = una
	}
}

// sack marks the parts of r that were sent. Stretches are split at its ends.
func (b *scoreboard) sack(r wire.Range, d *delivered, seen func(*sent)) {
	for i := b.find(r.Start); i < len(b.q) && before(b.q[i].start, r.End); i++ {
		if b.q[i].flags&sacked != 0 {
			continue
		}
		if before(b.q[i].start, r.Start) {
			if !b.split(i, r.Start) {
				continue
			}
			i++
		}
		if after(b.q[i].end, r.End) && !b.split(i, r.End) {
			break
		}
		e := &b.q[i]
		b.deliver(e, d, seen)
		b.count(e, false)
		e.flags = e.flags&^(lost|again) | sacked
		b.count(e, true)
		d.newSACK = true
		b.high = seqMax(b.high, e.end)
		i = b.join(i)
	}
}

func (b *scoreboard) deliver(e *sent, d *delivered, seen func(*sent)) {
	if e.flags&sacked != 0 {
		return
	}
	d.bytes += e.len()
	if e.flags&resent != 0 {
		d.repeated = true
	} else {
		d.original = true
		if !d.hasOld || before(e.start, d.oldest) {
			d.oldest, d.hasOld = e.start, true
		}
		d.rttAt = max(d.rttAt, e.at)
	}
	seen(e)
}

// lose marks the entry at i as lost.
func (b *scoreboard) lose(i int) {
	e := &b.q[i]
	b.count(e, false)
	e.flags = e.flags&^again | lost
	b.count(e, true)
	if b.lostBytes == e.len() || before(e.start, b.hint) {
		b.hint = e.start
	}
}

// loseAll marks everything that was not sacked as lost; with renege, what was
// sacked too, since a receiver may take that back.
//
// That is why sacked data is kept until it is acknowledged, and why a timeout
// that finds the head sacked forgets what was.
// https://www.rfc-editor.org/rfc/rfc2018#section-8
func (b *scoreboard) loseAll(renege bool) {
	for i := range b.q {
		if renege {
			b.count(&b.q[i], false)
			b.q[i].flags &^= sacked
			b.count(&b.q[i], true)
		}
		if b.q[i].flags&sacked == 0 {
			b.lose(i)
		}
	}
	if len(b.q) > 0 {
		b.hint = b.q[0].start
	}
}

// unlose takes back every mark of loss: what was thought lost was late.
func (b *scoreboard) unlose() {
	for i := range b.q {
		b.count(&b.q[i], false)
		b.q[i].flags &^= lost | again
		b.count(&b.q[i], true)
	}
}

// firstLost is the first stretch that is lost and was not sent again since.
func (b *scoreboard) firstLost() (sent, bool) {
	if b.lostBytes == b.pendingBytes {
		return sent{}, false
	}
	for i := b.find(b.hint); i < len(b.q); i++ {
		if b.q[i].flags&(lost|again) == lost {
			b.hint = b.q[i].start
			return b.q[i], true
		}
	}
	for i := range b.q {
		if b.q[i].flags&(lost|again) == lost {
			b.hint = b.q[i].start
			return b.q[i], true
		}
	}
	return sent{}, false
}

// resend notes that start:end, which lies within one stretch, was sent again.
func (b *scoreboard) resend(now instant, start, end uint32) {
	i := b.find(start)
	if i == len(b.q) {
		return
	}
	if before(b.q[i].start, start) {
		b.splitAlways(i, start)
		i++
	}
	if after(b.q[i].end, end) {
		b.splitAlways(i, end)
	}
	e := &b.q[i]
	b.count(e, false)
	e.at = now
	e.flags |= resent
	if e.flags&lost != 0 {
		e.flags |= again
		b.hint = e.end
	}
	b.count(e, true)
}

// find is the index of the entry that holds seq, or of the first after it.
func (b *scoreboard) find(seq uint32) int {
	lo, hi := 0, len(b.q)
	for lo < hi {
		m := int(uint(lo+hi) / 2)
		if after(b.q[m].end, seq) {
			hi = m
		} else {
			lo = m + 1
		}
	}
	return lo
}

// split cuts entry i at seq, unless a peer that sends SACK blocks for single
// bytes has caused too many cuts already.
func (b *scoreboard) split(i int, seq uint32) bool {
	if flight := b.q[len(b.q)-1].end - b.q[0].start; len(b.q) > maxSplits+int(flight/minMSS) {
		return false
	}
	b.splitAlways(i, seq)
	return true
}

func (b *scoreboard) splitAlways(i int, seq uint32) {
	b.q = append(b.q, sent{})
	copy(b.q[i+1:], b.q[i:])
	b.q[i].end = seq
	b.q[i+1].start = seq
}

// join merges the sacked entry at i with sacked neighbours: nothing more will
// be asked of them one by one. It returns the index of the merged entry.
func (b *scoreboard) join(i int) int {
	lo, hi := i, i
	if lo > 0 && b.q[lo-1].flags&sacked != 0 {
		lo--
	}
	if hi+1 < len(b.q) && b.q[hi+1].flags&sacked != 0 {
		hi++
	}
	if lo == hi {
		return i
	}
	b.q[lo].end = b.q[hi].end
	for k := lo + 1; k <= hi; k++ {
		b.q[lo].flags |= b.q[k].flags & resent
		b.q[lo].at = max(b.q[lo].at, b.q[k].at)
	}
	b.q = append(b.q[:lo+1], b.q[hi+1:]...)
	return lo
}

func (b *scoreboard) count(e *sent, in bool) {
	n := e.len()
	if !in {
		n = -n
	}
	if e.flags&sacked != 0 {
		b.sackedBytes += n
	}
	if e.flags&lost != 0 {
		b.lostBytes += n
	}
	if e.flags&again != 0 {
		b.pendingBytes += n
	}
}
