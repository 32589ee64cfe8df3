package sim

import "time"

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
		if ok && (s.isSYN() && on&OnSYN != 0 || s.isSYNACK() && on&OnSYNACK != 0) && s.hasFastOpen() {
			s.edit(func() {
				for option := range s.fastOpen {
					for i := range option {
						option[i] = optionNop
					}
				}
			})
		}
		emit(d, packet)
	}
}
