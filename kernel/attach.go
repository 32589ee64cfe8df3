package kernel

// An AttachError says why Fast Open could not be changed in a listener that
// another process holds, and what can be done instead. [errors.Is] tells the
// cases apart:
//
//   - [fs.ErrNotExist]: the process ended, or closed the socket, since it was
//     listed;
//   - [fs.ErrPermission]: the user, or everybody in this container, may not
//     reach into the process, or may not even see which one it is;
//   - [errors.ErrUnsupported]: this kernel, or what filters system calls here,
//     cannot do it.
type AttachError struct {
	Listener Listener
	Process  Process // who holds the socket; the zero value if none is known
	Reason   string  // why, and what to do, in words that fit behind a colon
	Err      error   // the system call that failed
}

// Error returns one sentence.
func (e *AttachError) Error() string {
	return "kernel: cannot change Fast Open at " + e.Listener.String() + ": " + e.Reason
}

// Unwrap returns Err.
func (e *AttachError) Unwrap() error { return e.Err }
