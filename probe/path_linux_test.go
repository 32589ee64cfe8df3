package probe

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

const ms = time.Millisecond

// serve makes h a server that answers the first message on each connection. It
// listens on all addresses.
func serve(t *testing.T, h *netns.Host, lc fastopen.ListenConfig) (port uint16) {
	t.Helper()
	var l net.Listener
	var err error
	h.Do(func() { l, err = lc.Listen(t.Context(), "tcp", ":0") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go answer(l)
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

func answer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			b := make([]byte, 4096)
			if _, err := c.Read(b); err == nil {
				c.Write([]byte("hello"))
				io.Copy(io.Discard, c)
			}
		}()
	}
}

var bothModes = []Mode{Raw, Kernel}

// probeAs probes in a mode. Mode Kernel runs as Auto on a thread that has lost
// its rights, so that it is what an ordinary user gets.
func probeAs(t *testing.T, mode Mode, p Prober, to netip.AddrPort) Report {
	t.Helper()
	var r Report
	var err error
	done := make(chan struct{})
	p.Mode = mode
	go func() {
		defer close(done)
		if mode == Kernel {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			if err = dropRights(); err != nil {
				return
			}
			p.Mode = Auto
		}
		r, err = p.Probe(context.WithoutCancel(t.Context()), to)
	}()
	<-done
	if err != nil {
		t.Errorf("probe %v, mode %v: %v", to, mode, err)
	} else if r.Mode != mode {
		t.Errorf("probe %v: mode %v, want %v", to, r.Mode, mode)
	}
	return r
}

// dropRights takes all capabilities from the calling thread.
func dropRights() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

func story(r Report) string {
	s := r.String() + "\n"
	for _, e := range r.Events {
		s += "\t" + inMillis(e.At) + "  " + e.String() + "\n"
	}
	return s
}

// TestPaths probes a server with Fast Open across everything that does
// something to it, over IPv4 and IPv6, in both modes.
func TestPaths(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client := netns.Self(t)
	var firewalls [2]atomic.Pointer[sim.Box] // of each family; a new one for each probe, since it has a long memory
	block := func(now time.Time, d sim.Dir, packet []byte, emit func(sim.Dir, []byte)) {
		(*firewalls[packet[0]>>4/6].Load())(now, d, packet, emit)
	}
	var all sync.WaitGroup
	for i, c := range []struct {
		name        string
		middle      []sim.Hop
		raw, kernel Verdict
	}{
		{"nothing in between", nil, Works, Works},
		{"option stripped on the SYN", []sim.Hop{sim.StripFastOpen(sim.OnSYN)}, NoFastOpen, NoFastOpen},
		{"option stripped on the SYN-ACK", []sim.Hop{sim.StripFastOpen(sim.OnSYNACK)}, OptionStripped, NoFastOpen},
		{"SYN with data dropped", []sim.Hop{sim.DropSYNData()}, DataDropped, DataDropped},
		{"SYN with option dropped", []sim.Hop{sim.DropFastOpen()}, OptionDropped, OptionDropped},
		{"SYN with cookie dropped", []sim.Hop{sim.Drop(func(s sim.Seen) bool { return s.SYN && !s.ACK && s.Cookie > 0 })}, CookieDropped, CookieDropped},
		{"reset on SYN data", []sim.Hop{sim.ResetSYNData()}, ResetByFastOpen, ResetByFastOpen},
		{"data taken out of the SYN", []sim.Hop{sim.SwallowSYNData()}, CookieRefused, CookieRefused},
		{"data in the SYN cut off", []sim.Hop{sim.TrimSYNData(1)}, CookieRefused, CookieRefused},
		{"SYN-ACK acknowledges the SYN alone", []sim.Hop{sim.AckSYNOnly()}, CookieRefused, CookieRefused},
		{"sender blocked after SYN data", []sim.Hop{sim.Box(block)}, Blocked, Blocked},
		{"black hole after the handshake", []sim.Hop{sim.LateBlackHole()}, BlackHole, BlackHole},
		{"legacy only", []sim.Hop{strip34()}, LegacyOnly, LegacyOnly},
		{"everything dropped", []sim.Hop{sim.Drop(func(sim.Seen) bool { return true })}, Silent, Silent},
	} {
		server := netns.New(t, "server")
		hops := append([]sim.Hop{sim.Delay(5 * ms)}, c.middle...)
		_, addrs, prefixes := nth(i)
		netns.Path(t, client, server, sim.NewPath(1, append(hops, sim.Delay(5*ms))...), prefixes...)
		server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
		port := serve(t, server, fastopen.ListenConfig{})
		for j, addr := range addrs {
			// Most of the time is spent waiting for what does not come.
			all.Go(func() {
				for _, mode := range bothModes {
					if c.raw == Blocked {
						firewalls[j].Store(new(sim.Blacklist(time.Hour, true)))
					}
					want := c.raw
					if mode == Kernel {
						want = c.kernel
					}
					if r := probeAs(t, mode, Prober{}, netip.AddrPortFrom(addr, port)); r.Verdict != want {
						t.Errorf("%s, %v: want verdict %v: %s", c.name, mode, want, story(r))
					}
				}
			})
		}
	}
	all.Wait()
}

// strip34 takes the option of today out of SYNs, and lets the experimental one
// pass.
func strip34() sim.Box {
	return func(_ time.Time, d sim.Dir, packet []byte, emit func(sim.Dir, []byte)) {
		ip, payload, ok := wire.ParseIP(packet)
		var s wire.Segment
		if ok && ip.Protocol == wire.ProtocolTCP && s.Parse(ip.Src, ip.Dst, payload, wire.Unchecked) &&
			s.Flags == wire.SYN && s.Options.HasFastOpen && s.Options.FastOpen.Form == tfo.Standard {
			s.Options.HasFastOpen = false
			packet = s.AppendPacket(nil, wire.Full)
		}
		emit(d, packet)
	}
}

// nth are the addresses of the n-th pair of hosts.
func nth(n int) (client, server []netip.Addr, all []netip.Prefix) {
	c4, s4 := netip.AddrFrom4([4]byte{10, 78, byte(n), 1}), netip.AddrFrom4([4]byte{10, 78, byte(n), 2})
	c6, s6 := netip.MustParseAddr(fmt.Sprintf("fd78:%x::1", n)), netip.MustParseAddr(fmt.Sprintf("fd78:%x::2", n))
	return []netip.Addr{c4, c6}, []netip.Addr{s4, s6}, []netip.Prefix{
		netip.PrefixFrom(c4, 24), netip.PrefixFrom(s4, 24), netip.PrefixFrom(c6, 64), netip.PrefixFrom(s6, 64)}
}

// deadline is by when what must come has to have come.
func deadline(t *testing.T) time.Time {
	if d, ok := t.Deadline(); ok {
		return d
	}
	return time.Now().Add(time.Minute)
}
