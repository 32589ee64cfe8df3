//go:build !linux

package kernel

import (
	"errors"
	"fmt"
	"runtime"
)

// Listeners cannot tell on this system: the error is
// [errors.ErrUnsupported].
func Listeners() ([]Listener, error) {
	return nil, fmt.Errorf("kernel: only Linux tells who listens, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func sockets() ([]Listener, error) { return Listeners() }

func bareSockets() ([]Listener, error) { return Listeners() }

func findOwners([]Listener) error { return nil }

func findQueues([]Listener) error { return nil }
