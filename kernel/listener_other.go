//go:build !linux

package kernel

import (
	"errors"
	"syscall"
)

// Queue cannot tell on this system: the error is [errors.ErrUnsupported].
func Queue(listener syscall.Conn) (n int, err error) {
	return 0, errors.ErrUnsupported
}
