package main

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// ourPair is two of our stacks on a pipe.
func ourPair(w wiring) (*pair, error) {
	near, far, err := link.NewPipe(link.PipeConfig{MTU: w.mtu, Offload: w.offload})
	if err != nil {
		return nil, err
	}
	return ourPairOn(near, far, w)
}

// ourPairOn is two of our stacks, each on a link of its own.
func ourPairOn(near, far stack.Link, w wiring) (*pair, error) {
	a, err := ourStack(near, clientAddr, w)
	if err != nil {
		return nil, err
	}
	b, err := ourStack(far, serverAddr, w)
	if err != nil {
		return nil, err
	}
	return &pair{
		dial: func(port uint16) (net.Conn, error) {
			return a.Dial("tcp", serverAddress(port))
		},
		dialEarly: func(port uint16, early []byte) (net.Conn, error) {
			return a.DialEarly(context.Background(), "tcp", serverAddress(port), early)
		},
		listen: func(port uint16, fastOpen bool) (net.Listener, error) {
			c := tfo.ListenConfig{}
			if fastOpen {
				c.Queue = 4096
			}
			return b.ListenFastOpen(netip.AddrPortFrom(serverAddr, port), c)
		},
		segments: func() float64 { return float64(a.Stats().SegmentsOut + b.Stats().SegmentsOut) },
		close: func() {
			a.Close()
			b.Close()
		},
	}, nil
}

// ourStack is a stack with one link and one address.
func ourStack(l stack.Link, addr netip.Addr, w wiring) (*stack.Stack, error) {
	set := stack.Settings{LowPort: 1024, HighPort: 65535, MaxBacklog: 1 << 16, SYNQueue: 1 << 16}
	if w.buffers > 0 {
		set.TCP.SendBuffer, set.TCP.ReceiveBuffer, set.TCP.MaxReceiveBuffer = w.buffers, w.buffers, w.buffers
	}
	if w.timeWait {
		// In a second there are more connections than ports.
		set.TCP.TimeWait = 100 * time.Millisecond
	}
	return stack.New(stack.Config{Settings: set, Links: []stack.Link{l}, Addresses: []netip.Prefix{netip.PrefixFrom(addr, 24)}})
}
