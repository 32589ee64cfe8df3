package tcp

// Sequence numbers are uint32 and compared modulo 2³².
//
// https://www.rfc-editor.org/rfc/rfc9293#section-3.4

// before reports a < b.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// after reports a > b.
func after(a, b uint32) bool { return int32(a-b) > 0 }

// between reports lo ≤ x ≤ hi.
func between(x, lo, hi uint32) bool { return x-lo <= hi-lo }

func seqMin(a, b uint32) uint32 {
	if before(a, b) {
		return a
	}
	return b
}

func seqMax(a, b uint32) uint32 {
	if after(a, b) {
		return a
	}
	return b
}
