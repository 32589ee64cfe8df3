//go:build !plan9 && !windows

package sockopt

import "syscall"

// What a connection dies of.
const (
	ConnRefused = syscall.ECONNREFUSED
	ConnReset   = syscall.ECONNRESET
	TimedOut    = syscall.ETIMEDOUT
)
