package stack_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
)

// TestNetConn holds connections of two stacks, and of one with itself, against
// everything that golang.org/x/net/nettest expects of a net.Conn.
func TestNetConn(t *testing.T) {
	for name, pipe := range map[string]link.PipeConfig{"offload": {Offload: true}, "cut": {MTU: 1500}} {
		for family, addr := range map[string]string{"IPv4": serverAddr4, "IPv6": serverAddr6} {
			t.Run(name+"/"+family, func(t *testing.T) {
				nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
					a, b := ends(t, pipe, stack.Config{}, stack.Config{})
					return bothEnds(t, a, b, net.JoinHostPort(addr, "80"))
				})
			})
		}
	}
	t.Run("itself", func(t *testing.T) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			a, _ := ends(t, link.PipeConfig{}, stack.Config{}, stack.Config{})
			return bothEnds(t, a, a, "127.0.0.1:80")
		})
	})
}

func bothEnds(t testing.TB, a, b *stack.Stack, address string) (c1, c2 net.Conn, stop func(), err error) {
	l, err := b.Listen("tcp", address)
	if err != nil {
		return nil, nil, nil, err
	}
	defer l.Close()
	done := make(chan error)
	go func() {
		var err error
		c2, err = l.Accept()
		done <- err
	}()
	if c1, err = a.Dial("tcp", address); err != nil {
		return nil, nil, nil, err
	}
	if err := <-done; err != nil {
		return nil, nil, nil, err
	}
	return c1, c2, func() {
		c1.Close()
		c2.Close()
		a.Close()
		b.Close()
	}, nil
}
