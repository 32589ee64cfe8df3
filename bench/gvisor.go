package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/stack/gro"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const gvisorNIC = 1

// gvisorPair is two netstacks on the link that is the best for them: with
// super-segments and for small messages one that calls the other stack at once,
// and otherwise a queue with segmentation before it and coalescing behind it.
func gvisorPair(w wiring) (*pair, error) {
	if w.offload {
		near, far := directPair(w.mtu)
		return gvisorPairOn(near, far, w)
	}
	near, far := channel.New(4096, uint32(w.mtu), ""), channel.New(4096, uint32(w.mtu), "")
	// The coalescing below has verified all that arrives.
	near.LinkEPCapabilities, far.LinkEPCapabilities = stack.CapabilityRXChecksumOffload, stack.CapabilityRXChecksumOffload
	if w.mtu <= 1500 {
		near.SupportedGSOKind, far.SupportedGSOKind = stack.GVisorGSOSupported, stack.GVisorGSOSupported
	}
	p, err := gvisorPairOn(near, far, w)
	if err != nil {
		return nil, err
	}
	go pump(near, far)
	go pump(far, near)
	return p, nil
}

// gvisorPairOn is two netstacks, each on a link of its own.
func gvisorPairOn(near, far stack.LinkEndpoint, w wiring) (*pair, error) {
	a, err := gvisorStack(near, clientAddr, w)
	if err != nil {
		return nil, err
	}
	b, err := gvisorStack(far, serverAddr, w)
	if err != nil {
		return nil, err
	}
	return &pair{
		dial:   func(port uint16) (net.Conn, error) { return gvisorDial(a, serverAddr, port) },
		listen: func(port uint16, _ bool) (net.Listener, error) { return gvisorListen(b, serverAddr, port) },
		segments: func() float64 {
			return float64(a.Stats().TCP.SegmentsSent.Value() + b.Stats().TCP.SegmentsSent.Value())
		},
		close: func() {
			a.Close()
			b.Close()
		},
	}, nil
}

func gvisorDial(s *stack.Stack, to netip.Addr, port uint16) (net.Conn, error) {
	return gonet.DialTCP(s, fullAddress(to, port), ipv4.ProtocolNumber)
}

// gvisorListen is gonet.ListenTCP, but for the backlog, which is 10 there.
func gvisorListen(s *stack.Stack, on netip.Addr, port uint16) (net.Listener, error) {
	var queue waiter.Queue
	e, err := s.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, &queue)
	if err == nil {
		err = e.Bind(fullAddress(on, port))
	}
	if err == nil {
		err = e.Listen(4096)
	}
	if err != nil {
		return nil, fmt.Errorf("gVisor: listen: %v", err)
	}
	return gonet.NewTCPListener(s, &queue, e), nil
}

func fullAddress(a netip.Addr, port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: gvisorNIC, Addr: tcpip.AddrFrom4(a.As4()), Port: port}
}

// gvisorStack is a netstack with the settings that are the best for it: SACK,
// CUBIC, and RACK only where something gets lost: on other links it resends
// tens of segments a second.
func gvisorStack(link stack.LinkEndpoint, addr netip.Addr, w wiring) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	sack, recovery, cubic := tcpip.TCPSACKEnabled(true), tcpip.TCPRecovery(0), tcpip.CongestionControlOption("cubic")
	size := w.buffers
	if size == 0 {
		size = 1 << 20
	}
	if w.lossy {
		recovery = tcpip.TCPRACKLossDetection
	}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: size, Max: max(size, 4<<20)}
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: size, Max: max(size, 4<<20)}
	for _, o := range []tcpip.SettableTransportProtocolOption{&sack, &recovery, &cubic, &send, &receive} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return nil, fmt.Errorf("gVisor: set %T: %v", o, err)
		}
	}
	if err := s.SetPortRange(1024, 65535); err != nil {
		return nil, fmt.Errorf("gVisor: set the range of ports: %v", err)
	}
	if err := s.CreateNIC(gvisorNIC, link); err != nil {
		return nil, fmt.Errorf("gVisor: make an interface: %v", err)
	}
	if err := s.AddProtocolAddress(gvisorNIC, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(addr.As4()), PrefixLen: 24},
	}, stack.AddressProperties{}); err != nil {
		return nil, fmt.Errorf("gVisor: add an address: %v", err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: gvisorNIC}})
	return s, nil
}

// pump carries packets from one endpoint to the other, what waits together in
// one go through the coalescing of gVisor's, which verifies checksums as well.
func pump(from, to *channel.Endpoint) {
	const burst = 64
	var g gro.GRO
	g.Init(true)
	g.Dispatcher = injector{to}
	for {
		p := from.ReadContext(context.Background())
		for n := 0; p != nil; p = from.Read() {
			in := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: p.ToBuffer()})
			in.NetworkProtocolNumber = p.NetworkProtocolNumber
			p.DecRef()
			g.Enqueue(in)
			in.DecRef()
			if n++; n == burst {
				break
			}
		}
		g.Flush()
	}
}

// injector gives what GRO has put together to the endpoint.
type injector struct{ *channel.Endpoint }

func (i injector) DeliverNetworkPacket(p tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	i.InjectInbound(p, pkt)
}

func (i injector) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) {}
