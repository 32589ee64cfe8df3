package sim

import "time"

// A Box is a hop that looks at packets: a middlebox. It is called with each
// packet that reaches it, at the time when it does, and calls emit with each
// packet that leaves it, in the direction in which it leaves. Not to emit is
// to drop. The packet is the box's to change until it emits it; it is not to
// be kept.
type Box func(now time.Time, d Dir, packet []byte, emit func(Dir, []byte))

func (b Box) join(p *Path, i int) passer {
	emit := func(d Dir, packet []byte) { p.pass(d, next(d, i), packet) }
	return func(d Dir, packet []byte) { b(p.now, d, packet, emit) }
}

// Drop returns a box that drops the packets that match.
func Drop(match func(Seen) bool) Box {
	return func(now time.Time, d Dir, packet []byte, emit func(Dir, []byte)) {
		if !match(see(now, d, packet)) {
			emit(d, packet)
		}
	}
}

// DropSYNData returns a box that drops each SYN with data, which such boxes
// take for an attack. It lets a SYN without data and a SYN-ACK pass.
func DropSYNData() Box { return Drop(isSYNData) }

// DropFastOpen returns a box that drops each SYN, not SYN-ACK, that has a Fast
// Open option, of either form, with or without a cookie.
func DropFastOpen() Box {
	return Drop(func(s Seen) bool { return s.SYN && !s.ACK && s.FastOpen })
}

// ResetSYNData returns a box that drops each SYN with data and answers it with
// a RST, as if the server had.
func ResetSYNData() Box {
	return func(now time.Time, d Dir, packet []byte, emit func(Dir, []byte)) {
		if s, ok := parse(packet); ok && isSYNData(see(now, d, packet)) {
			emit(d.Reverse(), s.reset())
			return
		}
		emit(d, packet)
	}
}

func isSYNData(s Seen) bool { return s.SYN && !s.ACK && s.Len > 0 }

// Segments is a set of those segments that carry a Fast Open option.
type Segments uint8

const (
	OnSYN    Segments = 1 << iota // the SYN of the client
	OnSYNACK                      // the SYN-ACK of the server
)

// StripFastOpen returns a box that puts no-operation options in the place of
// each Fast Open option on the given segments, so that the host behind it never
// sees one. Data in the SYN stays.
func StripFastOpen(on Segments) Box {
	return func(now time.Time, d Dir, packet []byte, emit func(Dir, []byte)) {
		s, ok := parse(packet)
		if ok && (s.flags()&(flagSYN|flagACK) == flagSYN && on&OnSYN != 0 ||
			s.flags()&(flagSYN|flagACK) == flagSYN|flagACK && on&OnSYNACK != 0) {
			s.stripFastOpen()
		}
		emit(d, packet)
	}
}

func (s *segment) stripFastOpen() {
	before, found := sum(s.options), false
	for option := range s.fastOpen {
		found = true
		for i := range option {
			option[i] = optionNop
		}
	}
	if found {
		s.replaced(before, sum(s.options))
	}
}
