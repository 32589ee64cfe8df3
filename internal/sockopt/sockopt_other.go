//go:build !linux && !darwin && !freebsd && !windows

package sockopt

import "errors"

// EnableBeforeListen says that [Enable] belongs before listen.
const EnableBeforeListen = true

// Enable lets a listener accept data in SYNs: this system has no such thing.
func Enable(uintptr, int) error { return errors.ErrUnsupported }

// Queue reads what [Enable] has set.
func Queue(uintptr) (int, error) { return 0, errors.ErrUnsupported }

// EarlyConnect prepares a connect that takes the first bytes.
func EarlyConnect(uintptr) error { return errors.ErrUnsupported }

// Inspect reads what the system knows of a connection's beginning.
func Inspect(uintptr) (Info, error) { return Info{}, errors.ErrUnsupported }

// TakeError returns and clears the socket's pending error.
func TakeError(uintptr) error { return errors.ErrUnsupported }
