package stack_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

const (
	keyOld = "00010203-04050607-08090a0b-0c0d0e0f"
	keyNew = "f0e0d0c0-b0a09080-70605040-30201000"
)

func keys(t *testing.T, text string) tfo.Keys {
	t.Helper()
	k, err := tfo.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Requirements COOKIE-5 to COOKIE-7: with the same key, the kernel's cookie is what
// ours would be, and a server of either kind takes what the other has granted.
func TestInteropSharedKey(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	p.kernel.Sysctl(t, "net.ipv4.tcp_fastopen_key", keyOld)
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		s := serveKernel(t, kernel, fastopen.ListenConfig{}).serve(echo)
		path := tfo.Path{Local: ours, Remote: netip.MustParseAddrPort(s.address())}
		wantOutcome(t, "first", ask(t, p.dialStack, s.address(), "first"), tfo.CookieRequested)
		granted := p.cache.Lookup(time.Now(), path).Cookie
		minted := tfo.Option{Cookie: keys(t, keyOld).Mint(ours, kernel)}
		if granted != minted {
			t.Fatalf("the kernel grants %s, we would %s", granted.Cookie.Reveal(), minted.Cookie.Reveal())
		}
		// One that we have made is as good, without asking for it.
		p.cache.Forget()
		p.cache.Learn(time.Now(), path, tfo.Lesson{Cookie: minted, MSS: 1440})
		wantOutcome(t, "ours", ask(t, p.dialStack, s.address(), "second"), tfo.DataAccepted)
	})
}

// A client that has its cookie from a server of one kind brings it to one of the
// other kind at the same address, with the same key: as behind one address for
// many machines.
func TestInteropServersOfBothKinds(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client := netns.Self(t)
	client.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	other := netns.New(t, "server")
	other.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	families(t, func(t *testing.T, _, at netip.Addr) {
		client.FlushTCPMetrics(t)
		other.Sysctl(t, "net.ipv4.tcp_fastopen_key", keyOld)
		viaKernel := func(f func(address string)) {
			dev, _ := netns.Veth(t, client, other)
			defer client.Delete(t, dev)
			var s *server
			other.Do(func() { s = serveKernel(t, at, fastopen.ListenConfig{}).serve(echo) })
			defer s.Close()
			f(s.address())
		}
		viaStack := func(k tfo.Keys, f func(address string, stats func() stack.FastOpenStats)) {
			p := join(t, plug{})
			defer p.stack.Close()
			s := p.serveStack(t, at, tfo.ListenConfig{Queue: 10, Keys: tfo.NewKeyring(k)}).serve(echo)
			f(s.address(), func() stack.FastOpenStats { return p.stack.Stats().FastOpen })
		}
		before := client.Counters(t)
		viaKernel(func(address string) {
			wantOutcome(t, "of the kernel", ask(t, dialKernel, address, "first"), tfo.CookieRequested)
		})
		viaStack(keys(t, keyOld), func(address string, stats func() stack.FastOpenStats) {
			wantOutcome(t, "from the kernel to the stack", ask(t, dialKernel, address, "second"), tfo.DataAccepted)
			if n := stats(); n.Passive != 1 || n.CookieReqd != 0 {
				t.Errorf("the stack counts %+v", n)
			}
		})
		// The key is changed, as a fleet does: the new one first, the old one
		// behind it; who comes with the old cookie is accepted, and gets the new.
		viaStack(keys(t, keyNew+","+keyOld), func(address string, stats func() stack.FastOpenStats) {
			wantOutcome(t, "to the backup key", ask(t, dialKernel, address, "third"), tfo.DataAccepted)
			wantOutcome(t, "to the new key", ask(t, dialKernel, address, "fourth"), tfo.DataAccepted)
			if n := stats(); n.Passive != 2 || n.PassiveAltKey != 1 {
				t.Errorf("the stack counts %+v", n)
			}
		})
		other.Sysctl(t, "net.ipv4.tcp_fastopen_key", keyNew)
		viaKernel(func(address string) {
			wantOutcome(t, "from the stack to the kernel", ask(t, dialKernel, address, "fifth"), tfo.DataAccepted)
		})
		wantCounters(t, "all", client.Counters(t).Since(before), netns.Counters{"TCPFastOpenActive": 4, "TCPFastOpenActiveFail": 0})
	})
}

// Requirement KEY-1, with the stack as client: a kernel takes the cookie of its
// backup key, and grants that of the primary, which counts from then on.
func TestInteropBackupKey(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		p.kernel.Sysctl(t, "net.ipv4.tcp_fastopen_key", keyOld)
		s := serveKernel(t, kernel, fastopen.ListenConfig{}).serve(echo)
		path := tfo.Path{Local: ours, Remote: netip.MustParseAddrPort(s.address())}
		wantOutcome(t, "first", ask(t, p.dialStack, s.address(), "first"), tfo.CookieRequested)
		p.kernel.Sysctl(t, "net.ipv4.tcp_fastopen_key", keyNew+","+keyOld)
		before := p.kernel.Counters(t)
		wantOutcome(t, "the backup's", ask(t, p.dialStack, s.address(), "second"), tfo.DataAccepted)
		if got, want := p.cache.Lookup(time.Now(), path).Cookie, keys(t, keyNew).Mint(ours, kernel); got.Cookie != want {
			t.Errorf("the cookie was not renewed")
		}
		p.kernel.Sysctl(t, "net.ipv4.tcp_fastopen_key", keyNew)
		wantOutcome(t, "the primary's", ask(t, p.dialStack, s.address(), "third"), tfo.DataAccepted)
		wantCounters(t, "both", p.kernel.Counters(t).Since(before), netns.Counters{
			"TCPFastOpenPassive": 2, "TCPFastOpenPassiveAltKey": 1, "TCPFastOpenPassiveFail": 0,
		})
	})
}
