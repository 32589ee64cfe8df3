package probe

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/wire"
)

// TestServers probes the kernel's server in each of its states.
func TestServers(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client := netns.Self(t)
	full := fastopen.ListenConfig{Queue: 1}
	for i, c := range []struct {
		name        string
		sysctl      string
		lc          fastopen.ListenConfig
		raw, kernel Verdict
	}{
		{"on", "3", fastopen.ListenConfig{}, Works, Works},
		{"off for the host", "1", fastopen.ListenConfig{}, NoFastOpen, NoFastOpen},
		{"off for the listener", "3", fastopen.ListenConfig{Queue: -1}, NoFastOpen, NoFastOpen},
		{"on for all listeners", "1027", fastopen.ListenConfig{Queue: -1}, Works, Works}, // 0x403
		{"without cookies", "515", fastopen.ListenConfig{}, Cookieless, Cookieless},      // 0x203
		{"queue of one", "3", full, Works, Works},
		{"queue full", "3", full, NoFastOpen, NoFastOpen},
	} {
		server := netns.New(t, "server")
		_, addrs, prefixes := nth(i)
		netns.Path(t, client, server, sim.NewPath(1, sim.Delay(2*ms)), prefixes...)
		server.Sysctl(t, "net.ipv4.tcp_fastopen", c.sysctl)
		port := serve(t, server, c.lc)
		for _, addr := range addrs {
			for _, mode := range bothModes {
				to := netip.AddrPortFrom(addr, port)
				if c.name == "queue full" {
					fill(t, to)
				}
				r := probeAs(t, mode, Prober{}, to)
				want := c.raw
				if mode == Kernel {
					want = c.kernel
				}
				if r.Verdict != want {
					t.Errorf("%s, %v: want verdict %v: %s", c.name, mode, want, story(r))
				}
				if want == Works && mode == Raw && r.Cookies != 1 {
					t.Errorf("%s: %d cookies, want 1: %s", c.name, r.Cookies, story(r))
				}
			}
		}
		if c := server.Counters(t); c["TCPFastOpenPassiveFail"] > 0 {
			t.Errorf("server %d: a cookie was not valid: %v", i, c)
		}
	}
}

