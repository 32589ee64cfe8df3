package tcp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// TestInbox holds the queue against a plain slice, through additions of every
// size, copied or exchanged, gaps that are filled later, and every way to read.
func TestInbox(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	m := &counting{}
	var q inbox
	var want []byte
	next := byte(0)
	bytesOf := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			next += 7
			p[i] = next
		}
		return p
	}
	sizes := []int{1, 400, 1448, wire.KeepLeast - 1, wire.KeepLeast, 60000, 65483}
	exchanged := 0
	for i := range 4000 {
		switch op := rng.IntN(10); {
		case op < 5 && len(want) < 600_000:
			p := bytesOf(sizes[rng.IntN(len(sizes))])
			want = append(want, p...)
			if rng.IntN(3) == 0 {
				q.add(m, p, nil)
				break
			}
			mine := wire.NewBuffer()
			at := mine
			off := wire.BufferSize - len(p) - rng.IntN(wire.BufferSize-len(p)+1)
			in := mine.Memory[off : off+copy(mine.Memory[off:], p)]
			q.add(m, in, &mine)
			if mine != at {
				exchanged++
			} else {
				clear(at.Memory) // it was not to be kept
			}
			if len(mine.Memory) != wire.BufferSize || mine.Next != nil {
				t.Fatal("a bad buffer was left")
			}
		case op < 6 && len(want) < 600_000:
			// The second half comes first.
			p := bytesOf(2000 + rng.IntN(2000))
			h := len(p) / 2
			q.reserve(m, q.n+len(p))
			q.put(q.n+h, p[h:])
			if rng.IntN(2) == 0 && q.len() > 0 {
				// All that is there is read meanwhile.
				got := make([]byte, q.len()+10)
				if n := q.read(m, got, true); !bytes.Equal(got[:n], want) {
					t.Fatalf("step %d: read %d bytes, want %d", i, n, len(want))
				}
				want = nil
			}
			q.put(q.n, p[:h])
			q.extend(len(p))
			want = append(want, p...)
		case op < 8:
			got := make([]byte, rng.IntN(100_000))
			n := q.peek(got)
			if !bytes.Equal(got[:n], want[:n]) || n != min(len(got), len(want)) {
				t.Fatalf("step %d: peeked at %d bytes", i, n)
			}
			if n = q.read(m, got, false); !bytes.Equal(got[:n], want[:n]) || n != min(len(got), len(want)) {
				t.Fatalf("step %d: read %d bytes of %d", i, n, len(want))
			}
			want = want[n:]
		case op < 9:
			k := rng.IntN(len(want) + 1)
			q.discard(m, k, false)
			want = want[k:]
		case rng.IntN(20) == 0:
			q.release(m)
			want = nil
		}
		if q.len() != len(want) {
			t.Fatalf("step %d: %d bytes, want %d", i, q.len(), len(want))
		}
		if memory := m.buffersOut * wire.BufferSize; memory > 4*len(want)+4*wire.BufferSize {
			t.Fatalf("step %d: %d bytes of buffers for %d", i, memory, len(want))
		}
	}
	if exchanged < 100 {
		t.Errorf("only %d buffers were exchanged", exchanged)
	}
	q.release(m)
	if m.n != 0 || q.b != nil {
		t.Errorf("%d blocks are still in use", m.n)
	}
}

// TestReceiveByExchange sends a stream in super-segments over a link that keeps
// some, loses some and swaps some, and that uses its memory again at once unless
// it was exchanged.
func TestReceiveByExchange(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 5))
		m := &counting{}
		cfg := benchConfig
		cfg.Memory, cfg.Offload = m, 65535
		cfg.SendBuffer, cfg.ReceiveBuffer, cfg.MaxReceiveBuffer = 4<<20, 1<<20, 4<<20
		l := Listen(&cfg, ListenConfig{}, serverAddr)
		now := testStart
		a := Dial(now, &cfg, clientAddr, serverAddr, nil)
		var b *Conn
		var sent, got bytes.Buffer
		mine := wire.NewBuffer()
		exchanged := 0
		arrive := func(s wire.Segment) {
			had := mine
			p := append(append(mine.Memory[:100], s.Payload...), s.Rest...)[100:]
			s.Payload, s.Rest, s.Buffer = p, nil, &mine
			b.Receive(now, &s)
			if mine != had {
				exchanged++
			} else {
				clear(mine.Memory)
			}
		}
		const total = 8 << 20
		chunk := make([]byte, 1<<20)
		for step := 0; got.Len() < total; step++ {
			if step > 100_000 {
				t.Fatalf("seed %d: stuck at %d bytes", seed, got.Len())
			}
			p := chunk[:1+rng.IntN(200_000)]
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
			if n, _ := a.Write(now, p[:min(len(p), total-sent.Len())]); n > 0 {
				sent.Write(p[:n])
			}
			var later []wire.Segment
			for s, ok := a.Send(now); ok; s, ok = a.Send(now) {
				switch {
				case b == nil:
					b = l.Receive(now, &s)
				case s.Len() > 0 && rng.IntN(40) == 0: // lost
				case s.Len() > 0 && rng.IntN(20) == 0:
					s.Payload = append(append([]byte{}, s.Payload...), s.Rest...)
					s.Rest = nil
					later = append(later, s)
				default:
					arrive(s)
				}
			}
			for _, s := range later {
				arrive(s)
			}
			for s, ok := b.Send(now); ok; s, ok = b.Send(now) {
				a.Receive(now, &s)
			}
			switch rng.IntN(4) {
			case 0:
				n, _ := b.Read(now, chunk[:1+rng.IntN(len(chunk))])
				got.Write(chunk[:n])
			case 1, 2:
				if k, ok := b.Take(now); ok {
					for p := k.Next(); len(p) > 0; p = k.Next() {
						got.Write(p)
					}
					k.Return()
				}
			}
			now = now.Add(10 * time.Millisecond)
			if err := b.invariants(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if !bytes.Equal(got.Bytes(), sent.Bytes()) {
			t.Fatalf("seed %d: other bytes came than were sent", seed)
		}
		if exchanged == 0 {
			t.Errorf("seed %d: no buffer was exchanged", seed)
		}
		a.Abort(now)
		b.Abort(now)
		if m.n != 0 {
			t.Errorf("seed %d: %d blocks were not given back", seed, m.n)
		}
	}
}
