package link

import (
	"encoding/binary"

	"github.com/fastopen-go/fastopen/wire"
)

// struct virtio_net_hdr of linux/virtio_net.h, in the byte order of the machine,
// which TUN devices and packet sockets use unless told otherwise.
//
// https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html#x1-2230006
const (
	vnetLen = 10

	vnetNeedsCsum = 1 // flags: VIRTIO_NET_HDR_F_NEEDS_CSUM
	vnetDataValid = 2 // VIRTIO_NET_HDR_F_DATA_VALID

	vnetGSONone  = 0 // gso_type: VIRTIO_NET_HDR_GSO_*
	vnetGSOTCPv4 = 1
	vnetGSOTCPv6 = 4
	vnetGSOECN   = 0x80
)

// putVnet writes the header for p into b. Before the IP header p has lower bytes:
// 14 on Ethernet, otherwise none. It reports what is wrong with p, if anything.
func putVnet(b *[vnetLen]byte, p *wire.Packet, lower int) error {
	*b = [vnetLen]byte{}
	if p.Check != wire.Partial {
		if p.Split != 0 {
			return errSplit
		}
		return nil
	}
	if int(p.CheckStart)+int(p.CheckOffset)+2 > len(p.Head) {
		return errChecksum
	}
	b[0] = vnetNeedsCsum
	binary.NativeEndian.PutUint16(b[6:], p.CheckStart)
	binary.NativeEndian.PutUint16(b[8:], p.CheckOffset)
	if p.Split == 0 {
		return nil
	}
	start := int(p.CheckStart)
	if start+20 > len(p.Head) || start <= lower || p.CheckOffset != tcpCheckAt {
		return errSplit
	}
	headers := start + int(p.Head[start+12]>>4)*4
	if headers < start+20 || headers > len(p.Head) {
		return errSplit
	}
	if p.Len()-headers <= int(p.Split) {
		return nil // one segment: older kernels refuse to "cut" it
	}
	b[1] = vnetGSOTCPv6
	if p.Head[lower]>>4 == 4 {
		b[1] = vnetGSOTCPv4
	}
	if p.Head[start+13]&uint8(wire.CWR) != 0 {
		b[1] |= vnetGSOECN
	}
	binary.NativeEndian.PutUint16(b[2:], uint16(headers))
	binary.NativeEndian.PutUint16(b[4:], p.Split)
	return nil
}

// parseVnet reads the header before p.Head into p. It reports false for what was
// not agreed upon with the kernel.
//
// It leaves out hdr_len, of which the kernel says that it is a hint, and which
// has been wrong.
func parseVnet(b []byte, p *wire.Packet) bool {
	p.Check = wire.Full
	switch {
	case b[0]&vnetNeedsCsum != 0:
		p.Check = wire.Partial
		p.CheckStart = binary.NativeEndian.Uint16(b[6:])
		p.CheckOffset = binary.NativeEndian.Uint16(b[8:])
		if int(p.CheckStart)+int(p.CheckOffset)+2 > len(p.Head) {
			return false
		}
	case b[0]&vnetDataValid != 0:
		p.Check = wire.Unchecked
	}
	switch b[1] &^ vnetGSOECN {
	case vnetGSONone:
		return true
	case vnetGSOTCPv4, vnetGSOTCPv6:
		p.Split = binary.NativeEndian.Uint16(b[4:])
		return p.Split != 0
	}
	return false
}
