package stack

import (
	"cmp"
	"container/list"
	"net/netip"
	"time"
)

// An errorLimit says whether an ICMP error may be sent now. Two token buckets
// have to agree: one of the destination, and one of the host.
//
// "Thus, in order to limit the bandwidth and forwarding costs incurred by
// originating ICMPv6 error messages, an IPv6 node MUST limit the rate of ICMPv6
// error messages it originates. [...] A recommended method for implementing the
// rate-limiting function is a token bucket"
// https://www.rfc-editor.org/rfc/rfc4443#section-2.4
//
// "A router SHOULD also be able to limit the rate at which it sends other sorts
// of ICMP error messages"
// https://www.rfc-editor.org/rfc/rfc1812#section-4.3.2.8
//
// The zero value is ready for use. It is a pure value: no clock, no lock.
type errorLimit struct {
	// PerSecond and Burst are the host's bucket. If zero, 1000 and 50, as
	// Linux has them.
	PerSecond, Burst int
	// EachPerSecond and EachBurst are those of one destination: an IPv4
	// address or an IPv6 /64. If zero, 1 and 6, as Linux.
	EachPerSecond, EachBurst int
	// Seed makes what is left of the host's bucket hard to guess.
	Seed uint64

	all  bucket
	each map[netip.Addr]*list.Element // of destination
	ages list.List                    // the one used last in front
}

// destination is one whose bucket is not full, as far as is known.
type destination struct {
	addr netip.Addr
	bucket
}

// maxDestinations bounds the memory. Who is forgotten has a full bucket again.
const maxDestinations = 1024

// allow takes a token for an error to a destination, if there is one.
//
// The destination's bucket is asked first, so that errors which are not sent
// do not empty the host's. From the host's, a few more are taken now and then:
// who could watch it to the token would learn which ports of ours are open
// (SAD DNS, CVE-2020-25705).
func (l *errorLimit) allow(now time.Time, to netip.Addr) bool {
	d := l.destination(now, to)
	if !d.has(now, cmp.Or(l.EachPerSecond, 1), cmp.Or(l.EachBurst, 6)) {
		return false
	}
	if l.all.at.IsZero() {
		l.all.fill(now, cmp.Or(l.Burst, 50))
	}
	if !l.all.has(now, cmp.Or(l.PerSecond, 1000), cmp.Or(l.Burst, 50)) {
		return false
	}
	d.tokens--
	l.all.tokens--
	l.Seed = l.Seed*6364136223846793005 + 1442695040888963407
	if extra := float64(l.Seed >> 62); extra < 3 { // 0, 1 or 2
		l.all.tokens = max(l.all.tokens-extra, 0)
	}
	return true
}

// destination returns the bucket of a destination.
func (l *errorLimit) destination(now time.Time, to netip.Addr) *destination {
	key := to.Unmap().WithZone("")
	if !key.Is4() {
		p, _ := key.Prefix(64)
		key = p.Addr()
	}
	if e := l.each[key]; e != nil {
		l.ages.MoveToFront(e)
		return e.Value.(*destination)
	}
	if l.each == nil {
		l.each = map[netip.Addr]*list.Element{}
	}
	if len(l.each) >= maxDestinations {
		oldest := l.ages.Back()
		delete(l.each, oldest.Value.(*destination).addr)
		l.ages.Remove(oldest)
	}
	d := &destination{addr: key}
	d.fill(now, cmp.Or(l.EachBurst, 6))
	l.each[key] = l.ages.PushFront(d)
	return d
}

// A bucket holds tokens, which come back with time.
type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) fill(now time.Time, burst int) { b.tokens, b.at = float64(burst), now }

// has brings the bucket up to date and reports whether there is a token in it.
func (b *bucket) has(now time.Time, perSecond, burst int) bool {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.tokens+d.Seconds()*float64(perSecond), float64(burst))
		b.at = now
	}
	return b.tokens >= 1
}
