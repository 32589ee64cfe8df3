package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// An output is where a body goes. What was written counts only after commit;
// abort leaves everything as it was.
type output interface {
	io.Writer
	commit() error
	abort()
}

// openOutput returns the output for a file, for stdout if the name is "-".
func openOutput(name string, stdout io.Writer) (output, error) {
	if name == "-" || isSame(name, stdout) {
		return &toStdout{w: stdout, terminal: isTerminal(stdout)}, nil
	}
	return openFile(name, "the body")
}

// isSame says that name is what stdout goes to, as /dev/stdout is.
func isSame(name string, stdout io.Writer) bool {
	f, ok := stdout.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return false
	}
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(name)
	return err == nil && os.SameFile(a, b)
}

// toStdout passes a body on, but does not let a terminal be messed up by
// what is no text.
type toStdout struct {
	w        io.Writer
	terminal bool
}

func (o *toStdout) Write(b []byte) (int, error) {
	if o.terminal && bytes.IndexByte(b, 0) >= 0 {
		return 0, errBinary
	}
	n, err := o.w.Write(b)
	if err != nil {
		err = &outputError{err}
	}
	return n, err
}

func (o *toStdout) commit() error { return nil }
func (o *toStdout) abort()        {}

var errBinary = &outputError{fmt.Errorf("the body is no text, which would mess up the terminal: save it with -o FILE, or print it all the same with | cat")}

// An outputError is one of writing the body, not of fetching it.
type outputError struct{ error }

func (e *outputError) Unwrap() error { return e.error }

// toFile writes beside the file and puts the result in its place at the end,
// so that there is never half a file.
type toFile struct {
	*os.File
	name string // where it will be; "" if the file is written to directly
	what string // is written
}

func openFile(name, what string) (output, error) {
	mode := fs.FileMode(0o666) // less the umask
	switch info, err := os.Stat(name); {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("cannot write %s to %s: it is a directory; name a file", what, name)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(name, os.O_WRONLY, 0) // such as /dev/null, which cannot be replaced
		if err != nil {
			return nil, fmt.Errorf("cannot write %s to %s: %w", what, name, reason(err))
		}
		return &toFile{File: f, what: what}, nil
	case err == nil:
		mode = info.Mode().Perm()
		if real, err := filepath.EvalSymlinks(name); err == nil {
			name = real // replace the file, not the link to it
		}
	}
	dir, base := filepath.Split(name)
	for {
		f, err := os.OpenFile(fmt.Sprintf("%s.%s.%08x", dir, base, rand.Uint32()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if os.IsExist(err) {
			continue
		}
		if os.IsNotExist(err) {
			return nil, fmt.Errorf("cannot write %s to %s: there is no directory %s", what, name, filepath.Clean(dir))
		}
		if err != nil {
			return nil, fmt.Errorf("cannot write %s to %s: %w", what, name, reason(err))
		}
		return &toFile{File: f, name: name, what: what}, nil
	}
}

func (o *toFile) Write(b []byte) (int, error) {
	n, err := o.File.Write(b)
	if err != nil {
		err = &outputError{err}
	}
	return n, err
}

func (o *toFile) commit() error {
	if err := o.Close(); err != nil {
		o.abort()
		return fmt.Errorf("cannot write %s: %w", o.what, reason(err))
	}
	if o.name == "" {
		return nil
	}
	if err := os.Rename(o.File.Name(), o.name); err != nil {
		o.abort()
		return fmt.Errorf("cannot put %s in its place, %s: %w", o.what, o.name, reason(err))
	}
	return nil
}

func (o *toFile) abort() {
	o.Close()
	if o.name != "" {
		os.Remove(o.File.Name())
	}
}
