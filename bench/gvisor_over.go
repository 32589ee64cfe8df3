package main

import (
	"sync"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// over is a link of package link under gVisor: so both stacks have the same
// TUN device, with super-segments and unfinished checksums, which gVisor itself
// has no endpoint for.
type over struct {
	endpoint
	link link.Link
}

func gvisorOver(l link.Link) (*over, error) {
	mtu, err := l.MTU()
	if err != nil {
		return nil, err
	}
	o := &over{link: l}
	o.mtu, o.offload = uint32(mtu), true
	return o, nil
}

// Capabilities are those of the device. Segments that are not to be cut have
// whole checksums.
func (o *over) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

// Attach begins to read.
func (o *over) Attach(d stack.NetworkDispatcher) {
	o.endpoint.Attach(d)
	if d != nil {
		go o.read(d)
	}
}

func (o *over) read(d stack.NetworkDispatcher) {
	batch := make([]wire.Packet, 64)
	for {
		n, err := o.link.Receive(batch)
		if err != nil {
			return
		}
		for i := range n {
			p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(batch[i].Head)})
			d.DeliverNetworkPacket(ipv4.ProtocolNumber, p)
			p.DecRef()
		}
	}
}

func (o *over) WritePackets(packets stack.PacketBufferList) (int, tcpip.Error) {
	var room [16]wire.Packet
	batch := room[:0]
	for _, p := range packets.AsSlice() {
		w, scratch := outgoing(p)
		batch = append(batch, w)
		if len(batch) == cap(batch) || scratch != nil {
			_, _ = o.link.Send(batch)
			batch = batch[:0]
		}
		if scratch != nil {
			scratches.Put(scratch)
		}
	}
	if len(batch) > 0 {
		_, _ = o.link.Send(batch)
	}
	return packets.Len(), nil
}

// scratches are for packets of many pieces.
var scratches = sync.Pool{New: func() any { return new([1 << 16]byte) }}

// outgoing shows gVisor's packet as one of ours, without a copy unless it is in
// more than three pieces: then it is in the scratch.
func outgoing(p *stack.PacketBuffer) (w wire.Packet, scratch *[1 << 16]byte) {
	views := p.AsSlices() // the headers are in the first
	w.Head = views[0]
	switch len(views) {
	case 1:
	case 2:
		w.Payload = views[1]
	case 3:
		w.Payload, w.Rest = views[1], views[2]
	default:
		scratch = scratches.Get().(*[1 << 16]byte)
		w.Payload = scratch[:0]
		for _, v := range views[1:] {
			w.Payload = append(w.Payload, v...)
		}
	}
	if g := p.GSOOptions; g.Type != stack.GSONone && g.NeedsCsum {
		w.Check, w.CheckStart, w.CheckOffset = wire.Partial, g.L3HdrLen, g.CsumOffset
		if p.Data().Size() > int(g.MSS) {
			w.Split = g.MSS
		}
	}
	return w, scratch
}
