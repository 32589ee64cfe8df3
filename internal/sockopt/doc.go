// Package sockopt sets and reads the socket options that Fast Open needs, one file per operating system.
//
// A function that an operating system has no call for returns
// [errors.ErrUnsupported]; one that the host's settings forbid returns
// [ErrDisabled]. Every other error is an [os.SyscallError].
package sockopt
