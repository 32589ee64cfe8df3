package sim

import "time"

// A Box is a hop that looks at packets: a middlebox. It is called with each
// packet that reaches it, at the time when it does, and calls emit with each
// packet that leaves it, in the direction in which it leaves. Not to emit is
// to drop. The packet is the box's to change until it emits it; it is not to
// be kept.
//
// A box that remembers connections belongs into one path only.
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

func isSYNData(s Seen) bool { return s.SYN && !s.ACK && s.Len > 0 }

// segments returns a box that shows each TCP segment to see, which may edit it,
// and drops it if that returns false. What is not TCP passes.
func segments(see func(now time.Time, d Dir, s *segment) (pass bool)) Box {
	return func(now time.Time, d Dir, packet []byte, emit func(Dir, []byte)) {
		s, ok := parse(packet)
		if !ok {
			emit(d, packet)
			return
		}
		if see(now, d, &s) {
			emit(d, s.ip)
		}
	}
}
