package link

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A tunFile is the open file of a TUN device, or of one of its queues.
type tunFile struct {
	file *os.File
	raw  syscall.RawConn
	name string // the one it was made with
	// control is a socket in the namespace of the device, through which its
	// settings are read whatever the namespace of the calling thread.
	control *os.File
	closed  atomic.Bool
	drops   atomic.Uint64
}

// MTU returns the length of the longest packet of the device, in bytes.
func (t *tunFile) MTU() (int, error) {
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
func (t *tunFile) Name() (string, error) {
	ifr := new(unix.Ifreq)
	if err := ioctl(t.file, unix.TUNGETIFF, ifr); err != nil {
		return "", t.wrap("read name of", err)
	}
	return ifr.Name(), nil
}

// Drops returns how many packets Write could not deliver because the kernel
// had no room or the device was down.
func (t *tunFile) Drops() uint64 { return t.drops.Load() }

// Close unblocks Read and removes the device, unless it is persistent.
func (t *tunFile) Close() error {
	if t.closed.Swap(true) {
		return t.wrap("close", os.ErrClosed)
	}
	return errors.Join(t.file.Close(), t.control.Close())
}

// open makes the device, or attaches to it, and sets its MTU.
func (t *tunFile) open(c TUNConfig, flags uint16) error {
	ifr, err := unix.NewIfreq(c.Name)
	if err != nil {
		return fmt.Errorf("choose a name of at most %d bytes: %w", unix.IFNAMSIZ-1, err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	ifr.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		unix.Close(fd)
		return os.NewSyscallError("ioctl TUNSETIFF", err)
	}
	// Only now: before it has a device, the file reports an error to epoll,
	// and os.NewFile would leave it without the poller.
	t.file, t.name = os.NewFile(uintptr(fd), "/dev/net/tun"), ifr.Name()
	if t.raw, err = t.file.SyscallConn(); err != nil {
		t.file.Close()
		return err
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.file.Close()
		return os.NewSyscallError("socket", err)
	}
	t.control = os.NewFile(uintptr(fd), "socket")
	if c.MTU != 0 {
		ifr.SetUint32(uint32(c.MTU))
		if err := ioctl(t.control, unix.SIOCSIFMTU, ifr); err != nil {
			t.Close()
			return os.NewSyscallError("ioctl SIOCSIFMTU", err)
		}
	}
	return nil
}

// wrap names the device in an error, and makes both ways to lose it, Close
// and deletion from outside (EBADFD), the same.
func (t *tunFile) wrap(op string, err error) error {
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
func (t *tunFile) deleted() bool {
	return errors.Is(ioctl(t.file, unix.TUNGETIFF, new(unix.Ifreq)), unix.EBADFD)
}

// offload tells the kernel what it may leave to us.
func (t *tunFile) offload(what int) (err error) {
	cerr := t.raw.Control(func(fd uintptr) { err = unix.IoctlSetInt(int(fd), unix.TUNSETOFFLOAD, what) })
	if cerr != nil {
		return cerr
	}
	return err
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
