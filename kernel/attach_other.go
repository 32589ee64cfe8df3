//go:build !linux

package kernel

import (
	"errors"
	"fmt"
	"runtime"
)

// Attach cannot be done on this system: the error is
// [errors.ErrUnsupported].
func Attach(l Listener, queue int) (int, error) { return l.Queue, errNoAttach() }

// Detach cannot be done on this system: see [Attach].
func Detach(l Listener) error { return errNoAttach() }

// Reach returns the error of [Attach].
func Reach(l Listener) error { return errNoAttach() }

func errNoAttach() error {
	return fmt.Errorf("kernel: only Linux lets one program change the sockets of another, and this is %s: use the server's own setting: %w", runtime.GOOS, errors.ErrUnsupported)
}

func setQueue(l Listener, queue int) (int, error) { return l.Queue, errNoAttach() }
