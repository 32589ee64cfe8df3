package link_test

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

func newPipe(t testing.TB, c link.PipeConfig) (a, b *link.Pipe) {
	t.Helper()
	a, b, err := link.NewPipe(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a, b
}

// send sends one packet that must get through.
func send(t testing.TB, p *link.Pipe, packets ...wire.Packet) {
	t.Helper()
	if n, err := p.Send(packets); n != len(packets) || err != nil {
		t.Fatalf("Send: %d, %v, want %d, nil", n, err, len(packets))
	}
}

// Without offload a pipe is a wire: packets arrive cut and summed.
func TestPipeWire(t *testing.T) {
	for family, f := range families {
		a, b := newPipe(t, link.PipeConfig{})
		s := segment(family, pattern(60000))
		s.Split = 1400
		send(t, a, packet(&s))
		var got []byte
		batch := make([]wire.Packet, 17)
		for len(got) < s.Len() {
			n, err := b.Receive(batch)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range batch[:n] {
				if len(p.Head) > 1500 || p.Split != 0 || p.Check != wire.Full || p.Payload != nil || p.Rest != nil {
					t.Fatalf("%s: %d bytes, Split %d, Check %d", f.name, len(p.Head), p.Split, p.Check)
				}
				got = append(got, parse(t, p.Head).Payload...)
			}
		}
		if !bytes.Equal(got, s.Payload) {
			t.Errorf("%s: other data has arrived", f.name)
		}
	}
}

// With offload packets pass as they are, both ways.
func TestPipeOffload(t *testing.T) {
	a, b := newPipe(t, link.PipeConfig{Offload: true, MTU: 1400})
	if mtu, err := b.MTU(); mtu != 1400 || err != nil {
		t.Errorf("MTU: %d, %v", mtu, err)
	}
	for _, end := range [][2]*link.Pipe{{a, b}, {b, a}} {
		s := segment(0, pattern(30000))
		s.Rest, s.Payload, s.Split = s.Payload[20000:], s.Payload[:20000], 1300
		p := packet(&s)
		send(t, end[0], p)
		batch := make([]wire.Packet, 8)
		n, err := end[1].Receive(batch)
		if n != 1 || err != nil {
			t.Fatalf("Receive: %d, %v", n, err)
		}
		q := batch[0]
		if !bytes.Equal(q.Head, p.Append(nil)) || q.Split != 1300 || q.Check != wire.Partial || q.CheckStart != 20 || q.CheckOffset != 16 {
			t.Errorf("%d bytes, Split %d, Check %d at %d+%d", len(q.Head), q.Split, q.Check, q.CheckStart, q.CheckOffset)
		}
		if cap(q.Head) != len(q.Head) {
			t.Error("the capacity of Head reaches into the next packet")
		}
	}
}

// A full pipe drops, says so, and takes again when it has been emptied.
func TestPipeDrops(t *testing.T) {
	for _, offload := range []bool{false, true} {
		a, b := newPipe(t, link.PipeConfig{Offload: offload, Queue: 10 * (1500 + 64)})
		s := segment(0, pattern(1448))
		p := packet(&s)
		batch := make([]wire.Packet, 20)
		for round := range 5 {
			for i := range batch {
				batch[i] = p
			}
			if n, err := a.Send(batch[:12]); n != 10 || err != nil {
				t.Fatalf("round %d: Send: %d, %v, want 10 of 12", round, n, err)
			}
			if n, err := b.Receive(batch); n != 10 || err != nil || a.Drops() != uint64(2*round+2) || b.Drops() != 0 {
				t.Fatalf("round %d: Receive: %d, %v, want 10; %d dropped", round, n, err, a.Drops())
			}
		}
		// A super-segment that only begins to fit arrives in part.
		s = segment(0, pattern(20*1448))
		s.Split = 1448
		n, err := a.Send([]wire.Packet{packet(&s)})
		if n != 0 || err != nil {
			t.Errorf("Send of too much: %d, %v, want 0, nil", n, err)
		}
		if want := uint64(20); !offload && a.Drops() != want || offload && a.Drops() != 11 {
			t.Errorf("offload %v: %d dropped", offload, a.Drops())
		}
	}
}

func TestPipeErrors(t *testing.T) {
	for _, c := range []link.PipeConfig{{MTU: 67}, {MTU: 65536}, {MTU: -1}, {Queue: -1}} {
		if _, _, err := link.NewPipe(c); err == nil {
			t.Errorf("%+v: no error", c)
		} else {
			t.Log(err)
		}
	}
	for _, offload := range []bool{false, true} {
		a, b := newPipe(t, link.PipeConfig{Offload: offload})
		s := segment(0, pattern(1449))
		long, good := packet(&s), packet(&s)
		good.Payload = good.Payload[:1000]
		good.Check = wire.Full // wrong, but that is for the receiver to say
		n, err := a.Send([]wire.Packet{good, long, {}, good})
		if n != 2 || err == nil {
			t.Errorf("Send with two bad ones: %d, %v, want 2 and an error", n, err)
		}
		batch := make([]wire.Packet, 8)
		if n, err := b.Receive(batch); n != 2 || err != nil {
			t.Errorf("Receive: %d, %v, want 2", n, err)
		}
	}
}

// Close wakes a receiver at either end; what is in the pipe still comes out.
func TestPipeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := link.NewPipe(link.PipeConfig{})
		var work sync.WaitGroup
		work.Go(func() {
			if _, err := a.Receive(make([]wire.Packet, 1)); !errors.Is(err, os.ErrClosed) {
				t.Errorf("Receive at the end that closes: %v, want os.ErrClosed", err)
			}
		})
		synctest.Wait()
		s := segment(0, nil)
		send(t, a, packet(&s))
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		work.Wait()
		batch := make([]wire.Packet, 4)
		if n, err := b.Receive(batch); n != 1 || err != nil {
			t.Errorf("Receive of what waits: %d, %v", n, err)
		}
		if _, err := b.Receive(batch); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Receive after Close: %v, want os.ErrClosed", err)
		}
		if _, err := b.Send(batch[:1]); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Send after Close: %v, want os.ErrClosed", err)
		}
		if err := b.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("second Close: %v, want os.ErrClosed", err)
		}
	})
}

