package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// A usageError says that the command line is wrong: exit code 2. What cobra
// itself finds wrong counts as one too.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// A failure says that what was asked for could not be done: exit code 1.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// An exitCode ends a verb whose exit codes say more than that it worked, and
// which has said the rest itself.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// errReported is a failure that the person at the terminal knows of already.
var errReported = errors.New("reported")

// verb makes f a RunE: every error of f that is not a usageError is a
// failure.
func verb(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := f(cmd, args)
		var usage usageError
		if err == nil || errors.As(err, &usage) {
			return err
		}
		return failure{err}
	}
}

// complain writes an error as one sentence that begins with who speaks, which
// is not a package.
func complain(w io.Writer, who string, err error) {
	fmt.Fprintf(w, "%s %s\n", paint(w).red(who+":"), printable(plainText(err)))
}

// plainText is the sentence of an error without the package that it is from.
func plainText(err error) string { return strings.TrimPrefix(err.Error(), "kernel: ") }

// reason is err without the operation and the file, which the sentence around
// it names already.
func reason(err error) error {
	var (
		p *fs.PathError
		l *os.LinkError
	)
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