// fill makes the only Fast Open connection that a listener allows, and leaves
// its handshake undone: requirement SRV-6.
func fill(t *testing.T, to netip.AddrPort) {
	t.Helper()
	p := Prober{Payload: []byte("x"), Mode: Raw}
	q := p.filled(to)
	r, err := openRaw(&q, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	if err := r.try(t.Context(), []trial{{kind: Request}}); err != nil {
		t.Fatal(err)
	}
	if r.cookie.IsRequest() {
		return // it is full already: of the probe in the mode before
	}
	f := &flow{trial: trial{kind: Data}, target: to, isn: 1, option: r.cookie, payload: []byte("x")}
	holder, port, err := holdPort(r.local, "")
	if err != nil {
		t.Fatal(err)
	}
	f.local = netip.AddrPortFrom(r.local, port)
	r.flows, r.holders = append(r.flows, f), append(r.holders, holder)
	if err := r.send([]wire.Segment{f.syn()}); err != nil {
		t.Fatal(err)
	}
	// The SYN-ACK says that the connection is there.
	for f.event.Answer == Nothing {
		packet, check, err := r.in.read(t.Context(), deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		p, ok := parseReply(packet, check, r.local, to)
		if ok && p.port == port && p.segment.Flags.Has(wire.SYN|wire.ACK) {
			f.event.Answer = SYNACK
			if p.segment.Ack != 3 {
				t.Fatalf("the data was not accepted: %v", p.segment)
			}
		}
	}
}

// TestFleet probes two servers that share an address: with keys of their own,
// with the same, with the keys of a rotation under way, and with Fast Open on
// one of them only.
func TestFleet(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	const one, other = "00000000-00000000-00000000-00000001", "00000000-00000000-00000000-00000002"
	client := netns.Self(t)
	for i, c := range []struct {
		name    string
		keys    [2]string
		sysctls [2]string
		want    Verdict
		cookies int
		renewed bool
	}{
		{"keys of their own", [2]string{one, other}, [2]string{"3", "3"}, KeysDiffer, 2, false},
		{"the same keys", [2]string{one, one}, [2]string{"3", "3"}, Works, 1, false},
		// A cookie of the backup is accepted, and another one given for it:
		// requirement KEY-1.
		{"rotation", [2]string{one + "," + other, other + "," + one}, [2]string{"3", "3"}, Works, 2, true},
		// Requirement KEY-6: this is not the order in which to do it.
		{"rotation in disorder", [2]string{one, other + "," + one}, [2]string{"3", "3"}, KeysDiffer, 2, false},
		{"one without", [2]string{one, one}, [2]string{"3", "1"}, Varies, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, addrs, prefixes := nth(i)
			var servers [2]*netns.Host
			for j := range servers {
				servers[j] = netns.New(t, "server")
				servers[j].Sysctl(t, "net.ipv4.tcp_fastopen", c.sysctls[j])
				servers[j].Sysctl(t, "net.ipv4.tcp_fastopen_key", c.keys[j])
			}
			newFleet(t, client, servers[:], prefixes)
			for _, s := range servers {
				var l net.Listener
				var err error
				s.Do(func() { l, err = fastopen.Listen("tcp", ":443") })
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				go answer(l)
			}
			for _, addr := range addrs {
				for _, mode := range bothModes {
					r := probeAs(t, mode, Prober{Payload: []byte("hello")}, netip.AddrPortFrom(addr, 443))
					if r.Verdict != c.want || r.Cookies != c.cookies || c.renewed && !r.Renewed && mode == Raw {
						t.Errorf("%v: want verdict %v and %d cookies, not %d: %s", mode, c.want, c.cookies, r.Cookies, story(r))
					}
				}
			}
		})
	}
}

// A fleet is a device behind which several servers stand that have one address:
// each connection goes to the next of them, and stays with it.
type fleet struct {
	devices []*link.TUN
	packets chan []byte
	done    chan struct{}
	once    sync.Once

	mu     sync.Mutex
	chosen map[netip.AddrPort]int
	next   int
}

// newFleet joins the client to servers.
func newFleet(t *testing.T, client *netns.Host, servers []*netns.Host, prefixes []netip.Prefix) {
	t.Helper()
	f := &fleet{packets: make(chan []byte), done: make(chan struct{}), chosen: map[netip.AddrPort]int{}}
	name := "pool" + strconv.Itoa(int(prefixes[0].Addr().As4()[2]))
	open := func(h *netns.Host) (dev *link.TUN) {
		var err error
		h.Do(func() { dev, err = link.OpenTUN(link.TUNConfig{Name: name, MTU: netns.PathMTU}) })
		if err != nil {
			t.Fatal(err)
		}
		return dev
	}
	outside := open(client)
	for _, s := range servers {
		dev := open(s)
		f.devices = append(f.devices, dev)
		go f.pump(dev)
	}
	b, err := sim.NewBridge(outside, f, sim.NewPath(1, sim.Delay(2*ms)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	client.Up(t, name, prefixes[0], prefixes[2])
	for _, s := range servers {
		s.Up(t, name, prefixes[1], prefixes[3])
	}
}

// pump passes on what a server sends.
func (f *fleet) pump(dev *link.TUN) {
	const headroom = 10
	buf, sizes := make([]byte, headroom+netns.PathMTU), make([]int, 1)
	for {
		n, err := dev.Read([][]byte{buf}, sizes, headroom)
		if err != nil {
			return
		}
		for range n {
			select {
			case f.packets <- append([]byte(nil), buf[headroom:][:sizes[0]]...):
			case <-f.done:
				return
			}
		}
	}
}

func (f *fleet) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	select {
	case p := <-f.packets:
		sizes[0] = copy(bufs[0][offset:], p)
		return 1, nil
	case <-f.done:
		return 0, os.ErrClosed
	}
}

func (f *fleet) Write(bufs [][]byte, offset int) (int, error) {
	for _, b := range bufs {
		ip, payload, ok := wire.ParseIP(b[offset:])
		var s wire.Segment
		if !ok || ip.Protocol != wire.ProtocolTCP || !s.Parse(ip.Src, ip.Dst, payload, wire.Unchecked) {
			continue
		}
		f.mu.Lock()
		i, known := f.chosen[s.Src]
		if !known {
			i = f.next
			f.next = (f.next + 1) % len(f.devices)
			f.chosen[s.Src] = i
		}
		f.mu.Unlock()
		f.devices[i].Write([][]byte{b}, offset)
	}
	return len(bufs), nil
}

func (f *fleet) MTU() (int, error) { return netns.PathMTU, nil }
func (f *fleet) BatchSize() int    { return 1 }

func (f *fleet) Close() error {
	f.once.Do(func() { close(f.done) })
	var errs []error
	for _, d := range f.devices {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}
