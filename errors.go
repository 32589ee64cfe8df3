package fastopen

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/fastopen-go/fastopen/internal/sockopt"
)

// errReset is the error of a connection that died without leaving one.
var errReset error = os.NewSyscallError("connect", sockopt.ConnReset)

// errTimeout is what package net calls a dial that ran out of time.
var errTimeout error = &timeoutError{}

type timeoutError struct{}

func (*timeoutError) Error() string   { return "i/o timeout" }
func (*timeoutError) Timeout() bool   { return true }
func (*timeoutError) Temporary() bool { return true }
func (*timeoutError) Is(err error) bool {
	return err == context.DeadlineExceeded || err == os.ErrDeadlineExceeded
}

// errCanceled is what package net calls a dial that its context ended.
var errCanceled error = &canceledError{}

type canceledError struct{}

func (*canceledError) Error() string     { return "operation was canceled" }
func (*canceledError) Is(err error) bool { return err == context.Canceled }

// error makes err that of a dial, as package net would: a *net.OpError with
// Op "dial".
func (d *dialing) error(remote net.Addr, err error) error {
	if e, ok := err.(*net.OpError); ok {
		if e.Op == "dial" {
			return err
		}
		err = e.Err
	}
	if e, ok := err.(*os.SyscallError); ok {
		err = os.NewSyscallError("connect", e.Err) // whichever call it was that heard of it
	}
	switch {
	case err == context.DeadlineExceeded:
		err = errTimeout
	case err == context.Canceled:
		err = errCanceled
	}
	return &net.OpError{Op: "dial", Net: d.network, Source: d.LocalAddr, Addr: remote, Err: err}
}

// isDeadline says that err comes from a deadline the user has set, and not
// from a peer that was silent for too long.
func isDeadline(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
