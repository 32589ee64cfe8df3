package stack

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// FuzzInput gives a host packets as they come, or with their checksums set right,
// between operations on its sockets and leaps of time. Whatever comes, it must not
// panic, keep its books, and have nothing left when its sockets are closed.
func FuzzInput(f *testing.F) {
	syn := wire.Segment{Src: netip.AddrPortFrom(addrA4, 1000), Dst: at80, Seq: 100, Flags: wire.SYN, Window: 65535}
	syn.Options = wire.Options{MSS: 1460, SACKPermitted: true, HasFastOpen: true}
	script := func(steps ...[]byte) (b []byte) {
		for _, s := range steps {
			b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
			b = append(b, s...)
		}
		return b
	}
	ack := wire.Segment{Src: syn.Src, Dst: at80, Seq: 101, Ack: 1, Flags: wire.ACK | wire.PSH, Window: 100, Payload: []byte("hello")}
	step := func(op byte, s *wire.Segment) []byte { return s.AppendPacket([]byte{op}, wire.Full) }
	f.Add(script(step(0, &syn), step(1, &ack), []byte{2, 5}, []byte{3, 1}))
	ack.Flags |= wire.FIN
	f.Add(script(step(0, &syn), step(1, &ack), step(1, &syn), []byte{2, 200}, []byte{3, 2}, []byte{3, 3}, []byte{2, 255}))
	ping := wire.ICMP{Kind: wire.EchoRequest, Body: []byte("abcdefgh")}
	ip := wire.IP{Src: addrA4, Dst: addrB4, Protocol: wire.ProtocolICMP}
	body := ping.Append(nil, ip.Src, ip.Dst)
	f.Add(script(append(ip.Append([]byte{0}, len(body)), body...)))
	quote := wire.ICMP{Kind: wire.PortUnreachable, Quote: step(0, &syn)[1:]}
	body = quote.Append(nil, ip.Src, ip.Dst)
	f.Add(script(append(ip.Append([]byte{0}, len(body)), body...)))
	ip.Protocol, ip.MoreFragments = wire.ProtocolUDP, true
	f.Add(script(append(ip.Append([]byte{0}, 16), make([]byte, 16)...), []byte{2, 90}))
	arp := arpMessage{op: arpRequested, senderHW: hardwareAddr{2, 0, 0, 0, 0, 1}, sender: addrA4, targetProtocol: addrB4}
	frame := arp.append(appendEthernet([]byte{0}, broadcastHardware, arp.senderHW, etherTypeARP))
	framed := script(frame, step(1, &syn), step(1, &ack), []byte{2, 5}, []byte{3, 1})
	framed[0] |= 0x80
	f.Add(framed)
	f.Fuzz(func(t *testing.T, b []byte) { fuzzHost(t, b) })
}

func fuzzHost(t *testing.T, b []byte) {
	now := time.Unix(1_800_000_000, 0)
	var h *Host
	var last wire.Segment
	var hardware net.HardwareAddr
	if len(b) > 0 && b[0]&0x80 != 0 {
		// The same on an Ethernet link.
		b = append([]byte{b[0] &^ 0x80}, b[1:]...)
		hardware = net.HardwareAddr{2, 0, 0, 0, 0, 2}
	}
	h = NewHost(now, HostConfig{
		Links: []LinkConfig{{MTU: 1500, Hardware: hardware}}, Secret: [16]byte{9},
		Output: func(_ int, batch []wire.Packet) {
			for i := range batch {
				p := batch[i].Append(nil)
				if hardware != nil {
					if len(p) < etherHeader {
						t.Fatalf("sent a frame that is none: %x", p)
					}
					if binary.BigEndian.Uint16(p[12:]) == etherTypeARP {
						continue
					}
					p = p[etherHeader:]
				}
				ip, body, ok := wire.ParseIP(p)
				if !ok || len(p) > 1500 {
					t.Fatalf("sent a packet that is none: %x", p)
				}
				if ip.Protocol == wire.ProtocolTCP && !last.Parse(ip.Src, ip.Dst, body, wire.Full) {
					t.Fatalf("sent a segment that is none: %x", p)
				}
			}
		},
	})
	_ = h.AddAddress(0, netip.PrefixFrom(addrB4, 24))
	_ = h.AddAddress(0, netip.PrefixFrom(addrB6, 64))
	l := h.Socket()
	_ = l.SetFastOpen(4)
	_ = l.Bind(netip.AddrPortFrom(netip.Addr{}, 80))
	_ = l.Listen(now, 4)
	u := h.UDP()
	_ = u.Bind(netip.AddrPortFrom(netip.Addr{}, 53))
	socks := []*Socket{l}
	for len(b) >= 3 {
		n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
		if n == 0 {
			break
		}
		op, arg := b[2], b[3:2+n]
		b = b[2+n:]
		switch op % 4 {
		case 0:
			h.Input(now, append([]byte{}, arg...))
		case 1:
			p := repaired(arg, &last)
			if hardware != nil {
				p = append(appendEthernet(nil, hardwareAddr(hardware), hardwareAddr{2, 0, 0, 0, 0, 1}, etherTypeIPv4), p...)
			}
			h.Input(now, p)
		case 2:
			if len(arg) > 0 {
				now = now.Add(time.Millisecond << (arg[0] % 20))
			}
			h.Advance(now)
		case 3:
			socks = operate(h, now, socks, arg)
		}
		check(t, h)
	}
	for _, s := range socks {
		_ = s.Close(now)
	}
	_ = u.Close()
	for range 100_000 {
		d := h.Deadline()
		if d.IsZero() {
			break
		}
		if d.After(now) {
			now = d
		}
		h.Advance(now)
	}
	check(t, h)
	if c, w := h.Sockets(); c != 0 || w != 0 || h.memory.lent != 0 {
		t.Fatalf("left when all was closed: %d connections, %d in TIME-WAIT, %d buffers", c, w, h.memory.lent)
	}
}

