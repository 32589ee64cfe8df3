//go:build !linux

package kernel

import (
	"errors"
	"fmt"
	"runtime"
)

// FastOpen returns the value of net.ipv4.tcp_fastopen. This system has no such
// setting, so the error is [errors.ErrUnsupported].
func FastOpen() (Bits, error) {
	return 0, fmt.Errorf("kernel: %s has no %s: %w", runtime.GOOS, Name, errors.ErrUnsupported)
}
