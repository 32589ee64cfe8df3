package stack_test

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// CloseRead before the SYN is answered ends what is read, and not what is written.
func TestCloseReadWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := far(t, rtt, stack.Config{}, stack.Config{})
		l, err := b.Listen("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		n, err := a.DialFastOpen(parse("10.0.0.1:0"), parse("10.0.0.2:80"), tfo.DialConfig{Off: true})
		if err != nil {
			t.Fatal(err)
		}
		c := n.(*stack.Conn)
		if err := c.CloseRead(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if k, err := c.Read(make([]byte, 1)); k != 0 || err != io.EOF {
			t.Errorf("read %d bytes, %v", k, err)
		}
		c.CloseWrite()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(s); string(got) != "hello" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		s.Close()
		c.Close()
		time.Sleep(10 * time.Minute)
	})
}
