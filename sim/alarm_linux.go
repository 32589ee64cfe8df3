package sim

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fileAlarm is an alarm by timerfd_create(2): the kernel's high-resolution
// timer makes a file readable, and that wakes the runtime's poller at once.
type fileAlarm struct {
	file *os.File
	raw  syscall.RawConn
}

func newRealAlarm() (alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	a := &fileAlarm{file: os.NewFile(uintptr(fd), "timerfd")}
	if a.raw, err = a.file.SyscallConn(); err != nil {
		a.file.Close()
		return nil, err
	}
	return a, nil
}

func (a *fileAlarm) set(d time.Duration) {
	// A value of zero would disarm the timer.
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	a.raw.Control(func(fd uintptr) { unix.TimerfdSettime(int(fd), 0, &at, nil) })
}

func (a *fileAlarm) wait() bool {
	var expirations [8]byte
	_, err := a.file.Read(expirations[:])
	return err == nil
}

func (a *fileAlarm) close() { a.file.Close() }
