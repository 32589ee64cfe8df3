//go:build !linux

package kernel

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/fastopen-go/fastopen/tfo"
)

// FastOpen returns the value of net.ipv4.tcp_fastopen. This system has no such
// setting, so the error is [errors.ErrUnsupported].
func FastOpen() (Bits, error) { return 0, absent(Name) }

// SetFastOpen sets net.ipv4.tcp_fastopen. This system has no such setting, so
// the error is [errors.ErrUnsupported].
func SetFastOpen(Bits) error { return absent(Name) }

// MaySetFastOpen returns why nothing can be set: [errors.ErrUnsupported].
func MaySetFastOpen() error { return absent(Name) }

// Keys returns the keys of the system, which here cannot be read: the error is
// [errors.ErrUnsupported].
func Keys() (tfo.Keys, error) { return tfo.Keys{}, absent(KeyName) }

// SetKeys sets the keys of the system, which here cannot be set: the error is
// [errors.ErrUnsupported].
func SetKeys(tfo.Keys) error { return absent(KeyName) }

// ReadSettings cannot tell on this system: the error is
// [errors.ErrUnsupported].
func ReadSettings() (Settings, error) { return Settings{}, absent(Name) }

func absent(name string) error {
	return fmt.Errorf("kernel: %s has no %s: %w", runtime.GOOS, name, errors.ErrUnsupported)
}
