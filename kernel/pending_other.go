//go:build !linux

package kernel

import (
	"errors"
	"net/netip"
	"runtime"
)

// Pending cannot tell on this system: the error is [errors.ErrUnsupported].
func Pending() (map[netip.AddrPort]int, error) {
	return nil, sentencef(errors.ErrUnsupported, "%s does not tell which handshakes are not done", runtime.GOOS)
}
