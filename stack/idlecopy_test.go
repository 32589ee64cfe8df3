package stack_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastopen-go/fastopen/stack"
)

// A copy to a connection that waits for its source keeps nobody from writing, as on a
// [net.TCPConn]; and goes on behind what was written.
func TestWriteDuringIdleCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := far(t, rtt, stack.Config{}, stack.Config{})
		l, err := b.Listen("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := a.Dial("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string)
		go func() {
			all, _ := io.ReadAll(s)
			got <- string(all)
		}()
		source, feed := io.Pipe()
		copied := make(chan error)
		go func() {
			_, err := io.Copy(c, source)
			copied <- err
		}()
		big := strings.Repeat("0123456789", 50_000) // more than the send buffer takes at once
		var want string
		for _, p := range []string{"first ", big, "", "last "} {
			synctest.Wait() // the copy waits
			c.SetWriteDeadline(time.Now().Add(time.Minute))
			if _, err := io.WriteString(c, "w:"+p); err != nil {
				t.Fatalf("write: %v", err)
			}
			if _, err := io.WriteString(feed, "c:"+p); err != nil {
				t.Fatal(err)
			}
			want += "w:" + p + "c:" + p
		}
		feed.Close()
		if err := <-copied; err != nil {
			t.Errorf("copy: %v", err)
		}
		c.Close()
		if all := <-got; all != want {
			t.Errorf("got %d bytes, want %d", len(all), len(want))
		}
		s.Close()
		time.Sleep(10 * time.Minute)
	})
}

// A connection that is closed, or dies, while a copy waits and something was written
// gets its buffers back.
func TestCloseDuringIdleCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := far(t, rtt, stack.Config{}, stack.Config{})
		l, err := b.Listen("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for _, how := range []string{"closed", "reset", "over"} {
			c, err := a.Dial("tcp", "10.0.0.2:80")
			if err != nil {
				t.Fatal(err)
			}
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			source, feed := io.Pipe()
			copied := make(chan error)
			go func() {
				_, err := io.Copy(c, source)
				copied <- err
			}()
			synctest.Wait()
			if _, err := io.WriteString(c, "written"); err != nil {
				t.Fatal(err)
			}
			switch how {
			case "closed":
				c.Close()
			case "reset":
				s.(*stack.Conn).SetLinger(0)
				s.Close()
				time.Sleep(time.Second)
			case "over":
				c.(*stack.Conn).SetLinger(0)
				c.Close()
				s.Close()
				time.Sleep(time.Minute)
			}
			if _, err := io.WriteString(feed, "late"); err != nil {
				t.Fatal(err)
			}
			if err := <-copied; err == nil {
				t.Error("the copy went on")
			}
			feed.Close()
			c.Close()
			s.Close()
		}
		time.Sleep(10 * time.Minute)
	})
}
