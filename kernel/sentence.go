package kernel

import "fmt"

// A sentence is an error whose text tells people all there is to say about
// err, which is there for [errors.Is] alone.
type sentence struct {
	text string
	err  error
}

func (s sentence) Error() string { return "kernel: " + s.text }

func (s sentence) Unwrap() error { return s.err }

func sentencef(err error, format string, args ...any) error {
	return sentence{fmt.Sprintf(format, args...), err}
}
