package sim

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/wire"
)

// exchange makes n connections one after the other and returns the log.
func exchange(t *testing.T, seed uint64, n int, hops ...Hop) (*scene, string) {
	t.Helper()
	s := newScene(t, seed, tcp.ListenConfig{}, hops...)
	s.response.N = 30000
	for i := range n {
		st := s.request("request")
		if st.Wrong != "" || !st.EOF || st.Got != 30000 || s.served.Wrong != "" || s.served.Got != 200 {
			t.Fatalf("seed %d, connection %d:\nclient %+v\nserver %+v", seed, i, st, s.served)
		}
	}
	return s, strings.Join(s.lines, "\n")
}

func TestNetDeterministic(t *testing.T) {
	run := func(seed uint64) string {
		_, log := exchange(t, seed, 3, Both(Way{Loss: 0.05, Jitter: 3 * ms, Duplicate: 0.05, Reorder: 0.05, Rate: 1e7, Queue: 20000}))
		return log
	}
	if a, b := run(1), run(1); a != b {
		t.Errorf("the same seed: %s", firstDifference(a, b))
	}
	if run(1) == run(2) {
		t.Error("another seed made the same run")
	}
}

// A connection leaves nothing behind at either host.
func TestNetEnds(t *testing.T) {
	s, _ := exchange(t, 1, 2)
	if n := s.client.Waits() + s.server.Waits(); n != 2 {
		t.Errorf("%d connections in TIME-WAIT, want those of two", n)
	}
	before := s.Now()
	s.Run(time.Hour)
	if n := s.client.Conns() + s.client.Waits() + s.server.Conns() + s.server.Waits(); n != 0 || !s.Deadline().IsZero() {
		t.Errorf("%d connections left, deadline %v", n, s.Deadline())
	}
	if took := s.Now().Sub(before); took > time.Minute {
		t.Errorf("it took %v, want no more than TIME-WAIT", took)
	}
}

func TestNetRefused(t *testing.T) {
	s := newScene(t, 1, tcp.ListenConfig{})
	var err error
	s.client.Dial(netip.AddrPortFrom(addrB, 444), nil, func(_ time.Time, c *tcp.Conn) { err = c.Err() })
	s.Run(time.Minute)
	if err != tcp.ErrRefused {
		t.Errorf("error %v, want refused", err)
	}
}

// Segments that the machine leaves to the link to split arrive split.
func TestNetOffload(t *testing.T) {
	var tap Tap
	s := newScene(t, 1, tcp.ListenConfig{}, &tap)
	c := *s.server.Config
	c.Offload = 1 << 16
	s.server.Config = &c
	s.listener = s.server.Listen(serviB, tcp.ListenConfig{}, func(*tcp.Conn) App {
		s.served = &Stream{Out: s.response, In: Pattern{Seed: 1, N: 200}, Answer: true}
		return s.served.Run
	})
	s.response.N = 100000
	if st := s.request("much"); st.Wrong != "" || st.Got != 100000 {
		t.Errorf("client %+v", st)
	}
	for _, seen := range tap.Seen(nil) {
		if len(seen.Packet) > 1500 {
			t.Fatalf("a packet of %d bytes", len(seen.Packet))
		}
	}
}

// Each connection goes to the next server, and all of it to the same.
func TestBalancer(t *testing.T) {
	n := NewNet(1)
	client := n.Host("client", addrA)
	b := n.Balancer()
	served := [3]int{}
	var taps [3]Tap
	for i := range served {
		h := n.Host("server", addrB)
		h.Listen(serviB, tcp.ListenConfig{}, func(*tcp.Conn) App {
			served[i]++
			return (&Stream{Out: Pattern{2, 5000}, In: Pattern{1, 5000}}).Run
		})
		n.Join(b, h, Delay(ms), &taps[i])
	}
	n.Join(client, b, Delay(10*ms))
	for i := range 7 {
		st := &Stream{Out: Pattern{1, 5000}, In: Pattern{2, 5000}}
		client.Dial(serviB, nil, st.Run)
		n.Run(time.Hour)
		if st.Wrong != "" || !st.EOF {
			t.Errorf("connection %d: %+v", i, st)
		}
	}
	if served != [3]int{3, 2, 2} {
		t.Errorf("served %v, want 3, 2, 2", served)
	}
	ports := map[uint16]int{}
	for i := range taps {
		for _, s := range taps[i].Seen(func(s Seen) bool { return s.Dir == AtoB }) {
			if was, ok := ports[s.Src.Port()]; ok && was != i {
				t.Fatalf("port %d went to servers %d and %d", s.Src.Port(), was, i)
			}
			ports[s.Src.Port()] = i
		}
	}
}

func TestStreamFinds(t *testing.T) {
	for _, c := range []struct {
		name     string
		sent, in Pattern
		want     string
	}{
		{"right", Pattern{1, 100}, Pattern{1, 100}, ""},
		{"too short", Pattern{1, 99}, Pattern{1, 100}, "the stream ended after 99 of 100"},
		{"too long", Pattern{1, 101}, Pattern{1, 100}, "101 bytes came of 100"},
		{"other bytes", Pattern{2, 100}, Pattern{1, 100}, "byte 0 of 100"},
	} {
		s := newScene(t, 1, tcp.ListenConfig{})
		s.server.Listen(netip.AddrPortFrom(addrB, 80), tcp.ListenConfig{}, func(*tcp.Conn) App {
			return (&Stream{Out: c.sent}).Run
		})
		st := &Stream{In: c.in}
		s.client.Dial(netip.AddrPortFrom(addrB, 80), nil, st.Run)
		s.Run(time.Hour)
		if !strings.HasPrefix(st.Wrong, c.want) || (st.Wrong == "") != (c.want == "") {
			t.Errorf("%s: got %q, want %q", c.name, st.Wrong, c.want)
		}
	}
}

// Wherever it starts, a pattern has the same bytes.
func TestPattern(t *testing.T) {
	p := Pattern{Seed: 9, N: 1000}
	all := p.Bytes(2000)
	for off := range 1001 {
		b := make([]byte, 77)
		if n := p.Fill(b, off); n != min(77, 1000-off) || string(b[:n]) != string(all[off:off+n]) {
			t.Fatalf("from %d: %d bytes % x", off, n, b)
		}
	}
	if string(all[:500]) == string(all[500:]) || len(all) != 1000 {
		t.Error("it repeats, or has the wrong length")
	}
}

// What is no packet for the host does nothing.
func FuzzHost(f *testing.F) {
	for _, s := range []testSegment{{flags: wire.SYN, options: cookie, data: "hello"}, {v6: true, flags: wire.ACK}} {
		f.Add(s.packet())
	}
	f.Add(tooBig(addrB, 600, testSegment{flags: wire.SYN, data: "x"}.packet()))
	f.Fuzz(func(t *testing.T, packet []byte) {
		n := NewNet(1)
		h := n.Host("host", netip.MustParseAddr("10.77.0.2"), netip.MustParseAddr("fd77::2"))
		h.Listen(netip.MustParseAddrPort("10.77.0.2:80"), tcp.ListenConfig{}, func(*tcp.Conn) App { return (&Stream{}).Run })
		p := n.Join(n.Host("other", netip.MustParseAddr("10.77.0.1")), h)
		p.Send(n.Now(), AtoB, packet)
		p.Send(n.Now(), AtoB, packet)
		n.Run(time.Hour)
		if h.Conns()+h.Waits() != 0 {
			t.Errorf("%d connections left", h.Conns())
		}
	})
}
