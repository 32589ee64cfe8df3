package link

import (
	"fmt"
	"sync"

	"github.com/fastopen-go/fastopen/wire"
)

// A Device reads and writes batches of whole IP packets in plain buffers, as
// [TUN] and any golang.zx2c4.com/wireguard/tun.Device do.
type Device interface {
	// Read waits for packets and puts them into bufs from offset on, their
	// lengths into sizes, and returns how many. After Close it returns
	// [os.ErrClosed].
	Read(bufs [][]byte, sizes []int, offset int) (n int, err error)
	// Write sends each of bufs from offset on. It does not wait.
	Write(bufs [][]byte, offset int) (n int, err error)
	MTU() (int, error)
	// BatchSize is how many buffers to pass to Read.
	BatchSize() int
	Close() error
}

// DeviceLink is a [Device] as a link; see the package's documentation. What
// offload would do it does in software.
type DeviceLink struct {
	dev Device
	mtu int

	reading struct {
		sync.Mutex
		bufs   [][]byte
		sizes  []int
		ready  []wire.Packet // read and joined
		next   int           // the first of them that has not been received
		joiner Joiner
	}
	writing struct {
		sync.Mutex
		bufs   [][]byte
		cutter Cutter
	}
}

// deviceHeadroom is what a device may want before each packet: a virtio-net
// header, rounded up so that the packet begins on a multiple of 16.
const deviceHeadroom = 16

// FromDevice makes a link of a device, which is then the link's. Packets may be
// as long as the device's MTU is now.
func FromDevice(dev Device) (*DeviceLink, error) {
	mtu, err := dev.MTU()
	if err != nil {
		return nil, fmt.Errorf("make a link of a device: %w", err)
	}
	l := &DeviceLink{dev: dev, mtu: mtu}
	n := max(dev.BatchSize(), 1)
	l.reading.bufs = deviceBuffers(n, mtu)
	l.reading.sizes = make([]int, n)
	l.reading.ready = make([]wire.Packet, 0, n)
	l.writing.bufs = deviceBuffers(n, mtu)
	return l, nil
}

// deviceBuffers are n buffers in one piece of memory.
func deviceBuffers(n, mtu int) (bufs [][]byte) {
	size := deviceHeadroom + mtu
	memory := make([]byte, n*size)
	for i := range n {
		bufs = append(bufs, memory[i*size:(i+1)*size:(i+1)*size])
	}
	return bufs
}

// Receive waits for packets of the device.
func (l *DeviceLink) Receive(batch []wire.Packet) (n int, err error) {
	r := &l.reading
	r.Lock()
	defer r.Unlock()
	if len(batch) == 0 {
		return 0, nil
	}
	for r.next == len(r.ready) {
		k, err := l.dev.Read(r.bufs, r.sizes, deviceHeadroom)
		if err != nil && k == 0 {
			return 0, err
		}
		r.ready, r.next = r.ready[:0], 0
		for i := range k {
			if end := deviceHeadroom + r.sizes[i]; r.sizes[i] > 0 {
				r.ready = append(r.ready, wire.Packet{Head: r.bufs[i][deviceHeadroom:end:end]})
			}
		}
		r.ready = r.ready[:r.joiner.Join(r.ready)]
	}
	n = copy(batch, r.ready[r.next:])
	r.next += n
	return n, nil
}

// Send writes packets to the device, cut and summed. What the device drops it
// does not tell, so it counts as taken.
func (l *DeviceLink) Send(batch []wire.Packet) (n int, err error) {
	w := &l.writing
	w.Lock()
	defer w.Unlock()
	k := 0 // buffers that are full
	for i := range batch {
		if e := w.cutter.Reset(&batch[i], l.mtu); e != nil {
			err = fmt.Errorf("send to a device: %w", e)
			continue
		}
		for w.cutter.More() {
			if k == len(w.bufs) {
				if err := l.flush(k); err != nil {
					return n, err
				}
				k = 0
			}
			size := w.cutter.Next(w.bufs[k][deviceHeadroom:cap(w.bufs[k])])
			w.bufs[k] = w.bufs[k][:deviceHeadroom+size]
			k++
		}
		n++
	}
	if e := l.flush(k); e != nil {
		err = e
	}
	return n, err
}

// flush writes the first k buffers.
func (l *DeviceLink) flush(k int) error {
	if k == 0 {
		return nil
	}
	_, err := l.dev.Write(l.writing.bufs[:k], deviceHeadroom)
	return err
}

// MTU is that of the device when the link was made.
func (l *DeviceLink) MTU() (int, error) { return l.mtu, nil }

// Close closes the device.
func (l *DeviceLink) Close() error { return l.dev.Close() }
