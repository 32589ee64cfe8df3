package probe

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/wire"
)

// TestChanges probes a server again and again while its settings change. In mode
// Kernel there is a cookie of before each time.
func TestChanges(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	netns.Path(t, client, server, sim.NewPath(1, sim.Delay(2*ms)))
	const sysctl, key = "net.ipv4.tcp_fastopen", "net.ipv4.tcp_fastopen_key"
	server.Sysctl(t, sysctl, "3")
	port := serve(t, server, fastopen.ListenConfig{})
	for _, c := range []struct {
		name          string
		setting, text string
		raw, kernel   Verdict
	}{
		{"on", sysctl, "3", Works, Works},
		// A cookie that is refused once, and replaced, is out of date and no
		// fault: requirement CLI-6.
		{"another key", key, "1-2-3-4", Works, Works},
		// Requirement LIVE-3: it is off at once, cookies are ignored.
		{"off", sysctl, "1", NoFastOpen, CookieRefused},
		{"on again", sysctl, "3", Works, Works},
	} {
		server.Sysctl(t, c.setting, c.text)
		for _, addr := range []netip.Addr{netns.B4, netns.B6} {
			for _, mode := range bothModes {
				want := c.raw
				if mode == Kernel {
					want = c.kernel
				}
				if r := probeAs(t, mode, Prober{}, netip.AddrPortFrom(addr, port)); r.Verdict != want {
					t.Errorf("%s, %v: want verdict %v: %s", c.name, mode, want, story(r))
				}
			}
		}
	}
	// Raw packets do not ask the kernel for leave.
	client.Sysctl(t, sysctl, "0")
	to := netip.AddrPortFrom(netns.B4, port)
	if r := probeAs(t, Raw, Prober{}, to); r.Verdict != Works {
		t.Errorf("off for clients: %s", story(r))
	}
	if _, err := (&Prober{Mode: Kernel}).Probe(t.Context(), to); !errors.Is(err, ErrClientOff) {
		t.Errorf("off for clients: got error %v, want %v", err, ErrClientOff)
	}
}

// An answer that comes after its SYN has been given up counts all the same, so
// a host that is far away is not silent.
func TestFarAway(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	netns.Path(t, client, server, sim.NewPath(1, sim.Delay(100*ms)))
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	port := serve(t, server, fastopen.ListenConfig{})
	r := probeAs(t, Raw, Prober{Wait: 50 * ms, Tries: 5}, netip.AddrPortFrom(netns.B4, port))
	if r.Verdict != Works {
		t.Errorf("want %v: %s", Works, story(r))
	}
}

// What a raw probe sends: each connection is ended, one that the server opened
// at its SYN only after the handshake (requirement SRV-20), and the kernel, which
// knows nothing of them, does not put in a word.
func TestWire(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	var atClient sim.Tap
	netns.Path(t, client, server, sim.NewPath(1, &atClient, sim.Delay(5*ms)))
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	port := serve(t, server, fastopen.ListenConfig{})
	requests, data := uint64(0), uint64(0)
	for _, addr := range []netip.Addr{netns.B4, netns.B6} {
		to := netip.AddrPortFrom(addr, port)
		r := probeAs(t, Raw, Prober{Repeat: 2}, to)
		if r.Verdict != Works {
			t.Errorf("want %v: %s", Works, story(r))
		}
		for i, e := range r.Events {
			var sent []string
			mine := func(s sim.Seen) bool { return s.Dst == to && s.Src.Port() == e.Port }
			// The device is read a little after it was written to.
			if _, err := atClient.Await(t.Context(), 1, func(s sim.Seen) bool { return mine(s) && s.RST }); err != nil {
				t.Fatal(err)
			}
			for _, s := range atClient.Seen(mine) {
				var w wire.Segment
				ip, payload, _ := wire.ParseIP(s.Packet)
				if !w.Parse(ip.Src, ip.Dst, payload, wire.Full) {
					t.Fatalf("sent with a wrong checksum: %v", s)
				}
				sent = append(sent, w.Flags.String())
			}
			want := "S R."
			switch {
			case e.Awaited && e.Sent == Plain:
				want = "S P. R."
			case e.Sent == Data:
				want = "S . R."
				data++
			case e.Sent == Request:
				requests++
			}
			got := strings.Join(sent, " ")
			if i == len(r.Events)-1 {
				// After the end of the probe, the kernel may reset what the
				// server had sent before.
				got = strings.TrimSuffix(got, " R")
			}
			if got != want {
				t.Errorf("%v: sent %s, want %s", e, got, want)
			}
		}
	}
	c := server.Counters(t)
	if c["TCPFastOpenPassive"] != data || c["TCPFastOpenCookieReqd"] != requests || c["TCPFastOpenListenOverflow"] != 0 {
		t.Errorf("the server counts %v for %d requests and %d SYNs with data", c, requests, data)
	}
}

