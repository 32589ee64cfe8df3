package sim

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// RewriteSequence returns a box that shifts the sequence numbers of each
// connection by offsets of its own, in both directions, as firewalls do that
// trust no host to choose them at random. Some of these know SACK and shift its
// blocks too; those that do not make blocks that mean nothing.
func RewriteSequence(seed uint64, sack bool) Box {
	rng := rand.New(rand.NewPCG(seed, 1))
	offsets := map[flow]uint32{}
	return segments(func(_ time.Time, _ Dir, s *segment) bool {
		f := flowOf(s)
		own, ok := offsets[f]
		if !ok {
			if !s.Flags.Has(wire.SYN) {
				return true // of a connection that the box never saw begin
			}
			own = rng.Uint32()
			offsets[f] = own
		}
		peer := offsets[f.reverse()]
		s.edit(func() {
			s.setSeq(s.Seq + own)
			if s.Flags.Has(wire.ACK) {
				s.setAck(s.Ack - peer)
			}
			if sack {
				s.shiftSACK(-peer)
			}
		})
		return true
	})
}

// shiftSACK adds n to each edge of each block.
func (s *segment) shiftSACK(n uint32) {
	for o := range s.eachOption {
		if o[0] != optionSACK {
			continue
		}
		for b := o[2:]; len(b) >= 4; b = b[4:] {
			binary.BigEndian.PutUint32(b, binary.BigEndian.Uint32(b)+n)
		}
	}
}
