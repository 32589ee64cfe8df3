package kernel

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// as runs f on a thread with the rights of an ordinary user. The thread ends
// with it.
func as(t *testing.T, uid int, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock
		// The raw calls change the calling thread alone.
		for _, id := range [][4]uintptr{{unix.SYS_SETGROUPS, 0}, {unix.SYS_SETRESGID, uintptr(uid), uintptr(uid), uintptr(uid)}, {unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)}} {
			if _, _, errno := unix.RawSyscall(id[0], id[1], id[2], id[3]); errno != 0 {
				done <- errno
				return
			}
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Fatalf("become user %d: %v", uid, err)
	}
}
