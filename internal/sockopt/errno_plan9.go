package sockopt

import "syscall"

// What a connection dies of.
const (
	ConnRefused = syscall.ErrorString("connection refused")
	ConnReset   = syscall.ErrorString("connection reset")
	TimedOut    = syscall.ErrorString("connection timed out")
)
