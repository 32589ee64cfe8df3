// An echo server over a stack of fastopen's.
package main

import (
	"io"
	"net/netip"
	"os"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
)

func main() {
	near, _, err := link.NewPipe(link.PipeConfig{})
	if err != nil {
		os.Exit(1)
	}
	s, err := stack.New(stack.Config{Links: []stack.Link{near}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}})
	if err != nil {
		os.Exit(1)
	}
	l, err := s.Listen("tcp", ":80")
	if err != nil {
		os.Exit(1)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}()
	}
}
