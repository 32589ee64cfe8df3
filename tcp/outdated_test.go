package tcp

import (
	"testing"
	"time"
)

// A TS.Recent that has become too old to compare with is replaced by what comes next,
// whatever its sign says: RFC 7323 section 5.5, after RFC 1323 section 4.2.3:
//
// "If TS.Recent is found to be invalid, then the segment is accepted, regardless of the
// failure of the timestamp check, and rule R3 updates TS.Recent with the TSval from the
// new segment."
// https://www.rfc-editor.org/rfc/rfc1323#section-4.2.3
func TestOutdatedTimestamp(t *testing.T) {
	h := newHarness(t)
	h.cfg.NoTimestamps = false
	h.listen(0)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,TS 100/0>")
	h.want("SYN-ACK", "S. 0:0(0) ack 1")
	h.recv(10, ". 1:1(0) ack 1 <TS 110/1>")
	h.accept("handshake")
	// 25 days later the peer's clock, of a millisecond, has passed 2³¹.
	const later = 25 * 24 * time.Hour / time.Millisecond
	const stamp = 110 + uint32(later)
	h.recv(float64(later), sprint("P. 1:11(10) ack 1 <TS %d/0>", stamp))
	h.want("data", sprint(". 1:1(0) ack 11 <TS %d/%d>", uint32(later), stamp))
	// From there on PAWS protects again.
	h.recv(float64(later)+1000, sprint("P. 11:21(10) ack 1 <TS %d/0>", stamp-1))
	h.want("an old duplicate is answered and not taken", sprint(". 1:1(0) ack 11 <TS %d/%d>", uint32(later)+1000, stamp))
}
