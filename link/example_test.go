package link_test

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

// A super-segment goes in at one end, and what would be on a wire comes out at
// the other.
func ExampleNewPipe() {
	a, b, err := link.NewPipe(link.PipeConfig{MTU: 1500})
	if err != nil {
		panic(err)
	}
	defer a.Close()

	s := wire.Segment{
		Src: netip.MustParseAddrPort("192.0.2.1:5000"), Dst: netip.MustParseAddrPort("192.0.2.2:80"),
		Flags: wire.ACK | wire.PSH, Payload: make([]byte, 4000), Split: 1460,
	}
	ip := s.IP()
	head := ip.Append(nil, s.HeaderLen()+s.Len())
	start := len(head)
	head = s.AppendHeader(head, wire.Partial)
	a.Send([]wire.Packet{{
		Head: head, Payload: s.Payload, Split: s.Split,
		Check: wire.Partial, CheckStart: uint16(start), CheckOffset: 16,
	}})

	batch := make([]wire.Packet, 16)
	n, err := b.Receive(batch)
	if err != nil {
		panic(err)
	}
	for _, p := range batch[:n] {
		ip, body, _ := wire.ParseIP(p.Head)
		var s wire.Segment
		ok := s.Parse(ip.Src, ip.Dst, body, p.Check)
		fmt.Println(len(p.Head), "bytes, data from", s.Seq, "on, checksum good:", ok)
	}
	// Output:
	// 1500 bytes, data from 0 on, checksum good: true
	// 1500 bytes, data from 1460 on, checksum good: true
	// 1120 bytes, data from 2920 on, checksum good: true
}

// What passes a link is written to a file that tcpdump reads.
func ExampleCapture() {
	a, b, err := link.NewPipe(link.PipeConfig{})
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer // or what os.Create returns
	l, pcap := link.Capture(a, &file)
	defer l.Close()

	d := wire.Datagram{
		Src: netip.MustParseAddrPort("192.0.2.1:5000"), Dst: netip.MustParseAddrPort("192.0.2.2:53"),
		Payload: []byte("hello"),
	}
	ip := wire.IP{Src: d.Src.Addr(), Dst: d.Dst.Addr(), Protocol: wire.ProtocolUDP}
	packet := ip.Append(nil, wire.UDPHeaderLen+len(d.Payload))
	packet = append(d.AppendHeader(packet), d.Payload...)
	l.Send([]wire.Packet{{Head: packet}})

	n, err := b.Receive(make([]wire.Packet, 16))
	fmt.Println(n, "packet came,", err)
	// A header of 24 bytes, and one of 16 before each packet.
	fmt.Println(file.Len()-24-16, "bytes of it are in the file,", pcap.Err())
	// Output:
	// 1 packet came, <nil>
	// 33 bytes of it are in the file, <nil>
}
