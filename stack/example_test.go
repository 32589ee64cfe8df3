package stack_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// Two hosts in one process, joined by a pipe. The second connection carries its
// request in the SYN.
func Example() {
	here, there, err := link.NewPipe(link.PipeConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := stack.New(stack.Config{
		Links: []stack.Link{here}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	server, err := stack.New(stack.Config{
		Links: []stack.Link{there}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	l, err := server.ListenFastOpen(netip.MustParseAddrPort("10.0.0.2:80"), tfo.ListenConfig{Queue: 16})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c) // an echo
			_ = c.Close()
		}
	}()
	for range 2 {
		c, err := client.DialEarly(context.Background(), "tcp", "10.0.0.2:80", []byte("hello"))
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = c.CloseWrite()
		answer, err := io.ReadAll(c)
		fmt.Println(string(answer), err, c.Outcome().Status)
		_ = c.Close()
	}
	// Output:
	// hello <nil> cookie requested
	// hello <nil> data accepted
}
