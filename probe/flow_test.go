package probe

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

var (
	here   = netip.MustParseAddrPort("192.0.2.1:4000")
	there  = netip.MustParseAddrPort("192.0.2.2:443")
	anyTFO = func() tfo.Option {
		c, _ := tfo.CookieFrom([]byte("12345678"))
		return tfo.Option{Cookie: c}
	}()
)

func newFlow(kind SYN, exchange bool) *flow {
	f := &flow{trial: trial{kind: kind, exchange: exchange}, local: here, target: there, isn: 1000, payload: []byte("hello"), sent: time.Unix(1, 0)}
	if kind == Data || kind == Cookie {
		f.option = anyTFO
	}
	f.event = Event{Sent: kind, Data: len(f.early())}
	return f
}

// from is a segment of the server, which counts from 5000.
func from(flags wire.Flags, seq, ack uint32, data string) *wire.Segment {
	return &wire.Segment{Src: there, Dst: here, Flags: flags, Seq: seq, Ack: ack, Payload: []byte(data)}
}

// line is what is sent, without what is the same always.
func line(out []wire.Segment) string {
	var all []string
	for _, s := range out {
		text, _, _ := strings.Cut(s.String(), " win")
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func TestSYN(t *testing.T) {
	for kind, want := range map[SYN]string{
		Plain:    "S 1000:1000(0) win 64240 <mss 1460,sackOK,TS 0/0,wscale 7>",
		Request:  "S 1000:1000(0) win 64240 <mss 1460,sackOK,TS 0/0,wscale 7,fo request>",
		Cookie:   "S 1000:1000(0) win 64240 <mss 1460,sackOK,TS 0/0,wscale 7,fo 8 bytes>",
		Data:     "S 1000:1005(5) win 64240 <mss 1460,sackOK,TS 0/0,wscale 7,fo 8 bytes>",
		BareData: "S 1000:1005(5) win 64240 <mss 1460,sackOK,TS 0/0,wscale 7>",
	} {
		if got := newFlow(kind, false).syn().String(); got != want {
			t.Errorf("%v: got %s, want %s", kind, got, want)
		}
	}
	f := newFlow(Legacy, false)
	f.option = tfo.Option{Form: tfo.Experimental}
	if got := f.syn().String(); !strings.HasSuffix(got, "foexp request>") {
		t.Errorf("legacy: got %s", got)
	}
}

// TestFlow follows a connection from its SYN to its end.
func TestFlow(t *testing.T) {
	const sa, r = wire.SYN | wire.ACK, wire.RST | wire.ACK
	for _, c := range []struct {
		name     string
		kind     SYN
		exchange bool
		in       []*wire.Segment
		out      []string // for each of in
		want     string   // the event
	}{
		{"plain, half-open ended", Plain, false, []*wire.Segment{from(sa, 5000, 1001, "")},
			[]string{"R. 1001:1001(0) ack 5001"}, "plain SYN: SYN-ACK after 10.0 ms"},
		{"refused", Plain, true, []*wire.Segment{from(r, 0, 1001, "")}, []string{""}, "plain SYN: RST after 10.0 ms"},
		{"a RST without ACK says nothing", Plain, true, []*wire.Segment{from(wire.RST, 1001, 0, "")}, []string{""}, "plain SYN: no answer"},
		{"a RST for another SYN", Plain, true, []*wire.Segment{from(r, 0, 999, "")}, []string{""}, "plain SYN: no answer"},
		{"a SYN-ACK for another SYN", Data, true, []*wire.Segment{from(sa, 0, 1007, "")}, []string{""}, "SYN with cookie  and 5 bytes: no answer"},
		{"plain, answered", Plain, true, []*wire.Segment{from(sa, 5000, 1001, ""), from(wire.ACK, 5001, 1006, ""), from(wire.ACK|wire.PSH, 5001, 1006, "world")},
			[]string{".P 1001:1006(5) ack 5001", "", "R. 1006:1006(0) ack 5001"}, "plain SYN: SYN-ACK after 10.0 ms, first byte after 30.0 ms"},
		{"plain, hung up", Plain, true, []*wire.Segment{from(sa, 5000, 1001, ""), from(wire.ACK|wire.FIN, 5001, 1006, "")},
			[]string{".P 1001:1006(5) ack 5001", "R. 1006:1006(0) ack 5001"}, "plain SYN: SYN-ACK after 10.0 ms, then nothing (then closed by the server)"},
		{"plain, reset later", Plain, true, []*wire.Segment{from(sa, 5000, 1001, ""), from(r, 5001, 1006, "")},
			[]string{".P 1001:1006(5) ack 5001", ""}, "plain SYN: SYN-ACK after 10.0 ms, then nothing (then a RST)"},
		{"the SYN-ACK again", Plain, true, []*wire.Segment{from(sa, 5000, 1001, ""), from(sa, 5000, 1001, "")},
			[]string{".P 1001:1006(5) ack 5001", ".P 1001:1006(5) ack 5001"}, "plain SYN: SYN-ACK after 10.0 ms, then nothing"},
		{"our RST lost", Plain, false, []*wire.Segment{from(sa, 5000, 1001, ""), from(sa, 5000, 1001, "")},
			[]string{"R. 1001:1001(0) ack 5001", "R. 1001:1001(0) ack 5001"}, "plain SYN: SYN-ACK after 10.0 ms"},
		// Requirement SRV-20: the handshake first, so that no place in the
		// server's queue is lost for a minute.
		{"accepted", Data, false, []*wire.Segment{from(sa, 5000, 1006, "")},
			[]string{". 1006:1006(0) ack 5001; R. 1006:1006(0) ack 5001"}, "SYN with cookie  and 5 bytes: SYN-ACK after 10.0 ms, data accepted"},
		{"accepted, and answered", Data, true, []*wire.Segment{from(sa, 5000, 1006, ""), from(wire.ACK, 5001, 1006, "world")},
			[]string{". 1006:1006(0) ack 5001", "R. 1006:1006(0) ack 5001"}, "SYN with cookie  and 5 bytes: SYN-ACK after 10.0 ms, data accepted, first byte after 20.0 ms"},
		{"answered in the SYN-ACK", Data, true, []*wire.Segment{from(sa, 5000, 1006, "world")},
			[]string{". 1006:1006(0) ack 5001; R. 1006:1006(0) ack 5001"}, "SYN with cookie  and 5 bytes: SYN-ACK after 10.0 ms, data accepted, first byte after 10.0 ms"},
		{"not accepted", Data, true, []*wire.Segment{from(sa, 5000, 1001, "")},
			[]string{".P 1001:1006(5) ack 5001"}, "SYN with cookie  and 5 bytes: SYN-ACK after 10.0 ms, data refused, then nothing"},
		{"accepted in part", Data, true, []*wire.Segment{from(sa, 5000, 1003, "")},
			[]string{".P 1003:1006(3) ack 5001"}, "SYN with cookie  and 5 bytes: SYN-ACK after 10.0 ms, only 2 bytes of the data accepted, then nothing"},
	} {
		f := newFlow(c.kind, c.exchange)
		for i, s := range c.in {
			got := line(f.take(f.sent.Add(time.Duration(i+1)*10*time.Millisecond), s, false))
			if got != c.out[i] && strings.ReplaceAll(got, "P.", ".P") != c.out[i] {
				t.Errorf("%s: for %v sends %q, want %q", c.name, s, got, c.out[i])
			}
		}
		if got := f.event.String(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// What a middlebox leaves of an option are blanks, which no host sends.
func TestBlanks(t *testing.T) {
	for _, c := range []struct {
		options []byte
		want    bool
	}{
		{nil, false},
		{[]byte{2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7}, false},
		{[]byte{2, 4, 5, 180, 1, 1, 1, 3, 3, 7, 1, 1}, false},
		{[]byte{2, 4, 5, 180, 1, 1, 1, 1}, true},
		{[]byte{2, 4, 5, 180, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, true},
		{[]byte{0, 1, 1, 1, 1, 0, 0, 0}, false},
		{[]byte{2, 0, 1, 1, 1, 1, 0, 0}, false},
	} {
		header := make([]byte, 20, 60)
		header[12] = byte(5+len(c.options)/4) << 4
		if got := blanks(append(header, c.options...)); got != c.want {
			t.Errorf("%v: %t, want %t", c.options, got, c.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	f := newFlow(Plain, false)
	syn := f.syn()
	m := wire.ICMP{Kind: wire.HostUnreachable, Quote: syn.AppendPacket(nil, wire.Full)}
	router := netip.MustParseAddr("192.0.2.99")
	h := wire.IP{Src: router, Dst: here.Addr(), Protocol: wire.ProtocolICMP}
	body := m.Append(nil, h.Src, h.Dst)
	p, ok := parseReply(append(h.Append(nil, len(body)), body...), wire.Full, here.Addr(), there)
	if !ok || p.icmp == nil || p.port != here.Port() || p.about != 1000 {
		t.Fatalf("got %+v, %t", p, ok)
	}
	f.unreachable(f.sent.Add(time.Millisecond), p.icmp)
	if f.event.Answer != Unreachable || f.event.Detail == "" {
		t.Errorf("got %v", f.event)
	}
}

// FuzzReply feeds whatever comes to a connection.
func FuzzReply(f *testing.F) {
	for _, kind := range []SYN{Plain, Request, Data} {
		s := wire.Segment{Src: there, Dst: here, Flags: wire.SYN | wire.ACK, Seq: 5000, Ack: 1001, Options: wire.Options{MSS: 1460, HasFastOpen: kind == Request, FastOpen: anyTFO}}
		f.Add(s.AppendPacket(nil, wire.Full), uint8(kind))
		s.Flags |= wire.PSH
		s.Payload = []byte("world")
		f.Add(s.AppendPacket(nil, wire.Full), uint8(kind))
		own := newFlow(kind, true).syn()
		m := wire.ICMP{Kind: wire.HostUnreachable, Quote: own.AppendPacket(nil, wire.Full)}
		h := wire.IP{Src: there.Addr(), Dst: here.Addr(), Protocol: wire.ProtocolICMP}
		body := m.Append(nil, h.Src, h.Dst)
		f.Add(append(h.Append(nil, len(body)), body...), uint8(kind))
	}
	f.Fuzz(func(t *testing.T, packet []byte, kind uint8) {
		fl := newFlow(SYN(kind%6), kind&64 != 0)
		for _, check := range []wire.Checksumming{wire.Full, wire.Unchecked} {
			p, ok := parseReply(packet, check, here.Addr(), there)
			if !ok {
				continue
			}
			if p.icmp != nil {
				fl.unreachable(fl.sent, p.icmp)
				continue
			}
			if p.segment.Src != there {
				t.Fatalf("a segment from %v was taken", p.segment.Src)
			}
			for range 3 {
				for _, s := range fl.take(fl.sent, &p.segment, p.erased) {
					if s.Dst != there || len(s.AppendPacket(nil, wire.Full)) > 1280 {
						t.Fatalf("sends %v", s)
					}
				}
			}
			fl.abandon()
			if fl.event.Acked > fl.event.Data {
				t.Fatalf("%d of %d bytes were acknowledged", fl.event.Acked, fl.event.Data)
			}
		}
	})
}

// The payload is what it says it is, and fits into a SYN.
func TestPayload(t *testing.T) {
	for _, addr := range []netip.Addr{here.Addr(), netip.IPv6Loopback()} {
		for _, port := range []uint16{22, 53, 80, 443} {
			p := Payload(port, strings.Repeat("long-name.", 20)+"example.com")
			if len(p) == 0 || len(p) > maxPayload(addr) {
				t.Errorf("port %d: %d bytes", port, len(p))
			}
		}
	}
	if got := string(Payload(80, "example.com")); !strings.HasPrefix(got, "HEAD / HTTP/1.1\r\nHost: example.com\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
		t.Errorf("port 80: %q", got)
	}
	if got := string(Payload(80, "a\r\nb c")); strings.Contains(got, "b c") {
		t.Errorf("a name breaks out of its header: %q", got)
	}
	// A TLS server reads its hello.
	client, server := net.Pipe()
	go func() {
		client.Write(Payload(443, "example.com"))
		io.Copy(io.Discard, client)
	}()
	asked := ""
	tls.Server(server, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		asked = h.ServerName
		return nil, errOnlyWrites
	}}).Handshake()
	client.Close()
	if asked != "example.com" {
		t.Errorf("port 443: asks for %q", asked)
	}
	if q := Payload(53, ""); int(q[0])<<8|int(q[1]) != len(q)-2 || !bytes.HasSuffix(q, []byte{0, 0, 2, 0, 1}) {
		t.Errorf("port 53: %x", q)
	}
}
