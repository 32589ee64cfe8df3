package sockopt

import "golang.org/x/sys/windows"

// What a connection dies of. Those of package syscall are not what Winsock
// returns.
const (
	ConnRefused = windows.WSAECONNREFUSED
	ConnReset   = windows.WSAECONNRESET
	TimedOut    = windows.WSAETIMEDOUT
)
