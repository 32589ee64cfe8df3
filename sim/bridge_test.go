package sim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memory is a device whose other side is a test.
type memory struct {
	in     chan []byte // to be read
	mu     sync.Mutex
	out    []string // what was written, with the time since start
	start  time.Time
	closed chan struct{}
	fail   error // of Read, once in is closed
}

func newMemory() *memory {
	return &memory{in: make(chan []byte, 10), start: time.Now(), closed: make(chan struct{})}
}

func (m *memory) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	select {
	case p, ok := <-m.in:
		if !ok {
			return 0, m.fail
		}
		sizes[0] = copy(bufs[0][offset:], p)
		return 1, nil
	case <-m.closed:
		return 0, fmt.Errorf("read: %w", os.ErrClosed)
	}
}

func (m *memory) Write(bufs [][]byte, offset int) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range bufs {
		m.out = append(m.out, fmt.Sprintf("%v %s", time.Since(m.start), b[offset:]))
	}
	return len(bufs), nil
}

func (m *memory) written() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint(m.out)
}

func (m *memory) MTU() (int, error) { return 1500, nil }
func (m *memory) BatchSize() int    { return 2 }
func (m *memory) Close() error      { close(m.closed); return nil }

// The bridge keeps the times of its path, to the nanosecond on a clock that
// does, and leaves no goroutine: a bubble ends only when all in it have.
func TestBridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemory(), newMemory()
		p := NewPath(0, Link{AtoB: Way{Delay: 30 * ms}, BtoA: Way{Delay: 10 * ms}})
		bridge, err := newBridge(a, b, p, newTimerAlarm())
		if err != nil {
			t.Fatal(err)
		}
		a.in <- []byte("1")
		time.Sleep(5 * ms)
		a.in <- []byte("2")
		b.in <- []byte("3") // due before what was sent earlier
		time.Sleep(time.Second)
		a.in <- []byte("4")
		time.Sleep(time.Second)
		if got, want := b.written(), "[30ms 1 35ms 2 1.035s 4]"; got != want {
			t.Errorf("B got %s, want %s", got, want)
		}
		if got, want := a.written(), "[15ms 3]"; got != want {
			t.Errorf("A got %s, want %s", got, want)
		}
		a.in <- []byte("lost")
		synctest.Wait()
		if err := bridge.Close(); err != nil {
			t.Error(err)
		}
		if err := bridge.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("second Close: %v, want os.ErrClosed", err)
		}
		time.Sleep(time.Second)
		if got, want := b.written(), "[30ms 1 35ms 2 1.035s 4]"; got != want {
			t.Errorf("after Close B got %s, want %s", got, want)
		}
	})
}

// In real time a packet arrives, not early, and Close ends every goroutine.
func TestBridgeRealTime(t *testing.T) {
	a, b := newMemory(), newMemory()
	var atB Tap
	bridge, err := NewBridge(a, b, NewPath(0, Delay(20*ms), &atB))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	a.in <- []byte("1")
	if _, err := atB.Await(t.Context(), 1, nil); err != nil || time.Since(began) < 20*ms {
		t.Errorf("after %v: %v, want arrival after 20 ms", time.Since(began), err)
	}
	if err := bridge.Close(); err != nil {
		t.Error(err)
	}
	stacks := make([]byte, 1<<20)
	if n := runtime.Stack(stacks, true); bytes.Contains(stacks[:n], []byte("sim.(*Bridge)")) {
		t.Errorf("goroutines are left:\n%s", stacks[:n])
	}
}

// A device that fails stops its own direction only, and Close says why.
func TestBridgeReadError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newMemory(), newMemory()
		bridge, err := newBridge(a, b, NewPath(0), newTimerAlarm())
		if err != nil {
			t.Fatal(err)
		}
		a.fail = errors.New("cable cut")
		close(a.in)
		synctest.Wait()
		b.in <- []byte("x")
		synctest.Wait()
		if got := a.written(); got != "[0s x]" {
			t.Errorf("A got %s", got)
		}
		if err := bridge.Close(); !errors.Is(err, a.fail) {
			t.Errorf("Close: %v, want %v", err, a.fail)
		}
	})
}

// Both alarms ring after the time set last, at once for a time that is past,
// not before it is set, and let go of who waits when they are closed.
func TestAlarm(t *testing.T) {
	real, err := newRealAlarm()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []alarm{real, newTimerAlarm()} {
		t.Run(fmt.Sprintf("%T", a), func(t *testing.T) {
			rang := make(chan bool)
			go func() {
				for {
					ok := a.wait()
					rang <- ok
					if !ok {
						return
					}
				}
			}()
			began := time.Now()
			a.set(time.Hour)
			a.set(20 * ms)
			if ok, took := <-rang, time.Since(began); !ok || took < 20*ms {
				t.Errorf("rang %v after %v, want after 20 ms", ok, took)
			}
			for _, d := range []time.Duration{0, -time.Hour} {
				a.set(d)
				if ok := <-rang; !ok {
					t.Errorf("set to %v: closed, want rung", d)
				}
			}
			a.set(time.Hour)
			a.close()
			a.set(0)
			if ok := <-rang; ok {
				t.Error("rang after close")
			}
		})
	}
}