// Several senders and a receiver at once: every sender's packets come in order
// and unmixed, and what does not come was counted as dropped.
func TestPipeConcurrent(t *testing.T) {
	const senders, each = 4, 2000
	for _, offload := range []bool{false, true} {
		a, b := newPipe(t, link.PipeConfig{Offload: offload, Queue: 1 << 20})
		var work, reader sync.WaitGroup
		for i := range senders {
			work.Go(func() {
				for k := range each {
					s := segment(0, pattern(k%3000))
					s.Src = withPort(s.Src, uint16(1000+i))
					s.Ack, s.Split = uint32(k), 1000
					if _, err := a.Send([]wire.Packet{packet(&s)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		received := 0
		reader.Go(func() {
			var last [senders]uint32
			batch := make([]wire.Packet, 50)
			for {
				n, err := b.Receive(batch)
				if err != nil {
					return
				}
				received += n
				for i := range batch[:n] {
					p := &batch[i]
					var c link.Cutter // also finishes the checksum
					if err := c.Reset(p, 65535); err != nil {
						t.Error(err)
						return
					}
					buf := make([]byte, p.Len()+4000)
					for c.More() {
						s := parse(t, buf[:c.Next(buf)])
						k := int(s.Ack)
						off := int(s.Seq - 0xffffff00)
						if !bytes.Equal(s.Payload, pattern(k % 3000)[off:off+s.Len()]) || s.Ack < last[s.Src.Port()-1000] {
							t.Errorf("packet %d of %v is not what was sent", k, s.Src)
							return
						}
						last[s.Src.Port()-1000] = s.Ack
					}
				}
			}
		})
		work.Wait()
		a.Close()
		reader.Wait()
		sent := 0
		for k := range each {
			if sent += 1; !offload {
				sent += max(0, (k%3000-1)/1000)
			}
		}
		if got := uint64(received) + a.Drops(); got != uint64(sent*senders) {
			t.Errorf("offload %v: %d received, %d dropped, want %d together", offload, received, a.Drops(), sent*senders)
		}
	}
}

func TestPipeAllocations(t *testing.T) {
	for _, offload := range []bool{false, true} {
		a, b := newPipe(t, link.PipeConfig{Offload: offload})
		s := segment(0, pattern(60000))
		s.Split = 1448
		out, in := []wire.Packet{packet(&s), packet(&s), packet(&s)}, make([]wire.Packet, 200)
		if n := testing.AllocsPerRun(100, func() {
			a.Send(out)
			for got := 0; got < 3*60000; {
				n, _ := b.Receive(in)
				for _, p := range in[:n] {
					got += len(p.Head) - 52
				}
			}
		}); n != 0 {
			t.Errorf("offload %v: %v allocations, want none", offload, n)
		}
	}
}

func BenchmarkPipe(b *testing.B) {
	for _, c := range []struct {
		name    string
		offload bool
		data    int
	}{
		{"wire/1448", false, 1448}, {"wire/64KiB", false, 45 * 1448}, {"offload/64KiB", true, 45 * 1448}, {"offload/ack", true, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			x, y := newPipe(b, link.PipeConfig{Offload: c.offload, MTU: 1500})
			s := segment(0, pattern(c.data))
			s.Split = 1448
			out, in := make([]wire.Packet, 4), make([]wire.Packet, 64)
			for i := range out {
				out[i] = packet(&s)
			}
			b.SetBytes(int64(len(out) * s.Len()))
			b.ReportAllocs()
			packets := 0
			for b.Loop() {
				x.Send(out)
				for got := 0; got < len(out)*max(s.Len(), 1); {
					n, _ := y.Receive(in)
					packets += n
					for i := range in[:n] {
						got += max(len(in[i].Head)-52, 1)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
		})
	}
}

// A long packet comes in a buffer that the receiver may keep for another: what is
// kept stays, and what is left is filled next.
func TestPipeExchange(t *testing.T) {
	a, b := newPipe(t, link.PipeConfig{Offload: true})
	batch := make([]wire.Packet, 8)
	var kept []*wire.Buffer
	var want [][]byte
	left := map[*wire.Buffer]bool{}
	filled := 0
	for round := range 50 {
		data := bytes.Repeat([]byte{byte(round)}, 60000)
		s := segment(0, data)
		s.Split = 1400
		small := segment(0, pattern(100))
		send(t, a, packet(&s), packet(&small), packet(&s))
		for got := 0; got < 3; {
			n, err := b.Receive(batch)
			if err != nil {
				t.Fatal(err)
			}
			for i := range batch[:n] {
				p := &batch[i]
				if got++; got == 2 {
					if p.Buffer != nil {
						t.Fatal("a small packet has a buffer to itself")
					}
					continue
				}
				in := p.Head[len(p.Head)-len(data):]
				if !bytes.Equal(in, data) || len((*p.Buffer).Memory) != wire.BufferSize {
					t.Fatalf("round %d: other data, or no buffer", round)
				}
				if left[*p.Buffer] {
					filled++
				}
				if got == 1 {
					kept, want = append(kept, *p.Buffer), append(want, data)
					(*p.Buffer).Data = in
					*p.Buffer = wire.NewBuffer()
					left[*p.Buffer] = true
				}
			}
		}
	}
	for i, b := range kept {
		if !bytes.Equal(b.Data, want[i]) {
			t.Fatalf("buffer %d has changed after it was kept", i)
		}
	}
	if filled < 45 {
		t.Errorf("of 50 buffers that were left, %d were filled again", filled)
	}
}
