package main

import (
	"fmt"
	"net"
	"net/netip"
)

// A pair is two hosts of one kind that reach each other.
type pair struct {
	dial func(port uint16) (net.Conn, error)
	// dialEarly sends early in the SYN, from the second connection on.
	dialEarly func(port uint16, early []byte) (net.Conn, error)
	listen    func(port uint16, fastOpen bool) (net.Listener, error)
	segments  func() float64 // that both have sent
	close     func()
}

// A wiring is how the two are joined.
type wiring struct {
	mtu      int
	offload  bool // super-segments of up to 64 KiB, checksums not made
	buffers  int  // of a connection for each direction, in bytes; 0: default
	timeWait bool // short, for many connections one after the other
	lossy    bool // packets get lost and overtake each other
}

var (
	clientAddr = netip.MustParseAddr("10.0.0.1")
	serverAddr = netip.MustParseAddr("10.0.0.2")
)

// serverAddress is the server's address and port, which for port 80 is not put
// together each time.
func serverAddress(port uint16) string {
	if port == 80 {
		return "10.0.0.2:80"
	}
	return netip.AddrPortFrom(serverAddr, port).String()
}

func newPair(stack string, w wiring) (*pair, error) {
	switch stack {
	case ours, lending, fast:
		return ourPair(w)
	case gvisor:
		return gvisorPair(w)
	case kernel, fastKern:
		return kernelPair(w)
	}
	return nil, fmt.Errorf("there is no stack %q", stack)
}

// closeWriter is what all three stacks' connections have.
type closeWriter interface {
	net.Conn
	CloseWrite() error
}

// established returns n connections, and their other ends.
func (p *pair) established(n int) (clients, servers []closeWriter, err error) {
	l, err := p.listen(80, false)
	if err != nil {
		return nil, nil, err
	}
	for range n {
		c, err := p.dial(80)
		if err != nil {
			return nil, nil, err
		}
		s, err := l.Accept()
		if err != nil {
			return nil, nil, err
		}
		clients, servers = append(clients, c.(closeWriter)), append(servers, s.(closeWriter))
	}
	return clients, servers, nil
}
