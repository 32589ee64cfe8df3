//go:build unix

package stack_test

import (
	"syscall"
	"time"
)

// cpu is how much processor time this process has used: steadier than how long
// something takes, on a machine that does other things.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
