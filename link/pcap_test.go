package link_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

// readPcap returns the link type and the packets of a file.
func readPcap(t *testing.T, file []byte) (linktype uint32, packets [][]byte) {
	t.Helper()
	linktype = binary.LittleEndian.Uint32(file[20:])
	for b := file[24:]; len(b) > 0; {
		kept, length := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
		at := time.Unix(int64(binary.LittleEndian.Uint32(b)), int64(binary.LittleEndian.Uint32(b[4:])))
		if kept != length || time.Since(at).Abs() > time.Minute {
			t.Fatalf("%d of %d bytes, at %v", kept, length, at)
		}
		packets = append(packets, b[16:16+kept])
		b = b[16+kept:]
	}
	return linktype, packets
}

// What passes a captured link, either way, is in the file, whole.
func TestCapture(t *testing.T) {
	a, b := newPipe(t, link.PipeConfig{Offload: true})
	var file bytes.Buffer
	l, pcap := link.Capture(a, &file)
	if _, ok := l.(interface{ HardwareAddr() net.HardwareAddr }); ok {
		t.Error("a captured pipe passes for Ethernet")
	}
	if mtu, err := l.MTU(); mtu != 1500 || err != nil {
		t.Errorf("MTU: %d, %v", mtu, err)
	}
	s := segment(0, pattern(3000))
	s.Payload, s.Rest, s.Split = s.Payload[:1000], s.Payload[1000:], 1400
	out := packet(&s)
	s = segment(1, nil)
	in := packet(&s)
	if n, err := l.Send([]wire.Packet{out}); n != 1 || err != nil {
		t.Fatalf("Send: %d, %v", n, err)
	}
	send(t, b, in)
	if n, err := l.Receive(make([]wire.Packet, 4)); n != 1 || err != nil {
		t.Fatalf("Receive: %d, %v", n, err)
	}
	linktype, packets := readPcap(t, file.Bytes())
	if linktype != 101 || len(packets) != 2 || !bytes.Equal(packets[0], out.Append(nil)) || !bytes.Equal(packets[1], in.Append(nil)) || pcap.Err() != nil {
		t.Errorf("link type %d, packets %x, %v", linktype, packets, pcap.Err())
	}
}

// An Ethernet link stays one.
func TestCaptureEthernet(t *testing.T) {
	a, _ := newPipe(t, link.PipeConfig{})
	var file bytes.Buffer
	l, _ := link.Capture(ethernetPipe{a}, &file)
	if e, ok := l.(interface{ HardwareAddr() net.HardwareAddr }); !ok || e.HardwareAddr()[5] != 7 {
		t.Error("a captured Ethernet link does not pass for one")
	}
	if linktype, packets := readPcap(t, file.Bytes()); linktype != 1 || len(packets) != 0 {
		t.Errorf("link type %d, %d packets", linktype, len(packets))
	}
}

type ethernetPipe struct{ *link.Pipe }

func (ethernetPipe) HardwareAddr() net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 0, 7} }

// When the file cannot be written any more, the link goes on.
func TestCaptureError(t *testing.T) {
	a, b := newPipe(t, link.PipeConfig{})
	r, w := io.Pipe()
	go io.CopyN(io.Discard, r, 24)
	l, pcap := link.Capture(a, w)
	full := errors.New("full")
	r.CloseWithError(full)
	s := segment(0, nil)
	for range 2 {
		if n, err := l.Send([]wire.Packet{packet(&s)}); n != 1 || err != nil {
			t.Errorf("Send: %d, %v", n, err)
		}
	}
	if n, err := b.Receive(make([]wire.Packet, 4)); n != 2 || err != nil {
		t.Errorf("Receive: %d, %v", n, err)
	}
	if err := pcap.Err(); !errors.Is(err, full) {
		t.Errorf("Err: %v, want %v", err, full)
	}
}
