//go:build !linux

package kernel

// ListenersAgain cannot tell on this system: the error is
// [errors.ErrUnsupported].
func ListenersAgain(known []Listener) ([]Listener, error) { return Listeners() }
