package main

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// endpoint is what gVisor's link endpoints have in common that say nothing of
// interest.
type endpoint struct {
	mtu        uint32
	offload    bool
	dispatcher atomic.Pointer[stack.NetworkDispatcher]
}

func (e *endpoint) Attach(d stack.NetworkDispatcher) { e.dispatcher.Store(&d) }

func (e *endpoint) IsAttached() bool { return e.dispatcher.Load() != nil }

func (e *endpoint) MTU() uint32 { return e.mtu }

func (e *endpoint) SetMTU(n uint32) { e.mtu = n }

func (e *endpoint) Capabilities() stack.LinkEndpointCapabilities {
	if e.offload {
		return stack.CapabilityTXChecksumOffload | stack.CapabilityRXChecksumOffload
	}
	return 0
}

func (e *endpoint) GSOMaxSize() uint32 { return 65535 - 60 }

func (e *endpoint) SupportedGSO() stack.SupportedGSO {
	if e.offload {
		return stack.HostGSOSupported
	}
	return stack.GSONotSupported
}

func (*endpoint) MaxHeaderLength() uint16                 { return 0 }
func (*endpoint) LinkAddress() tcpip.LinkAddress          { return "" }
func (*endpoint) SetLinkAddress(tcpip.LinkAddress)        {}
func (*endpoint) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (*endpoint) AddHeader(*stack.PacketBuffer)           {}
func (*endpoint) ParseHeader(*stack.PacketBuffer) bool    { return true }
func (*endpoint) Wait()                                   {}
func (*endpoint) Close()                                  {}
func (*endpoint) SetOnCloseAction(func())                 {}

// direct is a link that hands packets to the other stack at once, on the
// sender's goroutine, as gVisor's own pipe does, and takes super-segments
// without checksums.
type direct struct {
	endpoint
	other *direct
}

func directPair(mtu int) (a, b *direct) {
	a, b = new(direct), new(direct)
	for _, d := range []*direct{a, b} {
		d.mtu, d.offload = uint32(mtu), true
	}
	a.other, b.other = b, a
	return a, b
}

func (d *direct) WritePackets(packets stack.PacketBufferList) (int, tcpip.Error) {
	to := d.other.dispatcher.Load()
	if to == nil {
		return packets.Len(), nil
	}
	for _, p := range packets.AsSlice() {
		in := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: p.ToBuffer()})
		in.RXChecksumValidated = true
		(*to).DeliverNetworkPacket(p.NetworkProtocolNumber, in)
		in.DecRef()
	}
	return packets.Len(), nil
}
