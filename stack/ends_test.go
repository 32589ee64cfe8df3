package stack_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

var (
	_ stack.Link               = (*link.Pipe)(nil)
	_ fastopen.Network         = (*stack.Stack)(nil)
	_ fastopen.NetworkConn     = (*stack.Conn)(nil)
	_ fastopen.NetworkListener = (*stack.Listener)(nil)
)

const (
	serverAddr4, serverAddr6 = "10.0.0.2", "fd00::2"
)

// ends is two stacks at the ends of a pipe. Call its close before a bubble ends.
func ends(t testing.TB, c link.PipeConfig, client, server stack.Config) (a, b *stack.Stack) {
	t.Helper()
	la, lb, err := link.NewPipe(c)
	if err != nil {
		t.Fatal(err)
	}
	make := func(c stack.Config, l stack.Link, addrs ...string) *stack.Stack {
		c.Links = []stack.Link{l}
		for _, a := range addrs {
			c.Addresses = append(c.Addresses, netip.MustParsePrefix(a))
		}
		s, err := stack.New(c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a = make(client, la, "10.0.0.1/24", "fd00::1/64")
	b = make(server, lb, "10.0.0.2/24", "fd00::2/64")
	t.Cleanup(func() {
		a.Close()
		b.Close()
		nothingLent(t, a, b)
	})
	return a, b
}

var ctx = context.Background()

func parse(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func listenFast(queue int) tfo.ListenConfig { return tfo.ListenConfig{Queue: queue} }
