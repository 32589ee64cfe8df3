package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
)

// A Pattern is bytes that can be told from those at any other place and of any
// other seed: N of them.
type Pattern struct {
	Seed uint64
	N    int
}

// Fill writes the bytes from off on into b and returns how many there are.
func (p Pattern) Fill(b []byte, off int) int {
	b = b[:max(min(len(b), p.N-off), 0)]
	n := len(b)
	for len(b) > 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], mix(p.Seed+uint64(off/8)*0x9e3779b97f4a7c15))
		k := copy(b, word[off%8:])
		b, off = b[k:], off+k
	}
	return n
}

// Bytes is the first n bytes.
func (p Pattern) Bytes(n int) []byte {
	b := make([]byte, min(n, p.N))
	p.Fill(b, 0)
	return b
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// A Stream is an application on one end of a connection: it sends Out, checks
// that what comes is In, and closes. Use its Run as the [App].
type Stream struct {
	Out, In Pattern
	// Early is how many bytes of Out were given to Dial.
	Early int
	// Answer makes it send nothing before all of In has come.
	Answer bool
	// Last makes it keep its side open until the other has closed.
	Last bool
	// Stall is for how long it does not read, from the first call on, and
	// Chunk how many bytes it reads at a time after that, Stall apart. The
	// net must be given to sleep on.
	Stall time.Duration
	Chunk int
	Net   *Net
	// Cut makes it abort once so many bytes have come. Zero: never.
	Cut int

	// What happened:

	Began, First time.Time // first call, first byte
	Whole        time.Time // when all of In had come, and the end of the stream
	Got, Sent    int
	EOF          bool
	Err          error  // what ended the connection, nil if it ended well
	Wrong        string // what was not as it should be; empty if all was
	Over         bool   // the connection has ended, or waits in TIME-WAIT

	next    time.Time // when to read again
	asleep  bool
	closed  bool
	scratch []byte
	want    []byte
}

// Run is the [App] of the stream.
func (s *Stream) Run(now time.Time, c *tcp.Conn) {
	if s.Began.IsZero() {
		s.Began, s.Sent = now, s.Early
		if s.Stall > 0 {
			s.next = now.Add(s.Stall)
		}
	}
	s.read(now, c)
	s.write(now, c)
	if s.closed && s.EOF {
		c.Close(now)
	}
	if st := c.State(); st == tcp.Closed || st == tcp.TimeWait && s.closed && s.EOF {
		s.Over = true
		if s.Err == nil {
			s.Err = c.Err()
		}
	}
}

func (s *Stream) read(now time.Time, c *tcp.Conn) {
	for !s.EOF && s.Err == nil {
		size := 16 << 10
		if s.Stall > 0 && c.State() != tcp.Closed {
			if now.Before(s.next) {
				s.sleep()
				return
			}
			size = s.Chunk
		}
		if cap(s.scratch) < size {
			s.scratch = make([]byte, size)
		}
		b := s.scratch[:size]
		n, err := c.Read(now, b)
		s.check(now, b[:n])
		switch {
		case err == io.EOF:
			s.EOF, s.Whole = true, now
			if s.Got != s.In.N {
				s.wrong("the stream ended after %d of %d bytes", s.Got, s.In.N)
			}
		case err != nil:
			s.Err = err
		case s.Cut > 0 && s.Got >= s.Cut:
			s.closed = true
			c.Abort(now)
			s.Err = tcp.ErrAborted
		case n == 0:
			return
		case s.Stall > 0:
			s.next = now.Add(s.Stall)
		}
	}
}

// sleep arranges for a call when it is time to read again.
func (s *Stream) sleep() {
	if !s.asleep {
		s.asleep = true
		s.Net.At(s.next, func() { s.asleep = false })
	}
}

// check compares what was read with what should come.
func (s *Stream) check(now time.Time, b []byte) {
	if len(b) == 0 {
		return
	}
	if s.First.IsZero() {
		s.First = now
	}
	if s.Got+len(b) > s.In.N {
		s.wrong("%d bytes came of %d", s.Got+len(b), s.In.N)
	}
	if cap(s.want) < len(b) {
		s.want = make([]byte, cap(s.scratch))
	}
	want := s.want[:len(b)]
	want = want[:s.In.Fill(want, s.Got)]
	if !bytes.HasPrefix(b, want) {
		i := 0
		for b[i] == want[i] {
			i++
		}
		s.wrong("byte %d of %d is not the one that was sent", s.Got+i, s.In.N)
	}
	s.Got += len(b)
}

func (s *Stream) write(now time.Time, c *tcp.Conn) {
	if s.closed || s.Err != nil || s.Answer && s.Got < s.In.N {
		return
	}
	var b [16 << 10]byte
	for s.Sent < s.Out.N {
		k := s.Out.Fill(b[:], s.Sent)
		n, err := c.Write(now, b[:k])
		s.Sent += n
		if err != nil {
			s.Err = err
			return
		}
		if n < k {
			return
		}
	}
	if !s.Last || s.EOF {
		s.closed = true
		c.CloseWrite(now)
	}
}

func (s *Stream) wrong(format string, args ...any) {
	if s.Wrong == "" {
		s.Wrong = fmt.Sprintf(format, args...)
	}
}
