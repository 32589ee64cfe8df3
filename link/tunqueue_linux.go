package link

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"github.com/fastopen-go/fastopen/wire"
	"golang.org/x/sys/unix"
)

// TUNQueue is a TUN device, or one queue of it, that passes packets together
// with what is to be done to them: the kernel hands over and takes TCP
// super-segments, and leaves checksums of what it sends itself undone. Packets
// of one flow come from the queue that its packets were last sent to.
//
// It is a link; see the package's documentation.
type TUNQueue struct {
	tunFile
	port  port
	leave sync.Once
	alive *atomic.Int32 // queues of the device that have not been closed
}

// Receive waits for packets that the kernel routes to the device.
func (q *TUNQueue) Receive(batch []wire.Packet) (n int, err error) {
	n, err = q.port.receive(batch)
	return n, q.wrap("receive from", err)
}

// Done gives back what the last Receive has lent; see the package's documentation.
func (q *TUNQueue) Done() { q.port.done() }

// Poll delivers packets that have come and does not wait; see the package's
// documentation.
func (q *TUNQueue) Poll(batch []wire.Packet, deliver func([]wire.Packet)) (n int, err error) {
	n, err = q.port.poll(batch, deliver)
	return n, q.wrap("poll", err)
}

// Send hands packets to the kernel, for which they have arrived on the device.
// While the device is down they are dropped.
func (q *TUNQueue) Send(batch []wire.Packet) (n int, err error) {
	n, err = q.port.send(batch)
	return n, q.wrap("send to", err)
}

// Drops returns how many packets Send could not deliver because the kernel
// had no room or the device was down.
func (q *TUNQueue) Drops() uint64 { return q.port.drops.Load() }

// Close closes the queue and unblocks Receive. With the last one, a device that
// is not persistent is removed, and one that is passes plain packets again.
func (q *TUNQueue) Close() error {
	q.leave.Do(func() {
		if q.alive.Add(-1) == 0 {
			q.offload(0)
		}
	})
	return q.tunFile.Close()
}

// The kernel may hand over TCP super-segments, also with CWR in them, and
// packets whose checksum is only begun. Not UDP's: there would have to be
// somebody to cut them for each reader of a socket.
const tunOffloads = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN

func openTUNQueues(c TUNConfig, n int) ([]*TUNQueue, error) {
	queues, err := tryTUNQueues(c, n)
	if err != nil {
		for _, q := range queues {
			q.Close()
		}
		return nil, err
	}
	return queues, nil
}

// tryTUNQueues returns what it has opened, even if that is not all.
func tryTUNQueues(c TUNConfig, n int) (queues []*TUNQueue, err error) {
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if n > 1 {
		flags |= unix.IFF_MULTI_QUEUE
	}
	alive := new(atomic.Int32)
	for range n {
		q := &TUNQueue{alive: alive}
		err := q.tunFile.open(c, flags)
		if n == 1 && errors.Is(err, unix.EINVAL) {
			// One queue of a persistent device that may have many.
			err = q.tunFile.open(c, flags|unix.IFF_MULTI_QUEUE)
		}
		if err != nil {
			return queues, err
		}
		alive.Add(1)
		queues = append(queues, q)
		c.Name = q.name // the others are of the same device
		q.port.init(q.raw, 0, false)
		if err := q.offload(tunOffloads); err != nil {
			return queues, os.NewSyscallError("ioctl TUNSETOFFLOAD", err)
		}
	}
	return queues, nil
}
