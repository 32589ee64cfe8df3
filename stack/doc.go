// Package stack is a host's TCP, UDP and ICMP in user space, over any link that
// moves IP packets or Ethernet frames, with TCP Fast Open (RFC 7413) in both roles.
//
// # Usage
//
// A [Stack] is used like package net:
//
//	dev, err := link.OpenTUNQueues(link.TUNConfig{Name: "tun0"}, 1)
//	t, err := stack.New(stack.Config{
//		Links:     []stack.Link{dev[0]},
//		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")},
//		DNS:       []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")},
//	})
//	l, err := t.Listen("tcp", ":80")
//	c, err := t.DialContext(ctx, "tcp", "www.example.com:80")
//
// Its connections are [Conn]s: all that a net.TCPConn does, and what became of Fast
// Open. A Stack is a Network of package fastopen, which decides what may go into a
// SYN:
//
//	d := fastopen.Dialer{Network: t}
//	lc := fastopen.ListenConfig{Network: t}
//
// A [Host] is what is inside: one object without goroutines, locks and clocks, for
// tests and for programs with an event loop of their own. Packets and the time are
// given to it, and its [Socket]s never wait:
//
//	h := stack.NewHost(now, stack.HostConfig{
//		Links:  []stack.LinkConfig{{MTU: 1500}},
//		Output: func(link int, batch []wire.Packet) { ... },
//	})
//	h.AddAddress(0, netip.MustParsePrefix("10.0.0.2/24"))
//	s := h.Socket()
//	err := s.Connect(now, remote) // EINPROGRESS
//	for ... {
//		// Wait for a packet, or for h.Deadline().
//		h.Input(now, packet)
//		h.Advance(now)
//		if s.Poll()&stack.PollIn != 0 {
//			n, err := s.Receive(now, buf)
//		}
//	}
//
// # How it works
//
// A SYN's way in is four calls: the link's Receive, [Host.Receive] (which reads the
// headers and looks the connection up), tcp's Listener.Receive, and the accept
// queue. The answer's way out is three: tcp's Conn.Send, the headers, the link's
// Send. All that a link has received is taken under one lock, then each connection
// is asked once for what it has to send, and all of that goes out at once. On the way
// in small segments are copied once, from the link's memory to the receive buffer,
// and super-segments not at all: the connection keeps the buffer that the link has
// received them in, and gives it another. On the way out nothing is copied before the
// link: packets show data where it lies in the send buffer. Nothing is allocated for a
// packet. An idle connection has no goroutine and no buffer, and what a connection
// was made of is used again when it is over.
//
// Over a TUN device or Ethernet, a call that waits looks for packets itself for up to
// 100 µs before it sleeps, as long as that pays: no goroutine and no processor has to
// be woken then for an answer that comes at once. On one processor it does not.
//
// # Limitations
//
// There is one lock for a Stack. Packets are not forwarded from one link to another,
// and there is no multicast but for neighbour discovery. Addresses are the
// caller's business: there is no DHCP and no router discovery, and no check that an
// address is free. Zones of link-local addresses are not told apart. Routes hold
// for new connections and for those there are; a connection keeps the MTU of the
// link it began on. A link that ends under a Stack, as when its device is deleted,
// is not opened anew: what is dialed over it fails with ENETDOWN, and connections
// and listeners are told nothing, as those of the system. Datagrams do not learn
// the MTU of a path: over IPv6, keep them to 1,232 bytes, or the paths known.
package stack
