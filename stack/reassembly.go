package stack

import (
	"cmp"
	"container/list"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// A reassembler puts packets together that came in fragments (RFC 791, RFC 815,
// RFC 8200 section 4.5). It is a pure value: no clock, no lock. The zero value
// is ready for use.
//
// Memory is bounded: in all, and for one source. Where there is no room, the
// packet that began first makes it: of the same source, if that has more than
// its share.
type reassembler struct {
	// Memory is how many bytes of fragments are kept. If zero, 1 MiB.
	Memory int
	// SourceMemory is how many of one source. If zero, a quarter of Memory.
	SourceMemory int
	// Timeout is how long a packet may take, from its first fragment to come
	// until its last. If zero, 60 s.
	//
	// "There MUST be a reassembly timeout. The reassembly timeout value
	// SHOULD be a fixed value, not set from the remaining TTL."
	// https://www.rfc-editor.org/rfc/rfc1122#section-3.3.2
	Timeout time.Duration

	packets map[fragmentID]*list.Element // of *unfinished
	ages    list.List                    // the one that began first in front
	sources map[netip.Addr]int           // bytes
	bytes   int
}

// fragmentID is what the fragments of a packet have in common. Protocol counts in
// IPv4 only.
type fragmentID struct {
	src, dst netip.Addr
	protocol uint8
	id       uint32
}

// unfinished is a packet of which fragments are missing.
type unfinished struct {
	fragmentID
	began  time.Time
	header []byte  // of the fragment with offset 0, without a fragment header
	next   uint8   // what follows it, in IPv6
	pieces []piece // in order, none overlapping
	end    int     // where the data ends, if the last fragment has come
	last   bool    // whether it has
	bytes  int     // of memory
	ecn    uint8   // 1<<codepoint, of all fragments
	broken bool    // fragments overlapped: what comes of it is dropped
}

// piece is the data of a fragment.
type piece struct {
	off  int
	data []byte
}

// A fate is what becomes of a fragment.
type fate uint8

const (
	kept       fate = iota // waiting for others
	whole                  // it was the last that was missing
	repeated               // it was there already
	malformed              // of a length that no fragment has, or beyond the end
	overlapped             // it, and its packet, are dropped
	crowded                // too much for the memory, or in too many pieces
)

const (
	// maxPieces is how many fragments a packet may come in: of the smallest
	// size that links have, 65,535 bytes are 119.
	maxPieces = 128
	// What a packet and a fragment cost besides their data.
	packetOverhead, pieceOverhead = 256, 128
)

// add takes a fragment, which h is the header of. If it completes its packet,
// that is returned, as it would have come in one.
func (r *reassembler) add(now time.Time, packet []byte, h *wire.IP) ([]byte, fate) {
	data, headerLen, next, ok := fragmentData(packet, h)
	end := int(h.FragmentOffset) + len(data)
	if !ok || len(data) == 0 || h.MoreFragments && len(data)%8 != 0 || end > maxReassembled {
		return nil, malformed
	}
	u := r.packet(now, h)
	if u.broken {
		// "[...] the entire datagram (and any constituent fragments,
		// including those not yet received) MUST be silently discarded."
		// https://www.rfc-editor.org/rfc/rfc5722#section-4
		return nil, overlapped
	}
	off := int(h.FragmentOffset)
	i, found := slices.BinarySearchFunc(u.pieces, off, func(p piece, off int) int { return p.off - off })
	if found && len(u.pieces[i].data) == len(data) && string(u.pieces[i].data) == string(data) {
		return nil, repeated
	}
	if u.collides(i, off, end, h.MoreFragments) {
		// "If any of the fragments being reassembled overlap with any other
		// fragments being reassembled for the same packet, reassembly of
		// that packet must be abandoned"
		// https://www.rfc-editor.org/rfc/rfc8200#section-4.5
		r.shatter(u)
		return nil, overlapped
	}
	cost := len(data) + pieceOverhead
	if off == 0 {
		cost += headerLen
	}
	if len(u.pieces) == maxPieces {
		r.shatter(u)
		return nil, crowded
	}
	if !r.makeRoom(u, cost) {
		return nil, crowded
	}
	r.charge(u, cost)
	u.pieces = slices.Insert(u.pieces, i, piece{off, slices.Clone(data)})
	u.ecn |= 1 << h.ECN()
	if off == 0 {
		u.header, u.next = slices.Clone(packet[:headerLen]), next
	}
	if !h.MoreFragments {
		u.last, u.end = true, end
	}
	if !u.complete() {
		return nil, kept
	}
	r.forget(u)
	b, ok := u.join()
	if !ok {
		return nil, malformed
	}
	return b, whole
}

// maxReassembled is the most data that a packet of fragments may have: IPv6
// counts its header apart.
const maxReassembled = 65535

// deadline is when expire has something to do; zero for never.
func (r *reassembler) deadline() time.Time {
	if e := r.ages.Front(); e != nil {
		return e.Value.(*unfinished).began.Add(r.timeout())
	}
	return time.Time{}
}

// expire gives up the packets whose time is over. Of those whose first fragment
// has come, it calls tell with the beginning of that fragment, for an ICMP
// error.
//
// "If the first fragment (i.e., the one with a Fragment Offset of zero) has been
// received, an ICMP Time Exceeded -- Fragment Reassembly Time Exceeded message
// should be sent to the source of that fragment."
// https://www.rfc-editor.org/rfc/rfc8200#section-4.5
func (r *reassembler) expire(now time.Time, tell func(quote []byte)) {
	for {
		d := r.deadline()
		if d.IsZero() || now.Before(d) {
			return
		}
		u := r.ages.Front().Value.(*unfinished)
		r.forget(u)
		if u.header != nil && !u.broken {
			tell(u.firstFragment())
		}
	}
}

// fragmentData finds the data that a fragment brings, from where its offset
// counts; the length of the headers before it, in IPv6 without the fragment
// header; and, in IPv6, what follows them.
func fragmentData(packet []byte, h *wire.IP) (data []byte, headerLen int, next uint8, ok bool) {
	if h.Src.Is4() {
		total := int(binary.BigEndian.Uint16(packet[2:]))
		return packet[h.HeaderLen:total], h.HeaderLen, 0, true
	}
	const fixed, fragment = 40, 44
	total := fixed + int(binary.BigEndian.Uint16(packet[4:]))
	at, kind := fixed, packet[6]
	for at+8 <= total {
		switch kind {
		case 0, 43, 60: // hop by hop, routing, destination options
			kind, at = packet[at], at+8*(int(packet[at+1])+1)
		case fragment:
			return packet[at+8 : total], at, packet[at], true
		default:
			return nil, 0, 0, false
		}
	}
	return nil, 0, 0, false
}

// packet returns the packet that a fragment is of.
func (r *reassembler) packet(now time.Time, h *wire.IP) *unfinished {
	id := fragmentID{src: h.Src, dst: h.Dst, id: h.ID}
	if h.Src.Is4() {
		id.protocol = h.Protocol
	}
	if e := r.packets[id]; e != nil {
		return e.Value.(*unfinished)
	}
	if r.packets == nil {
		r.packets, r.sources = map[fragmentID]*list.Element{}, map[netip.Addr]int{}
	}
	u := &unfinished{fragmentID: id, began: now}
	r.packets[id] = r.ages.PushBack(u)
	r.charge(u, packetOverhead)
	return u
}

// collides reports whether data from off to end does not go with what is there;
// i is where it would stand among the pieces.
func (u *unfinished) collides(i, off, end int, more bool) bool {
	switch {
	case i > 0 && u.pieces[i-1].off+len(u.pieces[i-1].data) > off:
		return true
	case i < len(u.pieces) && u.pieces[i].off < end:
		return true
	case u.last:
		return !more || end > u.end
	}
	return !more && i < len(u.pieces)
}

// shatter drops what came of a packet, and remembers to drop the rest.
func (r *reassembler) shatter(u *unfinished) {
	r.charge(u, packetOverhead-u.bytes)
	u.pieces, u.header, u.broken = nil, nil, true
}

// makeRoom forgets other packets until cost bytes more fit.
func (r *reassembler) makeRoom(u *unfinished, cost int) bool {
	all := cmp.Or(r.Memory, 1<<20)
	share := cmp.Or(r.SourceMemory, all/4)
	if u.bytes+cost > min(share, all) {
		r.shatter(u)
		return false
	}
	for e := r.ages.Front(); e != nil && r.sources[u.src]+cost > share; {
		old := e.Value.(*unfinished)
		e = e.Next()
		if old.src == u.src && old != u {
			r.forget(old)
		}
	}
	for e := r.ages.Front(); e != nil && r.bytes+cost > all; {
		old := e.Value.(*unfinished)
		e = e.Next()
		if old != u {
			r.forget(old)
		}
	}
	return true
}

func (r *reassembler) charge(u *unfinished, n int) {
	u.bytes += n
	r.bytes += n
	if r.sources[u.src] += n; r.sources[u.src] == 0 {
		delete(r.sources, u.src)
	}
}

func (r *reassembler) forget(u *unfinished) {
	r.charge(u, -u.bytes)
	r.ages.Remove(r.packets[u.fragmentID])
	delete(r.packets, u.fragmentID)
}

func (r *reassembler) timeout() time.Duration { return cmp.Or(r.Timeout, 60*time.Second) }

func (u *unfinished) complete() bool {
	if !u.last || u.header == nil {
		return false
	}
	at := 0
	for _, p := range u.pieces {
		if p.off != at {
			return false
		}
		at += len(p.data)
	}
	return at == u.end
}

// join returns the packet.
func (u *unfinished) join() ([]byte, bool) {
	const notECT, ce = 0, 3
	if u.ecn&(1<<ce) != 0 && u.ecn&(1<<notECT) != 0 {
		// "Set the CE codepoint on the reassembled packet. However, this MUST
		// NOT occur if any of the other fragments contributing to this
		// reassembly carries the Not-ECT codepoint." Otherwise, drop it.
		// https://www.rfc-editor.org/rfc/rfc3168#section-5.3
		return nil, false
	}
	if u.src.Is4() && len(u.header)+u.end > 65535 {
		return nil, false
	}
	var b []byte
	if u.src.Is4() {
		b = make([]byte, 0, len(u.header)+u.end)
		b = append(b, u.header...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(u.header)+u.end))
		binary.BigEndian.PutUint16(b[6:], 0)
		if u.ecn&(1<<ce) != 0 {
			b[1] |= ce
		}
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], wire.Fold(wire.Sum(0, b)))
	} else {
		// What stood before the fragment header was seen to when the
		// fragment was parsed, and is left out.
		b = make([]byte, 0, 40+u.end)
		b = append(b, u.header[:40]...)
		binary.BigEndian.PutUint16(b[4:], uint16(u.end))
		b[6] = u.next
		if u.ecn&(1<<ce) != 0 {
			b[1] |= ce << 4
		}
	}
	for _, p := range u.pieces {
		b = append(b, p.data...)
	}
	return b, true
}

// firstFragment is the fragment with offset 0, as an ICMP error quotes it.
func (u *unfinished) firstFragment() []byte {
	b := slices.Clone(u.header)
	if !u.src.Is4() {
		b = append(b, u.next, 0, 0, 1)
		b = binary.BigEndian.AppendUint32(b, u.id)
	}
	return append(b, u.pieces[0].data...)
}
