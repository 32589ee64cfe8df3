package main

import (
	"io/fs"
	"os"
	"sync/atomic"
)

// A checkedOut is stdout where that is no terminal. It remembers the first
// write that failed, as on a full disk, so that no verb has to: most print line
// by line.
type checkedOut struct {
	file *os.File
	err  atomic.Pointer[error]
}

func (o *checkedOut) Write(b []byte) (int, error) {
	n, err := o.file.Write(b)
	if err != nil {
		o.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Stat tells which file it is.
func (o *checkedOut) Stat() (fs.FileInfo, error) { return o.file.Stat() }

// failed returns what the first write that failed said, nil if none did.
func (o *checkedOut) failed() error {
	if err := o.err.Load(); err != nil {
		return *err
	}
	return nil
}
