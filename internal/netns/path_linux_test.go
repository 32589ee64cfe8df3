package netns

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/sim"
	"golang.org/x/sys/unix"
)

const ms = time.Millisecond

// A plain connection takes one round trip of the path, by the clock of the
// client and by the packets that pass it, over IPv4 and IPv6.
func TestPath(t *testing.T) {
	if Isolate(t) {
		return
	}
	client, server := Self(t), New(t, "server")
	var atClient sim.Tap
	Path(t, client, server, sim.NewPath(0, &atClient, sim.Delay(50*ms)))
	for _, addr := range []netip.Addr{B4, B6} {
		t.Run(addr.String(), func(t *testing.T) {
			to := listen(t, server, addr).Addr().(*net.TCPAddr).AddrPort()
			for try := 1; ; try++ {
				began := time.Now()
				c, err := net.DialTimeout("tcp", to.String(), 20*time.Second)
				took := time.Since(began)
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
				syns := atClient.Seen(func(s sim.Seen) bool { return s.SYN && s.Src == c.LocalAddr().(*net.TCPAddr).AddrPort() })
				answers := atClient.Seen(func(s sim.Seen) bool { return s.SYN && s.ACK && s.Dst == c.LocalAddr().(*net.TCPAddr).AddrPort() })
				rtt := answers[0].At.Sub(syns[0].At)
				t.Logf("connected in %v, answer %v after the SYN", took, rtt)
				if took < 100*ms || rtt < 100*ms {
					t.Fatal("over 50 ms each way the answer cannot have come yet")
				}
				if rtt < 150*ms {
					break
				}
				// A busy machine may be late, but not each time.
				if try == 20 {
					t.Fatal("20 times the answer came half a round trip late or more")
				}
			}
		})
	}
}

// fastNet is a client and a server with Fast Open on both, and a path
// between them with a tap at each end.
type fastNet struct {
	client, server     *Host
	atClient, atServer sim.Tap
	port               uint16
}

func newFastNet(t *testing.T, delay time.Duration, middle ...sim.Hop) *fastNet {
	t.Helper()
	n := &fastNet{client: Self(t), server: New(t, "server")}
	hops := append([]sim.Hop{&n.atClient, sim.Delay(delay / 2)}, middle...)
	hops = append(hops, sim.Delay(delay/2), &n.atServer)
	Path(t, n.client, n.server, sim.NewPath(0, hops...))
	n.port = fastEcho(t, n.client, n.server)
	return n
}

// overBoth runs f with the IPv4 and with the IPv6 address of the server.
func (n *fastNet) overBoth(t *testing.T, f func(t *testing.T, to netip.AddrPort)) {
	for _, addr := range []netip.Addr{B4, B6} {
		t.Run(addr.String(), func(t *testing.T) { f(t, netip.AddrPortFrom(addr, n.port)) })
	}
	for _, h := range []*Host{n.client, n.server} {
		if c := h.Counters(t)["InCsumErrors"]; c != 0 {
			t.Errorf("host %s received %d segments with a wrong checksum", h, c)
		}
	}
}

// dial makes a connection with five bytes of data, which must succeed.
func (n *fastNet) dial(t *testing.T, to netip.AddrPort) {
	t.Helper()
	if err := fastDial(t, to); err != nil {
		t.Fatalf("%v\nat the client:\n%v", err, &n.atClient)
	}
}