// repaired sets addresses and checksums of a packet right, and has it acknowledge
// what was sent last.
func repaired(p []byte, last *wire.Segment) []byte {
	p = append([]byte{}, p...)
	if len(p) < 40 || p[0]>>4 != 4 {
		return p
	}
	p[0] = 0x45
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	a, b := addrA4.As4(), addrB4.As4()
	copy(p[12:], a[:])
	copy(p[16:], b[:])
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], wire.Fold(wire.Sum(0, p[:20])))
	if p[9] == wire.ProtocolTCP {
		binary.BigEndian.PutUint32(p[28:], last.End())
		p[36], p[37] = 0, 0
		sum := wire.Sum(wire.PseudoHeader(addrA4, addrB4, wire.ProtocolTCP, len(p)-20), p[20:])
		binary.BigEndian.PutUint16(p[36:], wire.Fold(sum))
	}
	return p
}

// operate does something to a socket.
func operate(h *Host, now time.Time, socks []*Socket, arg []byte) []*Socket {
	if len(arg) < 1 {
		return socks
	}
	s := socks[int(arg[0]>>4)%len(socks)]
	switch arg[0] & 15 {
	case 0:
		if len(socks) < 16 {
			s = h.Socket()
			_ = s.Connect(now, netip.AddrPortFrom(addrA4, 1000))
			return append(socks, s)
		}
	case 1:
		if c, err := s.Accept(now); err == nil {
			return append(socks, c)
		}
	case 2:
		_, _ = s.Send(now, arg)
	case 3:
		_, _ = s.Send(now, make([]byte, 100_000))
	case 4:
		_, _ = s.Receive(now, make([]byte, 1000))
	case 5:
		_ = s.Shutdown(now, ShutWrite)
	case 6:
		_ = s.Shutdown(now, ShutRead)
	case 7:
		_ = s.Close(now)
	case 8:
		_ = s.Disconnect(now)
	case 9:
		s.SetLinger(0)
	case 10:
		_, _ = s.ConnectWith(now, netip.AddrPortFrom(addrA4, 1000), arg)
	case 11:
		_ = s.PendingError()
	case 12:
		_ = s.SetFastOpenConnect(true)
		_ = s.Connect(now, netip.AddrPortFrom(addrA4, 1000))
	case 13:
		s.SetKeepalive(now, true)
	case 14:
		_ = s.Listen(now, 3)
	}
	_, _ = s.Poll(), s.Info()
	return socks
}

// check holds the books against each other.
func check(t *testing.T, h *Host) {
	t.Helper()
	n := 0
	h.conns.each(func(s *Socket) {
		n++
		f := s.flow()
		if found, ok := h.conns.get(&f); !ok || found != s {
			t.Fatalf("a connection is not where it should be: %v", s.conn.Remote())
		}
		if s.conn.Done() {
			t.Fatal("a connection is over and still there")
		}
		if d := s.conn.Deadline(); !d.IsZero() {
			if s.slot == 0 || h.timers.heap[s.slot-1].at > h.clock(d) {
				t.Fatalf("a connection has a deadline that nobody keeps: %v", d)
			}
		}
	})
	if n != h.conns.n {
		t.Fatalf("%d connections are counted as %d", n, h.conns.n)
	}
	for i, e := range h.timers.heap {
		if int(e.s.slot) != i+1 || i > 0 && h.timers.heap[(i-1)/4].at > e.at {
			t.Fatalf("the heap is not one at %d", i)
		}
	}
	if len(h.touched) != 0 {
		t.Fatal("connections are still to be attended to")
	}
}
