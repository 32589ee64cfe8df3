package tcp

import (
	"bytes"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// TestLend writes and reads by lending, with acknowledgments, and the end of the
// connection, coming while something is lent.
func TestLend(t *testing.T) {
	m := &counting{}
	cfg := benchConfig
	cfg.Memory, cfg.NoDelay, cfg.DelayedACK = m, true, -1
	l := Listen(&cfg, ListenConfig{}, serverAddr)
	now := testStart
	a := Dial(now, &cfg, clientAddr, serverAddr, nil)
	var b *Conn
	exchange := func() {
		for moved := true; moved; {
			moved = false
			for s, ok := a.Send(now); ok; s, ok = a.Send(now) {
				moved = true
				if b == nil {
					b = l.Receive(now, &s)
				} else {
					b.Receive(now, &s)
				}
			}
			if b == nil {
				continue
			}
			for s, ok := b.Send(now); ok; s, ok = b.Send(now) {
				moved = true
				a.Receive(now, &s)
			}
			now = now.Add(time.Millisecond)
		}
	}
	exchange()
	if l.Accept() != b {
		t.Fatal("not accepted")
	}
	var sent, got []byte
	for i := range 200 {
		if n, err := a.Write(now, bytes.Repeat([]byte{byte(i)}, i)); n != i || err != nil {
			t.Fatal(n, err)
		}
		sent = append(sent, bytes.Repeat([]byte{byte(i)}, i)...)
		room, err := a.Lend(1000)
		if len(room) == 0 || err != nil {
			t.Fatal(len(room), err)
		}
		if again, err := a.Lend(1); len(again) != 0 || err != nil {
			t.Fatalf("lent twice: %d, %v", len(again), err)
		}
		if i%2 == 0 {
			// Goes before what is lent, once more with that out of the way.
			for range 2 {
				if n, err := a.Write(now, []byte{1, 2}); n != 2 || err != nil {
					t.Fatalf("a write beside what is lent took %d, %v", n, err)
				}
				sent = append(sent, 1, 2)
			}
		}
		exchange() // everything is acknowledged: the queue is empty
		n := copy(room, bytes.Repeat([]byte{byte(i + 1)}, 3*i))
		sent = append(sent, room[:n]...)
		if err := a.Fill(now, n); err != nil {
			t.Fatal(err)
		}
		exchange()
		if k, ok := b.Take(now); ok {
			exchange()
			for p := k.Next(); len(p) > 0; p = k.Next() {
				got = append(got, p...)
			}
			k.Return()
		}
	}
	if !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes came other than the %d sent", len(got), len(sent))
	}
	// The end comes while something is lent, on both sides.
	if _, err := b.Lend(10); err != nil {
		t.Fatal(err)
	}
	a.Write(now, []byte("x"))
	exchange()
	k, _ := b.Take(now)
	a.Abort(now)
	exchange()
	if err := b.Fill(now, 10); err != ErrReset {
		t.Errorf("filling after a reset: %v", err)
	}
	k.Return()
	b.Close(now)
	if m.n != 0 {
		t.Errorf("%d blocks were not given back", m.n)
	}
}

// counting counts the blocks that are lent.
type counting struct {
	blocks
	n          int
	buffersOut int
}

func (c *counting) Get(n int) []byte { c.n++; return c.blocks.Get(n) }
func (c *counting) Put(b []byte)     { c.n--; c.blocks.Put(b) }

func (c *counting) GetBuffer() *wire.Buffer {
	c.n++
	c.buffersOut++
	return c.blocks.GetBuffer()
}

func (c *counting) PutBuffer(b *wire.Buffer) {
	c.n--
	c.buffersOut--
	c.blocks.PutBuffer(b)
}
