package stack_test

import (
	"io"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/wire"
)

// A deafLink has nothing to receive: its packets are only to be had by Poll.
type deafLink struct {
	*link.Pipe
	come   chan []byte
	closed chan bool
}

func newDeafLink(p *link.Pipe) *deafLink {
	l := &deafLink{p, make(chan []byte, 1000), make(chan bool)}
	go func() {
		batch := make([]wire.Packet, 64)
		for {
			n, err := p.Receive(batch)
			for i := range n {
				l.come <- batch[i].Append(nil)
			}
			if err != nil {
				return
			}
		}
	}()
	return l
}

func (l *deafLink) Receive([]wire.Packet) (int, error) {
	<-l.closed
	return 0, os.ErrClosed
}

func (l *deafLink) Close() error {
	close(l.closed)
	return l.Pipe.Close()
}

func (l *deafLink) Done() {}

func (l *deafLink) Poll(batch []wire.Packet, deliver func([]wire.Packet)) (int, error) {
	select {
	case b := <-l.come:
		batch[0] = wire.Packet{Head: b}
		deliver(batch[:1])
		return 1, nil
	default:
		return 0, nil
	}
}

// Calls that wait find what they wait for by themselves, and are still ended by
// others: by a deadline, and by Close.
func TestBusyPoll(t *testing.T) {
	near, far, err := link.NewPipe(link.PipeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	client, server := netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.2/24")
	a, err := stack.New(stack.Config{Links: []stack.Link{newDeafLink(near)}, Addresses: []netip.Prefix{client}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.PollFor(time.Hour)
	b, err := stack.New(stack.Config{Links: []stack.Link{far}, Addresses: []netip.Prefix{server}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	l, err := b.Listen("tcp", "192.0.2.2:80")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
		}
	}()
	c, err := a.Dial("tcp", "192.0.2.2:80")
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := c.Write([]byte("there and back")); err != nil {
			t.Fatal(err)
		}
		back := make([]byte, 14)
		if _, err := io.ReadFull(c, back); err != nil || string(back) != "there and back" {
			t.Fatalf("read %q, %v", back, err)
		}
	}
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Errorf("Read past its deadline: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	done := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		done <- err
	}()
	c.Close()
	if err := <-done; err == nil {
		t.Error("Read of a closed connection: no error")
	}
}
