package stack_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/fastopen-go/fastopen/stack"
)

// TestCopy sends by ReadFrom and receives by WriteTo, over a path that loses
// packets.
func TestCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, la := far(t, rtt, stack.Config{}, stack.Config{})
		l, err := b.Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(7, 7))
		data := make([]byte, 3<<20)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		c, err := a.Dial("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		la.drop = func(p []byte) bool {
			n++
			return len(p) > 1000 && n%97 == 0
		}
		go func() {
			n, err := c.(io.ReaderFrom).ReadFrom(iotest.HalfReader(bytes.NewReader(data)))
			if n != int64(len(data)) || err != nil {
				t.Errorf("sent %d, %v", n, err)
			}
			c.(*stack.Conn).CloseWrite()
		}()
		var got bytes.Buffer
		if n, err := s.(io.WriterTo).WriteTo(&got); n != int64(len(data)) || err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("received %d, %v; the same: %v", n, err, bytes.Equal(got.Bytes(), data))
		}
		// Nobody writes: a deadline ends the wait.
		c.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := c.(io.WriterTo).WriteTo(io.Discard); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("received %d, %v", n, err)
		}
		// An error of the other side of the copy is told as it is.
		if _, err := s.(io.ReaderFrom).ReadFrom(iotest.ErrReader(io.ErrNoProgress)); err != io.ErrNoProgress {
			t.Error(err)
		}
		// A reset comes while the source is read.
		r, w := io.Pipe()
		go func() {
			time.Sleep(time.Second)
			c.(*stack.Conn).SetLinger(0)
			c.Close()
			time.Sleep(time.Second)
			w.Write([]byte("x"))
		}()
		if n, err := s.(io.ReaderFrom).ReadFrom(r); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("sent %d, %v", n, err)
		}
		s.Close()
		if _, err := s.(io.ReaderFrom).ReadFrom(r); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		l.Close()
		time.Sleep(10 * time.Minute)
	})
}
