package tcp

import "github.com/fastopen-go/fastopen/wire"

// Reset is the answer to a segment for which there is no connection. It reports
// false when none must be sent.
//
// "If the state is CLOSED [...] An incoming segment containing a RST is
// discarded. An incoming segment not containing a RST causes a RST to be sent
// in response. [...] If the ACK bit is off, sequence number zero is used,
// <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> If the ACK bit is on,
// <SEQ=SEG.ACK><CTL=RST>"
// https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.1
func Reset(s *wire.Segment) (wire.Segment, bool) {
	if s.Flags.Has(wire.RST) || !unicast(s.Src.Addr()) || !unicast(s.Dst.Addr()) {
		return wire.Segment{}, false
	}
	r := wire.Segment{Src: s.Dst, Dst: s.Src, Flags: wire.RST}
	if s.Flags.Has(wire.ACK) {
		r.Seq = s.Ack
	} else {
		r.Flags |= wire.ACK
		r.Ack = s.End()
	}
	return r, true
}
