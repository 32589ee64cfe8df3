package link

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// TUN is a network device whose other side is this program: packets that the
// kernel routes to the device are read here, packets written here arrive on it.
// Its methods may be called from any goroutine.
type TUN struct {
	tunFile
	reading readOp
	writing writeOp
}

// tunBatch packets are read at most in one call. A burst of acknowledgments
// is seldom longer, and the buffers for it fit a second-level cache.
const tunBatch = 64

// Read waits until the kernel has sent at least one packet and then fills as
// many of bufs as there are packets, each from offset on, and puts their
// lengths into sizes. It returns how many there are. A packet longer than its
// buffer is cut short, so buffers have room for offset and the MTU.
//
// After Close the error is [os.ErrClosed].
func (t *TUN) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	o := &t.reading
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bufs, o.sizes, o.offset, o.n, o.err = bufs, sizes, offset, 0, nil
	err = t.raw.Read(o.ready)
	o.bufs, o.sizes = nil, nil
	if err == nil {
		err = o.err
	}
	return o.n, t.wrap("read", err)
}

// Write hands each of bufs, from offset on, to the kernel as a packet that has
// arrived on the device, and returns how many the kernel took. It never blocks:
// what the kernel has no room for, or arrives while the device is down, is
// dropped and counted, which is no error. A packet that is not IP is one, after
// which the rest is still written.
//
// After Close, or when the device has been deleted, the error is
// [os.ErrClosed].
func (t *TUN) Write(bufs [][]byte, offset int) (n int, err error) {
	o := &t.writing
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bufs, o.offset, o.n, o.err = bufs, offset, 0, nil
	err = t.raw.Write(o.ready)
	o.bufs = nil
	if err == nil {
		err = o.err
	}
	return o.n, t.wrap("write", err)
}

// BatchSize is the number of buffers that it makes sense to pass to Read.
func (t *TUN) BatchSize() int { return tunBatch }

func openTUN(c TUNConfig) (*TUN, error) {
	t := new(TUN)
	if err := t.open(c, unix.IFF_TUN|unix.IFF_NO_PI); err != nil {
		return nil, err
	}
	// A persistent device may have been left by somebody who took more.
	if err := t.offload(0); err != nil {
		t.Close()
		return nil, os.NewSyscallError("ioctl TUNSETOFFLOAD", err)
	}
	t.reading.ready = t.reading.read
	t.writing.ready = t.writing.write
	t.writing.drops = &t.drops
	return t, nil
}

// A readOp is the state of a call of Read. It lives in the TUN, and ready is
// bound once, so that a call allocates nothing.
type readOp struct {
	mu     sync.Mutex
	ready  func(fd uintptr) bool
	bufs   [][]byte
	sizes  []int
	offset int
	n      int
	err    error
}

// read is called when the device may have packets; false asks to be called
// again when there are more.
func (o *readOp) read(fd uintptr) bool {
	for o.n < len(o.bufs) {
		size, err := unix.Read(int(fd), o.bufs[o.n][o.offset:])
		switch err {
		case nil:
			o.sizes[o.n] = size
			o.n++
		case unix.EINTR:
		case unix.EAGAIN:
			return o.n > 0
		default:
			if o.n == 0 {
				o.err = err
			}
			return true
		}
	}
	return true
}

type writeOp struct {
	mu     sync.Mutex
	ready  func(fd uintptr) bool
	bufs   [][]byte
	offset int
	n      int
	err    error
	drops  *atomic.Uint64
}

func (o *writeOp) write(fd uintptr) bool {
	for i := 0; i < len(o.bufs); {
		_, err := unix.Write(int(fd), o.bufs[i][o.offset:])
		switch err {
		case nil:
			o.n++
		case unix.EINTR:
			continue
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM, unix.EIO:
			// EIO is the answer of a device that is down.
			o.drops.Add(1)
		case unix.EBADFD:
			o.err = err
			return true
		default:
			o.err = errors.Join(o.err, err)
		}
		i++
	}
	return true
}
