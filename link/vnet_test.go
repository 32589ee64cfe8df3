package link

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/fastopen-go/fastopen/wire"
)

// header is a virtio-net header as the kernel writes it.
func header(flags, gso byte, headers, size, start, offset uint16) []byte {
	b := []byte{flags, gso}
	for _, v := range []uint16{headers, size, start, offset} {
		b = binary.NativeEndian.AppendUint16(b, v)
	}
	return b
}

// tcpPacket is an IPv4 or IPv6 packet with a TCP header of 32 bytes, lower bytes
// before it.
func tcpPacket(lower int, version byte, flags wire.Flags, data int) wire.Packet {
	ip := 20
	if version == 6 {
		ip = 40
	}
	b := make([]byte, lower+ip+32)
	b[lower] = version<<4 | 5
	b[lower+ip+12], b[lower+ip+13] = 8<<4, byte(flags)
	return wire.Packet{Head: b, Payload: make([]byte, data), Check: wire.Partial, CheckStart: uint16(lower + ip), CheckOffset: 16}
}

func TestVnet(t *testing.T) {
	super := func(lower int, version byte, flags wire.Flags) wire.Packet {
		p := tcpPacket(lower, version, flags, 5000)
		p.Split = 1448
		return p
	}
	for _, c := range []struct {
		name  string
		p     wire.Packet
		lower int
		want  []byte
	}{
		{"nothing to do", wire.Packet{Head: make([]byte, 40)}, 0, make([]byte, 10)},
		{"a checksum", tcpPacket(0, 4, wire.ACK, 10), 0, header(1, 0, 0, 0, 20, 16)},
		{"IPv4", super(0, 4, wire.ACK), 0, header(1, 1, 52, 1448, 20, 16)},
		{"IPv6", super(0, 6, wire.ACK), 0, header(1, 4, 72, 1448, 40, 16)},
		{"IPv4 with CWR", super(0, 4, wire.ACK|wire.CWR), 0, header(1, 0x81, 52, 1448, 20, 16)},
		{"IPv6 on Ethernet", super(14, 6, wire.ACK), 14, header(1, 4, 86, 1448, 54, 16)},
	} {
		var got [vnetLen]byte
		if err := putVnet(&got, &c.p, c.lower); err != nil || !bytes.Equal(got[:], c.want) {
			t.Errorf("%s: % x, %v, want % x", c.name, got, err, c.want)
		}
		back := wire.Packet{Head: c.p.Head}
		want := c.p
		want.Payload = nil
		if ok := parseVnet(got[:], &back); !ok || back.Split != want.Split || back.Check != want.Check || back.CheckStart != want.CheckStart || back.CheckOffset != want.CheckOffset {
			t.Errorf("%s: read back %+v", c.name, back)
		}
	}
	// One segment needs no cutting, so older kernels are not asked for it.
	p := tcpPacket(0, 4, wire.ACK, 1448)
	p.Split = 1448
	var got [vnetLen]byte
	if err := putVnet(&got, &p, 0); err != nil || got[1] != 0 {
		t.Errorf("one segment: % x, %v", got, err)
	}
}

func TestParseVnet(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		ok   bool
		want wire.Packet
	}{
		{"none", header(0, 0, 0, 0, 0, 0), true, wire.Packet{}},
		{"valid", header(2, 0, 0, 0, 0, 0), true, wire.Packet{Check: wire.Unchecked}},
		{"begun", header(1, 0, 0, 0, 20, 16), true, wire.Packet{Check: wire.Partial, CheckStart: 20, CheckOffset: 16}},
		{"begun and valid", header(3, 0, 0, 0, 20, 16), true, wire.Packet{Check: wire.Partial, CheckStart: 20, CheckOffset: 16}},
		{"super-segment", header(1, 1, 0xffff, 1448, 20, 16), true, wire.Packet{Check: wire.Partial, CheckStart: 20, CheckOffset: 16, Split: 1448}},
		{"ECN", header(1, 0x84, 0, 1448, 20, 16), true, wire.Packet{Check: wire.Partial, CheckStart: 20, CheckOffset: 16, Split: 1448}},
		{"checksum outside", header(1, 0, 0, 0, 30, 16), false, wire.Packet{}},
		{"split into nothing", header(1, 1, 0, 0, 20, 16), false, wire.Packet{}},
		{"UDP, not agreed upon", header(1, 5, 0, 1000, 20, 6), false, wire.Packet{}},
	} {
		p := wire.Packet{Head: make([]byte, 40)}
		ok := parseVnet(c.b, &p)
		if ok != c.ok || ok && (p.Check != c.want.Check || p.Split != c.want.Split || c.want.Check == wire.Partial && (p.CheckStart != c.want.CheckStart || p.CheckOffset != c.want.CheckOffset)) {
			t.Errorf("%s: %v, %+v", c.name, ok, p)
		}
	}
}

// FuzzVnet: whatever the header says, what is received can be cut or is refused,
// and can be sent on or is refused.
func FuzzVnet(f *testing.F) {
	p := tcpPacket(0, 4, wire.ACK, 0)
	f.Add(append(header(1, 1, 52, 10, 20, 16), append(p.Head, make([]byte, 100)...)...), 0)
	p = tcpPacket(14, 6, wire.ACK, 0)
	f.Add(append(header(1, 4, 86, 10, 54, 16), append(p.Head, make([]byte, 100)...)...), 14)
	f.Fuzz(func(t *testing.T, b []byte, lower int) {
		if lower != 0 {
			lower = 14
		}
		if len(b) <= vnetLen+lower {
			return
		}
		p := wire.Packet{Head: b[vnetLen:]}
		if !parseVnet(b, &p) {
			return
		}
		if p.Check == wire.Partial && int(p.CheckStart)+int(p.CheckOffset)+2 > len(p.Head) {
			t.Fatalf("a checksum outside of %d bytes: %+v", len(p.Head), p)
		}
		var again [vnetLen]byte
		_ = putVnet(&again, &p, lower)
		var c Cutter
		if c.Reset(&p, 2000) != nil {
			return
		}
		for buf := make([]byte, 2000); c.More(); {
			if n := c.Next(buf); n > 2000 {
				t.Fatalf("%d bytes", n)
			}
		}
	})
}
