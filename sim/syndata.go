package sim

import (
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/wire"
)

// TrimSYNData returns a box that lets the first n bytes of data in a SYN pass
// and swallows the rest. The option stays.
func TrimSYNData(n int) Box {
	return segments(func(_ time.Time, _ Dir, s *segment) bool {
		if s.isSYN() && s.Len() > n {
			s.cut(n)
		}
		return true
	})
}

// SwallowSYNData returns a box that takes all data out of a SYN. The option
// stays, so the server sees a cookie without data.
func SwallowSYNData() Box { return TrimSYNData(0) }

// AckSYNOnly returns a box that lets the data in a SYN pass, but makes the
// SYN-ACK acknowledge the SYN alone, as proxies do that reckon that nothing
// else can be acknowledged by then. The data reaches the server twice.
func AckSYNOnly() Box {
	syns := map[flow]uint32{} // sequence number after the SYN
	return segments(func(_ time.Time, d Dir, s *segment) bool {
		switch {
		case s.isSYN():
			syns[flowOf(s)] = s.Seq + 1
		case s.isSYNACK():
			if ack, ok := syns[flowOf(s).reverse()]; ok {
				s.edit(func() { s.setAck(ack) })
			}
		}
		return true
	})
}

// ResetSYNData returns a box that drops each SYN with data and answers it with
// a RST, as if the server had.
func ResetSYNData() Box {
	return func(now time.Time, d Dir, packet []byte, emit func(Dir, []byte)) {
		s, ok := parse(packet)
		if !ok || !s.isSYN() || s.Len() == 0 {
			emit(d, packet)
			return
		}
		if r, ok := tcp.Reset(&s.Segment); ok && s.intact() {
			emit(d.Reverse(), r.AppendPacket(nil, wire.Full))
		}
	}
}