// A link-local address has a zone.
func TestLinkLocal(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	dev, _ := netns.Veth(t, client, server, netip.MustParsePrefix("fe80::1/64"), netip.MustParsePrefix("fe80::2/64"))
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	port := serve(t, server, fastopen.ListenConfig{})
	to := netip.AddrPortFrom(netip.MustParseAddr("fe80::2%"+dev), port)
	for _, mode := range bothModes {
		if r := probeAs(t, mode, Prober{}, to); r.Verdict != Works {
			t.Errorf("%v: want %v: %s", mode, Works, story(r))
		}
	}
}

// On the loopback device packets have no checksum yet.
func TestLoopback(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	host := netns.Self(t)
	host.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	port := serve(t, host, fastopen.ListenConfig{})
	for _, addr := range []string{"127.0.0.1", "::1", "127.0.0.9"} {
		for _, mode := range bothModes {
			to := netip.AddrPortFrom(netip.MustParseAddr(addr), port)
			if r := probeAs(t, mode, Prober{}, to); r.Verdict != Works {
				t.Errorf("%v: want %v: %s", mode, Works, story(r))
			}
			to = netip.AddrPortFrom(to.Addr(), 1)
			if r := probeAs(t, mode, Prober{}, to); r.Verdict != Refused {
				t.Errorf("%v: want %v: %s", mode, Refused, story(r))
			}
		}
	}
	for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
		for _, mode := range bothModes {
			to := netip.AddrPortFrom(netip.MustParseAddr(addr), port)
			if r := probeAs(t, mode, Prober{}, to); r.Verdict != NotReachable {
				t.Errorf("%v: want %v: %s", mode, NotReachable, story(r))
			}
		}
	}
}

// A probe ends when it is told to, and when its time is up.
func TestEnds(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	var atClient sim.Tap
	netns.Path(t, client, server, sim.NewPath(1, &atClient, sim.Drop(func(sim.Seen) bool { return true })))
	to := netip.AddrPortFrom(netns.B4, 443)
	for _, mode := range bothModes {
		ctx, cancel := context.WithCancel(t.Context())
		n := len(atClient.Seen(nil))
		go func() {
			atClient.Await(t.Context(), n+1, nil)
			cancel()
		}()
		if _, err := (&Prober{Mode: mode, Wait: time.Hour, Timeout: time.Hour}).Probe(ctx, to); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, cancelled: got error %v", mode, err)
		}
		r, err := (&Prober{Mode: mode, Wait: time.Hour, Timeout: 50 * ms}).Probe(t.Context(), to)
		if err != nil || r.Verdict != Unclear {
			t.Errorf("%v, time is up: got %v, %v", mode, r, err)
		}
	}
	for _, to := range []string{"0.0.0.0:443", "192.0.2.1:0", "224.0.0.1:443"} {
		if _, err := new(Prober).Probe(t.Context(), netip.MustParseAddrPort(to)); err == nil {
			t.Errorf("%s was probed", to)
		}
	}
	if _, err := new(Prober).Probe(t.Context(), netip.AddrPort{}); err == nil {
		t.Error("nothing was probed")
	}
}

// A kernel that pauses its Fast Open cannot tell anything: requirement MBOX-3.
func TestPaused(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	_, _, prefixes := nth(1)
	netns.Path(t, client, server, sim.NewPath(1, sim.Drop(func(s sim.Seen) bool { return s.SYN && s.Dst.Port() == 9 })), prefixes...)
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	client.Sysctl(t, "net.ipv4.tcp_fastopen_blackhole_timeout_sec", "3600")
	port := serve(t, server, fastopen.ListenConfig{})
	addr := prefixes[1].Addr()
	// The third SYN in a row that nobody answers makes the kernel pause.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.SendmsgN(fd, []byte("x"), nil, sockaddr(netip.AddrPortFrom(addr, 9)), unix.MSG_FASTOPEN); err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	for end := deadline(t); client.Counters(t)["TCPFastOpenBlackhole"] == 0; {
		if time.Now().After(end) {
			t.Fatal("the kernel does not pause")
		}
		unix.Poll(nil, 20)
	}
	if r, err := (&Prober{Mode: Kernel}).Probe(t.Context(), netip.AddrPortFrom(addr, port)); !errors.Is(err, ErrPaused) {
		t.Errorf("got %s, error %v, want %v", story(r), err, ErrPaused)
	}
}
