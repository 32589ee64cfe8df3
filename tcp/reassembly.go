package tcp

import "github.com/fastopen-go/fastopen/wire"

// maxRuns bounds how many separate runs of out-of-order data are kept, and with
// it what a peer that sends every second byte can make this end remember. At
// 3 % random loss a window of 4 MiB has about ninety.
const maxRuns = 256

// keptRuns is how much room is kept while there are none: a busy connection loses
// something again and again. It is 64 bytes at most.
const keptRuns = 8

// reassembly remembers which bytes past the next expected one are in place in
// the receive buffer. It holds nothing while data comes in order.
type reassembly struct {
	runs []wire.Range // ascending, disjoint, not touching
	last wire.Range   // the run that the latest segment became part of
	dup  wire.Range   // what the latest segment repeated: RFC 2883
}

// reassembly makes c.asm be there.
func (c *Conn) reassembly() *reassembly {
	if c.asm == nil {
		c.asm = &reassembly{}
	}
	return c.asm
}

// insert notes the bytes start:end. It reports false, and notes nothing, when
// that would need more runs than are kept.
func (r *reassembly) insert(start, end uint32) bool {
	i := 0
	for i < len(r.runs) && before(r.runs[i].End, start) {
		i++
	}
	j := i
	merged := wire.Range{Start: start, End: end}
	for j < len(r.runs) && !after(r.runs[j].Start, end) {
		if r.dup.Start == r.dup.End {
			lo, hi := seqMax(start, r.runs[j].Start), seqMin(end, r.runs[j].End)
			if before(lo, hi) {
				r.dup = wire.Range{Start: lo, End: hi}
			}
		}
		merged.Start = seqMin(merged.Start, r.runs[j].Start)
		merged.End = seqMax(merged.End, r.runs[j].End)
		j++
	}
	switch {
	case j > i:
		r.runs[i] = merged
		r.runs = append(r.runs[:i+1], r.runs[j:]...)
	case len(r.runs) == maxRuns:
		return false
	default:
		r.runs = append(r.runs, wire.Range{})
		copy(r.runs[i+1:], r.runs[i:])
		r.runs[i] = merged
	}
	r.last = merged
	return true
}

// advance is called when everything before next has come; it returns the
// sequence number up to which bytes are now in order.
func (r *reassembly) advance(next uint32) uint32 {
	k := 0
	for k < len(r.runs) && !after(r.runs[k].Start, next) {
		next = seqMax(next, r.runs[k].End)
		k++
	}
	if k == 0 {
		return next
	}
	if k == len(r.runs) {
		if cap(r.runs) > keptRuns {
			r.runs = nil
		}
		r.runs, r.last = r.runs[:0], wire.Range{}
		return next
	}
	r.runs = append(r.runs[:0], r.runs[k:]...)
	if !after(r.last.Start, next) {
		r.last = wire.Range{}
	}
	return next
}

func (r *reassembly) empty() bool { return r == nil || len(r.runs) == 0 }

// repeats reports whether the latest segment brought what had come before.
func (r *reassembly) repeats() bool { return r != nil && r.dup.Start != r.dup.End }

// blocks writes the SACK option's blocks: a repeated range first, then the run
// that the latest segment belongs to, then the others, highest first, which are
// the ones the sender heard of last.
//
// "The first SACK block [...] MUST specify the contiguous block of data
// containing the segment which triggered this ACK"
// https://www.rfc-editor.org/rfc/rfc2018#section-4
// https://www.rfc-editor.org/rfc/rfc2883#section-4
func (r *reassembly) blocks(o *wire.Options, room int) {
	limit := uint8(min(room, wire.MaxSACK))
	o.SACKs = 0
	add := func(b wire.Range) {
		if b.Start != b.End && o.SACKs < limit {
			o.SACK[o.SACKs] = b
			o.SACKs++
		}
	}
	add(r.dup)
	r.dup = wire.Range{}
	add(r.last)
	for i := len(r.runs) - 1; i >= 0 && o.SACKs < limit; i-- {
		if r.runs[i] != r.last {
			add(r.runs[i])
		}
	}
}
