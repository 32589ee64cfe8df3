package stack

import (
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// What a busy time leaves in buffers is kept as long as it is used, and given back
// after a while of disuse.
func TestMemoryTrim(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := NewHost(now, HostConfig{Links: []LinkConfig{{}}})
	var lent [][]byte
	for range 100 {
		lent = append(lent, h.memory.Get(64<<10))
	}
	for _, b := range lent {
		h.memory.Put(b)
	}
	h.Receive(now, 0, nil)
	if h.Deadline().IsZero() {
		t.Fatal("nothing is to be done about 6.4 MB that nobody uses")
	}
	// Forty are in use now and then.
	for end := now.Add(3 * trimEvery); now.Before(end); {
		for i := range 40 {
			lent[i] = h.memory.Get(64 << 10)
		}
		for _, b := range lent[:40] {
			h.memory.Put(b)
		}
		now = now.Add(time.Second)
		h.Advance(now)
	}
	if want := 40 * 64 << 10; h.memory.kept != want {
		t.Errorf("%d bytes are kept, want %d", h.memory.kept, want)
	}
	for n := 0; !h.Deadline().IsZero(); n++ {
		if n == 10 {
			t.Fatal("there is no end to it")
		}
		now = h.Deadline()
		h.Advance(now)
	}
	if h.memory.kept > keptIdle || h.memory.lent != 0 {
		t.Errorf("%d bytes are kept at the end, and %d blocks lent", h.memory.kept, h.memory.lent)
	}
}

// Buffers that were exchanged for received ones go the same way.
func TestMemoryTrimBuffers(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := NewHost(now, HostConfig{Links: []LinkConfig{{}}})
	var lent []*wire.Buffer
	for range 100 {
		lent = append(lent, h.memory.GetBuffer())
	}
	for _, b := range lent {
		h.memory.PutBuffer(b)
	}
	if b := h.memory.GetBuffer(); b != lent[99] {
		t.Error("not the last that was given back is lent first")
	} else {
		h.memory.PutBuffer(b)
	}
	h.Receive(now, 0, nil)
	for n := 0; !h.Deadline().IsZero(); n++ {
		if n == 10 {
			t.Fatal("there is no end to it")
		}
		now = h.Deadline()
		h.Advance(now)
	}
	if h.memory.kept > keptIdle || h.memory.kept == 0 || h.memory.lent != 0 {
		t.Errorf("%d bytes are kept at the end, and %d blocks lent", h.memory.kept, h.memory.lent)
	}
}