// syns tells, for each connection with a server whose SYN, or SYN-ACK, has
// passed a tap, what the first such had: data and a cookie. Only the first,
// because a kernel that is kept waiting for a second sends it again, and
// otherwise.
func syns(tap *sim.Tap, server netip.AddrPort, d sim.Dir) string {
	var all []string
	seen := map[netip.AddrPort]bool{server: true}
	for _, s := range tap.Seen(func(s sim.Seen) bool { return s.SYN && s.Dir == d && (s.Dst == server || s.Src == server) }) {
		if seen[s.Src] && seen[s.Dst] {
			continue
		}
		seen[s.Src], seen[s.Dst] = true, true
		text := fmt.Sprintf("data %d", s.Len)
		if s.FastOpen {
			text += fmt.Sprintf(" cookie %d", s.Cookie)
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// Without anything in the middle the answer comes two round trips after the
// SYN at first, and one once the client has a cookie: it comes even while the
// path lets nothing but SYNs through to the server. Nothing a busy machine does
// to the times can make that so.
func TestPathFastOpen(t *testing.T) {
	if Isolate(t) {
		return
	}
	var hold atomic.Bool
	n := newFastNet(t, 20*ms, sim.Drop(func(s sim.Seen) bool { return s.Dir == sim.AtoB && !s.SYN && hold.Load() }))
	n.overBoth(t, func(t *testing.T, to netip.AddrPort) {
		for i, trips := range []time.Duration{2, 1, 1} {
			hold.Store(trips == 1)
			n.dial(t, to)
			hold.Store(false)
			clientSYNs := n.atClient.Seen(func(s sim.Seen) bool { return s.SYN && s.Dst == to })
			from := clientSYNs[len(clientSYNs)-1].Src
			syn := n.atClient.Seen(func(s sim.Seen) bool { return s.Src == from })[0]
			answer := n.atClient.Seen(func(s sim.Seen) bool { return s.Dst == from && s.Len > 0 })[0]
			if took := answer.At.Sub(syn.At); took < trips*40*ms {
				t.Errorf("connection %d: the answer came %v after the SYN, before %d round trips of 40 ms\n%v", i, took, trips, &n.atClient)
			}
		}
		want(t, "sent", syns(&n.atClient, to, sim.AtoB), "data 0 cookie 0, data 5 cookie 8, data 5 cookie 8")
		want(t, "arrived", syns(&n.atServer, to, sim.AtoB), "data 0 cookie 0, data 5 cookie 8, data 5 cookie 8")
		want(t, "answered", syns(&n.atClient, to, sim.BtoA), "data 0 cookie 8, data 0, data 0")
	})
}

// plainRetransmits fails the test unless a SYN to server was sent again, and
// always without data and option (requirement CLI-8).
func plainRetransmits(t *testing.T, tap *sim.Tap, server netip.AddrPort) {
	t.Helper()
	seen, again := map[netip.AddrPort]bool{}, 0
	for _, s := range tap.Seen(func(s sim.Seen) bool { return s.SYN && s.Dst == server }) {
		if !seen[s.Src] {
			seen[s.Src] = true
			continue
		}
		again++
		if s.FastOpen || s.Len > 0 {
			t.Errorf("sent again: %v, want neither option nor data", s)
		}
	}
	if again == 0 {
		t.Errorf("no SYN was sent again:\n%v", tap)
	}
}

func TestPathDropSYNData(t *testing.T) {
	if Isolate(t) {
		return
	}
	n := newFastNet(t, 2*ms, sim.DropSYNData())
	n.overBoth(t, func(t *testing.T, to netip.AddrPort) {
		n.dial(t, to)
		n.dial(t, to)
		want(t, "sent", syns(&n.atClient, to, sim.AtoB), "data 0 cookie 0, data 5 cookie 8")
		want(t, "arrived", syns(&n.atServer, to, sim.AtoB), "data 0 cookie 0, data 0")
		plainRetransmits(t, &n.atClient, to)
	})
}

func TestPathDropFastOpen(t *testing.T) {
	if Isolate(t) {
		return
	}
	n := newFastNet(t, 2*ms, sim.DropFastOpen())
	n.overBoth(t, func(t *testing.T, to netip.AddrPort) {
		n.dial(t, to)
		want(t, "sent", syns(&n.atClient, to, sim.AtoB), "data 0 cookie 0")
		want(t, "arrived", syns(&n.atServer, to, sim.AtoB), "data 0")
		plainRetransmits(t, &n.atClient, to)
	})
}

func TestPathStripOnSYN(t *testing.T) {
	if Isolate(t) {
		return
	}
	n := newFastNet(t, 2*ms, sim.StripFastOpen(sim.OnSYN))
	n.overBoth(t, func(t *testing.T, to netip.AddrPort) {
		n.dial(t, to)
		want(t, "sent", syns(&n.atClient, to, sim.AtoB), "data 0 cookie 0")
		want(t, "arrived", syns(&n.atServer, to, sim.AtoB), "data 0")
		want(t, "answered", syns(&n.atServer, to, sim.BtoA), "data 0")
	})
	if c := n.server.Counters(t); c["TCPFastOpenCookieReqd"] != 0 {
		t.Errorf("the server counts a cookie request: %v", c)
	}
}

func TestPathStripOnSYNACK(t *testing.T) {
	if Isolate(t) {
		return
	}
	n := newFastNet(t, 2*ms, sim.StripFastOpen(sim.OnSYNACK))
	n.overBoth(t, func(t *testing.T, to netip.AddrPort) {
		n.dial(t, to)
		want(t, "arrived", syns(&n.atServer, to, sim.AtoB), "data 0 cookie 0")
		want(t, "answered", syns(&n.atServer, to, sim.BtoA), "data 0 cookie 8")
		want(t, "passed back", syns(&n.atClient, to, sim.BtoA), "data 0")
	})
}

func TestPathResetSYNData(t *testing.T) {
	if Isolate(t) {
		return
	}
	n := newFastNet(t, 2*ms, sim.ResetSYNData())
	n.overBoth(t, func(t *testing.T, to netip.AddrPort) {
		n.dial(t, to)
		if err := fastDial(t, to); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("dialing with data in the SYN: %v, want ECONNREFUSED\n%v", err, &n.atClient)
		}
		want(t, "arrived", syns(&n.atServer, to, sim.AtoB), "data 0 cookie 0")
	})
}

// A stream crosses a path that loses packets, both ways at once, unharmed.
func TestPathBulk(t *testing.T) {
	if Isolate(t) {
		return
	}
	client, server := Self(t), New(t, "server")
	const seed = 1
	way := sim.Way{Delay: 2 * ms, Loss: 0.005}
	Path(t, client, server, sim.NewPath(seed, sim.Link{AtoB: way, BtoA: way}))
	to := netip.AddrPortFrom(B6, fastEcho(t, client, server))
	c, err := net.DialTimeout("tcp", to.String(), 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{seed}).Read(sent)
	go func() {
		c.Write(sent)
		c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("seed %d: %d of %d bytes came back, error %v", seed, len(got), len(sent), err)
	}
	if n := client.Counters(t)["RetransSegs"] + server.Counters(t)["RetransSegs"]; n == 0 {
		t.Errorf("seed %d: nothing was lost", seed)
	}
}
