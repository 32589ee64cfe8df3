//go:build !linux

package sockopt

import "errors"

// What follows is Linux's alone.

// SetKeys gives a listener keys of its own.
func SetKeys(uintptr, []byte) error { return errors.ErrUnsupported }

// SetNoCookie does without cookies.
func SetNoCookie(uintptr) error { return errors.ErrUnsupported }

// SaveSYN makes a listener keep each connection's SYN.
func SaveSYN(uintptr) error { return errors.ErrUnsupported }

// SavedSYN reads the SYN that opened a connection.
func SavedSYN(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

// DeferConnect puts off connect until the first write.
func DeferConnect(uintptr) error { return errors.ErrUnsupported }

// SendSYN opens a connection that was put off.
func SendSYN(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
