package stack

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// flow names a connection by both of its ends, in few bytes: 36 for either
// family. IPv4 addresses are written as IPv6; zones are left out.
type flow struct {
	local, remote         [16]byte
	localPort, remotePort uint16
}

func flowOf(local, remote netip.AddrPort) flow {
	return flow{local.Addr().As16(), remote.Addr().As16(), local.Port(), remote.Port()}
}

// hashKey makes the places in a table unpredictable to those who choose their
// addresses and ports: all in one chain would make every look-up slow.
type hashKey [4]uint64

func (k *hashKey) hash(f *flow) uint64 {
	l, r := f.local[:], f.remote[:]
	a := mix(binary.LittleEndian.Uint64(l)^k[0], binary.LittleEndian.Uint64(l[8:])^k[1])
	b := mix(binary.LittleEndian.Uint64(r)^k[2], binary.LittleEndian.Uint64(r[8:])^k[3])
	ports := uint64(f.localPort)<<16 | uint64(f.remotePort)
	return mix(a^ports^k[1], b^k[2])
}

// mix multiplies to 128 bits and folds them.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// table finds what belongs to a flow: open addressing, linear probing, eight
// bytes a slot. The flow is not in the table but in what it refers to.
type table[E keyed] struct {
	key   hashKey
	slots []E // a power of two of them, at most three quarters in use
	n     int
}

// keyed is a pointer that tells its flow.
type keyed interface {
	comparable
	flow() flow
}

func (t *table[E]) get(f *flow) (e E, ok bool) {
	var none E
	if t.n == 0 {
		return none, false
	}
	mask := uint64(len(t.slots) - 1)
	for i := t.key.hash(f) & mask; ; i = (i + 1) & mask {
		switch e := t.slots[i]; {
		case e == none:
			return none, false
		case e.flow() == *f:
			return e, true
		}
	}
}

// add puts e in, whose flow must not be there yet.
func (t *table[E]) add(e E) {
	if 4*(t.n+1) > 3*len(t.slots) {
		t.resize(max(16, 2*len(t.slots)))
	}
	t.place(e)
	t.n++
}

func (t *table[E]) place(e E) {
	var none E
	f := e.flow()
	mask := uint64(len(t.slots) - 1)
	i := t.key.hash(&f) & mask
	for t.slots[i] != none {
		i = (i + 1) & mask
	}
	t.slots[i] = e
}

// remove takes e out. Those behind it in its run move up, so that there are no
// marks of what was removed.
func (t *table[E]) remove(e E) {
	if t.n == 0 {
		return
	}
	var none E
	f := e.flow()
	mask := uint64(len(t.slots) - 1)
	i := t.key.hash(&f) & mask
	for t.slots[i] != e {
		if t.slots[i] == none {
			return
		}
		i = (i + 1) & mask
	}
	t.n--
	for j := (i + 1) & mask; t.slots[j] != none; j = (j + 1) & mask {
		g := t.slots[j].flow()
		// It may move to i unless its own place lies after i.
		if home := t.key.hash(&g) & mask; (j-home)&mask >= (j-i)&mask {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = none
	if len(t.slots) > 1024 && 8*t.n < len(t.slots) {
		t.resize(len(t.slots) / 2)
	}
}

func (t *table[E]) resize(n int) {
	var none E
	old := t.slots
	t.slots = make([]E, n)
	for _, e := range old {
		if e != none {
			t.place(e)
		}
	}
}

// each calls f with all that is in the table; f must not change it.
func (t *table[E]) each(f func(E)) {
	var none E
	for _, e := range t.slots {
		if e != none {
			f(e)
		}
	}
}
