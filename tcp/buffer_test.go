package tcp

import (
	"math/rand/v2"
	"testing"

	"github.com/fastopen-go/fastopen/wire"
)

// blocks is a Memory that keeps what it gets back, for one goroutine.
type blocks struct {
	free    [32][][]byte
	buffers []*wire.Buffer
}

func (m *blocks) Get(n int) []byte {
	k := 0
	for 1<<k < n {
		k++
	}
	if f := m.free[k]; len(f) > 0 {
		b := f[len(f)-1]
		m.free[k] = f[:len(f)-1]
		return b
	}
	return make([]byte, 1<<k)
}

func (m *blocks) Put(b []byte) {
	k := 0
	for 1<<k < len(b) {
		k++
	}
	m.free[k] = append(m.free[k], b)
}

func (m *blocks) GetBuffer() *wire.Buffer {
	if n := len(m.buffers) - 1; n >= 0 {
		b := m.buffers[n]
		m.buffers = m.buffers[:n]
		return b
	}
	return wire.NewBuffer()
}

func (m *blocks) PutBuffer(b *wire.Buffer) { m.buffers = append(m.buffers, b) }

// SipHash-2-4 of 48 bytes 00 to 2f under the key 00 to 0f, computed by an
// independent implementation that reproduces the paper's example
// (15 bytes: a129ca6149be45e5).
func TestSipHash(t *testing.T) {
	var key [16]byte
	var m [48]byte
	for i := range m {
		m[i] = byte(i)
		key[i%16] = byte(i % 16)
	}
	if got, want := sipHash(&key, &m), uint64(0xe612a3cb9ecba951); got != want {
		t.Errorf("hash is %#x, want %#x", got, want)
	}
}

// The ring is a queue with places past its end.
func TestRing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var r ring
	m := &blocks{}
	var want []byte
	next := byte(0)
	for i := range 5000 {
		if rng.IntN(2) == 0 {
			p := make([]byte, rng.IntN(3000))
			for j := range p {
				p[j] = next
				next++
			}
			if i%3 == 0 && len(p) > 10 {
				// The second half first.
				h := len(p) / 2
				r.reserve(m, r.n+len(p))
				r.put(r.n+h, p[h:])
				r.put(r.n, p[:h])
				r.extend(len(p))
			} else {
				r.append(m, p)
			}
			want = append(want, p...)
		} else if k := rng.IntN(len(want)/2 + 1); k > 0 {
			r.discard(m, k, false)
			want = want[k:]
		}
		if r.n != len(want) {
			t.Fatalf("step %d: %d bytes, want %d", i, r.n, len(want))
		}
		if len(want) > 0 {
			a, b := r.view(0, r.n)
			if got := append(append([]byte{}, a...), b...); string(got) != string(want) {
				t.Fatalf("step %d: wrong bytes", i)
			}
		}
	}
	r.discard(m, r.n, false)
	if r.b != nil {
		t.Error("an empty ring keeps its block")
	}
}

// TestRingRemembers: a queue that is emptied and filled again gets a block of the
// size that it needed at once, and a smaller one when it needs less.
func TestRingRemembers(t *testing.T) {
	m := &blocks{}
	var r ring
	for range 100 {
		r.append(m, make([]byte, 1000))
	}
	r.discard(m, r.n, false)
	r.append(m, make([]byte, 10))
	if got := len(r.b); got != 128<<10 {
		t.Errorf("a block of %d bytes for what may become 100,000", got)
	}
	r.discard(m, r.n, false)
	r.append(m, make([]byte, 10))
	if got := len(r.b); got != minBlock {
		t.Errorf("a block of %d bytes for 10, after a time with no more", got)
	}
}
