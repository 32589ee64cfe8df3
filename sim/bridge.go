package sim

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen/link"
)

// A Bridge carries packets between two devices over a path, in real time: what
// is read from the device at A is sent at end A, and what arrives at end B is
// written to the device at B, and the other way. On Linux a packet is written
// some ten microseconds after it is due, if the machine is idle.
//
// The path belongs to the bridge until Close returns.
type Bridge struct {
	devices [2]link.Device // the one where AtoB begins, the one where BtoA begins
	alarm   alarm
	work    sync.WaitGroup

	mu     sync.Mutex
	path   *Path
	armed  time.Time   // when the alarm is set to ring
	out    [2][][]byte // buffers for what goes to each end, by direction
	closed bool
	err    error // the first that stopped something
}

// Headroom that a device may want before a packet it is given to write: that
// of a virtio-net header. Reading leaves the same.
const headroom = 10

// NewBridge starts to carry packets. Close stops it and closes both devices.
func NewBridge(a, b link.Device, p *Path) (*Bridge, error) {
	alarm, err := newRealAlarm()
	if err != nil {
		return nil, fmt.Errorf("bridge: make a timer: %w", err)
	}
	return newBridge(a, b, p, alarm)
}

// Close stops the bridge, closes both devices and returns when all goroutines
// have ended. Packets on the way are lost. The error is the first that kept
// the bridge from reading a device.
func (b *Bridge) Close() error {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	if closed {
		return fmt.Errorf("close bridge: %w", os.ErrClosed)
	}
	for _, dev := range b.devices {
		dev.Close()
	}
	b.alarm.close()
	b.work.Wait()
	return b.err
}

func newBridge(devA, devB link.Device, p *Path, alarm alarm) (*Bridge, error) {
	b := &Bridge{devices: [2]link.Device{AtoB: devA, BtoA: devB}, alarm: alarm, path: p}
	var bufs [2][][]byte
	for d, dev := range b.devices {
		mtu, err := dev.MTU()
		if err != nil {
			alarm.close()
			return nil, fmt.Errorf("bridge: device at the start of %v: %w", Dir(d), err)
		}
		for range max(dev.BatchSize(), 1) {
			bufs[d] = append(bufs[d], make([]byte, headroom+mtu))
		}
	}
	for d := range b.devices {
		b.work.Go(func() { b.read(Dir(d), bufs[d]) })
	}
	b.work.Go(b.ring)
	return b, nil
}

// read sends what comes from one device until that is closed.
func (b *Bridge) read(d Dir, bufs [][]byte) {
	sizes := make([]int, len(bufs))
	for {
		n, err := b.devices[d].Read(bufs, sizes, headroom)
		b.mu.Lock()
		now := time.Now()
		for i := range n {
			b.path.Send(now, d, bufs[i][headroom:][:sizes[i]])
		}
		b.deliver(now)
		if err != nil && !errors.Is(err, os.ErrClosed) && b.err == nil {
			b.err = fmt.Errorf("bridge: %w", err)
		}
		b.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// ring delivers what is due each time the alarm rings.
func (b *Bridge) ring() {
	for b.alarm.wait() {
		b.mu.Lock()
		b.armed = time.Time{}
		b.deliver(time.Now())
		b.mu.Unlock()
	}
}

// deliver writes what has arrived and sets the alarm for what will.
func (b *Bridge) deliver(now time.Time) {
	var n [2]int
	for {
		pkt, ok := b.path.Receive(now)
		if !ok {
			break
		}
		d := pkt.Dir
		if n[d] == len(b.out[d]) {
			b.out[d] = append(b.out[d], make([]byte, headroom, 2048))
		}
		b.out[d][n[d]] = append(b.out[d][n[d]][:headroom], pkt.Data...)
		n[d]++
	}
	for d, n := range n {
		if n > 0 {
			// A packet that the device does not take is lost, as on any
			// network.
			b.devices[Dir(d).Reverse()].Write(b.out[d][:n], headroom)
		}
	}
	if next := b.path.Deadline(); next != b.armed && !next.IsZero() {
		b.armed = next
		b.alarm.set(time.Until(next))
	}
}
