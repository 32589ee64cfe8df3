package main

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/sim"
)

// fate is a hop that does to each packet what the next byte of a script says,
// and lets everything pass after the last. Of two such hops only one may flip
// bits: the checksum finds one flip always, but two may make up for each other.
func fate(script []byte, flips bool) sim.Box {
	type held struct {
		d      sim.Dir
		packet []byte
		after  int // so many more packets
	}
	var late []held
	return func(_ time.Time, d sim.Dir, packet []byte, emit func(sim.Dir, []byte)) {
		what := byte(0)
		if len(script) > 0 {
			what, script = script[0], script[1:]
		}
		n := int(what >> 3)
		switch what & 7 {
		default:
			emit(d, bytes.Clone(packet))
		case 3: // lost
		case 4: // twice
			emit(d, bytes.Clone(packet))
			emit(d, bytes.Clone(packet))
		case 5: // one bit flipped; which one depends on the packet too
			b := bytes.Clone(packet)
			if flips {
				b[n*len(b)/32+len(b)/64] ^= 1 << (n % 8)
			}
			emit(d, b)
		case 6: // overtaken by the next n packets, of either direction
			late = append(late, held{d, bytes.Clone(packet), n + 1})
		case 7: // now, and once more after n packets
			late = append(late, held{d, bytes.Clone(packet), 4*n + 1})
			emit(d, bytes.Clone(packet))
		}
		for i := range late {
			late[i].after--
		}
		for i := 0; i < len(late); {
			if late[i].after > 0 {
				i++
				continue
			}
			x := late[i]
			late = slices.Delete(late, i, i+1) // first: it may come back here
			emit(x.d, x.packet)
			i = 0
		}
	}
}

// Whatever a network does to packets, the two machines agree on the bytes, end,
// and leave nothing behind. The input chooses everything: two bytes the seed of
// what is negotiated and said, one the Fast Open case, one the middlebox, and
// the rest what becomes of each packet.
func FuzzAgree(f *testing.F) {
	for i := range len(fasts) {
		f.Add([]byte{byte(i), 0, byte(i), byte(i), 0, 3, 0, 4, 6, 13, 29, 0, 0, 3, 7, 0, 0, 14})
	}
	f.Add([]byte{1, 0, 0, 0})
	f.Add(append([]byte{2, 0, 0, 0}, bytes.Repeat([]byte{3}, 200)...))
	f.Add(append([]byte{3, 0, 0, 0}, bytes.Repeat([]byte{6, 4, 3, 0, 255, 22}, 50)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 4 || len(in) > 2000 {
			return
		}
		c := testCase{fast: "fuzz", net: "fuzz", box: "fuzz", seed: uint64(binary.LittleEndian.Uint16(in))}
		fast := fasts[int(in[2])%len(fasts)].v
		middle := boxes[int(in[3])%len(boxes)].v
		if fast.both && (middle.servers > 0 || middle.make != nil && boxes[int(in[3])%len(boxes)].name == "nat") {
			return
		}
		// There is a script on either side of the middlebox.
		half := len(in[4:]) / 2
		middle.before, middle.after = fate(in[4:4+half], true), fate(in[4+half:], false)
		for _, wrong := range play(c, fast, network{harsh: true}, middle, nil).check() {
			t.Error(wrong)
		}
	})
}
