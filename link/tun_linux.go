package link

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// TUN is a network device whose other side is this program: packets that the
// kernel routes to the device are read here, packets written here arrive on it.
// Its methods may be called from any goroutine.
type TUN struct {
	file *os.File
	raw  syscall.RawConn
	name string // the one it was made with
	// control is a socket in the namespace of the device, through which its
	// settings are read whatever the namespace of the calling thread.
	control *os.File

	reading readOp
	writing writeOp
	closed  atomic.Bool
	drops   atomic.Uint64
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

// MTU returns the length of the longest packet of the device, in bytes.
func (t *TUN) MTU() (int, error) {
	name, err := t.Name()
	if err != nil {
		return 0, err
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		err = ioctl(t.control, unix.SIOCGIFMTU, ifr)
	}
	if err != nil {
		return 0, t.wrap("read MTU of", err)
	}
	return int(ifr.Uint32()), nil
}

// Name returns the name that the device has now.
func (t *TUN) Name() (string, error) {
	ifr := new(unix.Ifreq)
	if err := ioctl(t.file, unix.TUNGETIFF, ifr); err != nil {
		return "", t.wrap("read name of", err)
	}
	return ifr.Name(), nil
}

// Drops returns how many packets Write could not deliver because the kernel
// had no room or the device was down.
func (t *TUN) Drops() uint64 { return t.drops.Load() }

// Close removes the device and unblocks Read.
func (t *TUN) Close() error {
	if t.closed.Swap(true) {
		return t.wrap("close", os.ErrClosed)
	}
	return errors.Join(t.file.Close(), t.control.Close())
}

func openTUN(c TUNConfig) (*TUN, error) {
	ifr, err := unix.NewIfreq(c.Name)
	if err != nil {
		return nil, fmt.Errorf("choose a name of at most %d bytes: %w", unix.IFNAMSIZ-1, err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("ioctl TUNSETIFF", err)
	}
	// Only now: before it has a device, the file reports an error to epoll,
	// and os.NewFile would leave it without the poller.
	t := &TUN{file: os.NewFile(uintptr(fd), "/dev/net/tun"), name: ifr.Name()}
	t.reading.ready = t.reading.read
	t.writing.ready = t.writing.write
	t.writing.drops = &t.drops
	if t.raw, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return nil, err
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.file.Close()
		return nil, os.NewSyscallError("socket", err)
	}
	t.control = os.NewFile(uintptr(fd), "socket")
	if c.MTU != 0 {
		ifr.SetUint32(uint32(c.MTU))
		if err := ioctl(t.control, unix.SIOCSIFMTU, ifr); err != nil {
			t.Close()
			return nil, os.NewSyscallError("ioctl SIOCSIFMTU", err)
		}
	}
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

// wrap names the device in an error, and makes both ways to lose it, Close
// and deletion from outside (EBADFD), the same.
func (t *TUN) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if t.closed.Load() || t.deleted() {
		err = os.ErrClosed
	}
	return &os.PathError{Op: op, Path: t.name, Err: err}
}

// deleted reports whether the file has lost its device. It cannot be told from
// the error of a Read or Write: EBADFD if they came too late, but "not
// pollable" if they were about to wait.
func (t *TUN) deleted() bool {
	return errors.Is(ioctl(t.file, unix.TUNGETIFF, new(unix.Ifreq)), unix.EBADFD)
}

func ioctl(f *os.File, request uint, ifr *unix.Ifreq) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.IoctlIfreq(int(fd), request, ifr) }); cerr != nil {
		return cerr
	}
	return err
}
