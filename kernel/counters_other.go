//go:build !linux

package kernel

import (
	"errors"
	"runtime"
)

// ReadCounters cannot tell on this system: the error is
// [errors.ErrUnsupported].
func ReadCounters() (Counters, error) {
	return Counters{}, sentencef(errors.ErrUnsupported, "%s has no counters of Fast Open that could be read", runtime.GOOS)
}
