//go:build !linux

package kernel

// Persist makes the next boot turn bits on and off. This system has no such
// setting, so the error is [errors.ErrUnsupported].
func Persist(root string, on, off Bits, dry bool) (Persisted, error) {
	return Persisted{}, absent(Name)
}

// Unpersist takes back what [Persist] did: here the error is
// [errors.ErrUnsupported].
func Unpersist(root string, only Bits, dry bool) (Persisted, error) {
	return Persisted{}, absent(Name)
}

// Remembered returns what was changed of the running value: here the error is
// [errors.ErrUnsupported].
func Remembered(root string) (c BitChange, ok bool, err error) {
	return BitChange{}, false, absent(Name)
}

// Remember remembers a change of the running value: here the error is
// [errors.ErrUnsupported].
func Remember(root string, c BitChange) error { return absent(Name) }

// Forget makes it so that nothing was ever remembered: here the error is
// [errors.ErrUnsupported].
func Forget(root string) error { return absent(Name) }
