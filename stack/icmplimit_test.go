package stack

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

var limitStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestErrorLimitOfDestination: "(f) [...] an IPv6 node MUST limit the rate of
// ICMPv6 error messages it originates."
// https://www.rfc-editor.org/rfc/rfc4443#section-2.4
func TestErrorLimitOfDestination(t *testing.T) {
	for _, a := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"} {
		var l errorLimit
		to := netip.MustParseAddr(a)
		sent := 0
		for ms := range 60_000 {
			if l.allow(limitStart.Add(time.Duration(ms)*time.Millisecond), to) {
				sent++
			}
		}
		if sent != 6+59 { // a burst, and one a second after the first
			t.Errorf("%s: %d errors in a minute of one a millisecond, want 65", a, sent)
		}
	}
}

// TestErrorLimitOfHost floods from many sources.
func TestErrorLimitOfHost(t *testing.T) {
	var l errorLimit
	sent := 0
	for i := range 100_000 {
		var a [16]byte
		a[0] = 0x20
		binary.BigEndian.PutUint32(a[2:], uint32(i))
		if l.allow(limitStart.Add(time.Duration(i)*10*time.Microsecond), netip.AddrFrom16(a)) {
			sent++
		}
	}
	// One second; an error takes between one token and three.
	if sent < 1050/3 || sent > 1050 {
		t.Errorf("%d errors in a second", sent)
	}
	if len(l.each) > maxDestinations || l.ages.Len() != len(l.each) {
		t.Errorf("%d destinations are remembered, %d in order", len(l.each), l.ages.Len())
	}
}

// TestErrorLimitIsHardToGuess: whether one's own error took the last token must
// not tell whether the host sent one to somebody else.
func TestErrorLimitIsHardToGuess(t *testing.T) {
	seen := map[int]bool{}
	for seed := range uint64(50) {
		l := errorLimit{Seed: seed * 0x9e3779b97f4a7c15}
		n := 0
		for i := range 100 {
			if l.allow(limitStart, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})) {
				n++
			}
		}
		seen[n] = true
	}
	if len(seen) < 5 {
		t.Errorf("50 seeds give only the bursts %v", seen)
	}
}

// TestErrorLimitForgetsNothingThatCounts: a /64 has one bucket.
func TestErrorLimitForgetsNothingThatCounts(t *testing.T) {
	var l errorLimit
	sent := 0
	for i := range 100 {
		a := netip.MustParseAddr("2001:db8::").As16()
		a[15] = byte(i)
		if l.allow(limitStart, netip.AddrFrom16(a)) {
			sent++
		}
	}
	if sent != 6 {
		t.Errorf("%d errors to one /64, want 6", sent)
	}
	if l.allow(limitStart.Add(-time.Hour), netip.MustParseAddr("2001:db8::")) {
		t.Error("a clock that went back filled the bucket")
	}
}
