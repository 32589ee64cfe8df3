package tcp

import (
	"net/netip"
	"time"
)

// pending is PendingFastOpenRequests: how many connections of a listener are in
// use whose handshake is not complete, in all and by source prefix.
//
// It bounds what spoofed SYNs with a stolen cookie can use up. One that is reset
// goes on counting for a while, or resets would refill the budget.
// https://www.rfc-editor.org/rfc/rfc7413#section-5.1
type pending struct {
	n       int
	sources map[netip.Prefix]int
	charged []charge // oldest first
}

// charge is a slot that stays taken although its connection was reset: or else
// one spoofed SYN and one reset after another would go uncounted.
type charge struct {
	until  time.Time
	source netip.Prefix
}

// chargeTime is how long, as in Linux: the time a SYN-ACK may be outstanding.
const chargeTime = 60 * time.Second

// room reports whether one more fits under the limits.
func (p *pending) room(now time.Time, source netip.Prefix, f *FastOpenServer) bool {
	k := 0
	for k < len(p.charged) && !p.charged[k].until.After(now) {
		p.remove(p.charged[k].source)
		k++
	}
	p.charged = append(p.charged[:0], p.charged[k:]...)
	if p.n >= f.MaxPending {
		return false
	}
	each := f.MaxPendingPerPrefix
	if each == 0 {
		each = max(f.MaxPending/4, 1)
	}
	return each < 0 || p.sources[source] < each
}

func (p *pending) add(source netip.Prefix) {
	if p.sources == nil {
		p.sources = make(map[netip.Prefix]int)
	}
	p.n++
	p.sources[source]++
}

func (p *pending) remove(source netip.Prefix) {
	p.n--
	if p.sources[source]--; p.sources[source] <= 0 {
		delete(p.sources, source)
	}
}

// charge keeps the slot of source for a while.
func (p *pending) charge(now time.Time, source netip.Prefix) {
	p.charged = append(p.charged, charge{now.Add(chargeTime), source})
}

// sourcePrefix is what one subscriber can be expected to hold.
func sourcePrefix(a netip.Addr) netip.Prefix {
	bits := 56
	if a.Is4() {
		bits = 24
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}
