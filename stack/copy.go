package stack

import (
	"io"
	"sync"
)

// copyBuffers are for ReadFrom and WriteTo.
var copyBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// ReadFrom implements [io.ReaderFrom]: what r gives is sent.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	buf := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buf)
	for {
		m, rerr := r.Read(buf[:])
		if m > 0 {
			k, err := c.Write(buf[:m])
			n += int64(k)
			if err != nil {
				return n, err
			}
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr != nil {
			return n, rerr
		}
	}
}

// WriteTo implements [io.WriterTo]: what comes is written to w, up to the end of the
// stream.
func (c *Conn) WriteTo(w io.Writer) (n int64, err error) {
	buf := copyBuffers.Get().(*[64 << 10]byte)
	defer copyBuffers.Put(buf)
	for {
		m, rerr := c.Read(buf[:])
		if m > 0 {
			k, err := w.Write(buf[:m])
			n += int64(k)
			if err == nil && k < m {
				err = io.ErrShortWrite
			}
			if err != nil {
				return n, err
			}
		}
		if rerr == io.EOF {
			return n, nil
		}
		if rerr != nil {
			return n, rerr
		}
	}
}
