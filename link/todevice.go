package link

import (
	"sync"

	"github.com/fastopen-go/fastopen/wire"
)

// A Link is what the package's documentation says.
type Link interface {
	Receive(batch []wire.Packet) (n int, err error)
	Send(batch []wire.Packet) (n int, err error)
	MTU() (int, error)
	Close() error
}

// LinkDevice is a [Link] as a [Device]: whoever reads it gets what would be on
// a wire, cut and summed; what is written is joined before it is sent.
type LinkDevice struct {
	link Link

	reading struct {
		sync.Mutex
		batch  []wire.Packet
		n      int // packets in batch
		next   int // the first that has not been begun
		mtu    int
		cutter Cutter
	}
	writing struct {
		sync.Mutex
		batch  []wire.Packet
		joiner Joiner
	}
}

// deviceBatch packets are read at most in one call: as many as wireguard-go
// encrypts at once.
const deviceBatch = 128

// ToDevice makes a device of a link, which is then the device's. The link's
// packets must begin with their IP header.
func ToDevice(l Link) (*LinkDevice, error) {
	mtu, err := l.MTU()
	if err != nil {
		return nil, err
	}
	d := &LinkDevice{link: l}
	d.reading.mtu = mtu
	d.reading.batch = make([]wire.Packet, deviceBatch)
	d.writing.batch = make([]wire.Packet, 0, deviceBatch)
	return d, nil
}

// Read waits for packets and puts them into bufs from offset on, their lengths
// into sizes, and returns how many. What does not fit into its buffer is left
// out, so buffers have room for offset and the MTU.
func (d *LinkDevice) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	r := &d.reading
	r.Lock()
	defer r.Unlock()
	for n == 0 && len(bufs) > 0 {
		if !r.cutter.More() && r.next == r.n {
			if r.n, err = d.link.Receive(r.batch); err != nil {
				return 0, err
			}
			r.next = 0
		}
		for n < len(bufs) && d.begin() {
			if len(bufs[n])-offset < r.cutter.NextLen() {
				r.cutter.Skip()
				continue
			}
			sizes[n] = r.cutter.Next(bufs[n][offset:])
			n++
		}
	}
	return n, nil
}

// begin goes on to the next packet if one has been finished, and reports
// whether there is one.
func (d *LinkDevice) begin() bool {
	r := &d.reading
	for !r.cutter.More() {
		if r.next == r.n {
			return false
		}
		r.cutter.Reset(&r.batch[r.next], r.mtu) // what it refuses is left out
		r.next++
	}
	return true
}

// Write sends each of bufs from offset on, and returns how many packets there
// were. It never waits. Joined packets are put together in the first's buffer,
// where its capacity allows.
func (d *LinkDevice) Write(bufs [][]byte, offset int) (n int, err error) {
	w := &d.writing
	w.Lock()
	defer w.Unlock()
	w.batch = w.batch[:0]
	for _, b := range bufs {
		w.batch = append(w.batch, wire.Packet{Head: b[offset:]})
	}
	if _, err := d.link.Send(w.batch[:w.joiner.Join(w.batch)]); err != nil {
		return 0, err
	}
	return len(bufs), nil
}

// MTU is the link's.
func (d *LinkDevice) MTU() (int, error) { return d.link.MTU() }

// BatchSize is 128, as in wireguard-go.
func (d *LinkDevice) BatchSize() int { return deviceBatch }

// Close closes the link.
func (d *LinkDevice) Close() error { return d.link.Close() }
