package stack_test

import (
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
)

// Requirement TST-2, with the stack as client: it asks the kernel for a cookie, and
// then the kernel takes the data in its SYN.
func TestInteropClient(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	families(t, func(t *testing.T, kernel, _ netip.Addr) {
		s := serveKernel(t, kernel, fastopen.ListenConfig{}).serve(echo)
		before := p.kernel.Counters(t)
		wantOutcome(t, "first", ask(t, p.dialStack, s.address(), "first"), tfo.CookieRequested)
		wantOutcome(t, "second", ask(t, p.dialStack, s.address(), "second"), tfo.DataAccepted)
		wantCounters(t, "both", p.kernel.Counters(t).Since(before), netns.Counters{
			"TCPFastOpenCookieReqd": 1, "TCPFastOpenPassive": 1, "TCPFastOpenPassiveFail": 0, "TCPFastOpenListenOverflow": 0,
		})
	})
}

// Requirement TST-2, with the stack as server: the kernel asks it for a cookie, and
// then its data is delivered at the SYN.
func TestInteropServer(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	families(t, func(t *testing.T, _, ours netip.Addr) {
		early := make(chan bool, 2)
		s := p.serveStack(t, ours, tfo.ListenConfig{Queue: 10}).serve(func(c net.Conn) {
			early <- c.(*stack.Conn).Early()
			echo(c)
		})
		before, then := p.kernel.Counters(t), p.stack.Stats().FastOpen
		wantOutcome(t, "first", ask(t, dialKernel, s.address(), "first"), tfo.CookieRequested)
		wantOutcome(t, "second", ask(t, dialKernel, s.address(), "second"), tfo.DataAccepted)
		if a, b := <-early, <-early; a || !b {
			t.Errorf("data came early: %v, %v", a, b)
		}
		wantCounters(t, "both", p.kernel.Counters(t).Since(before), netns.Counters{
			"TCPFastOpenActive": 1, "TCPFastOpenActiveFail": 0,
		})
		got := p.stack.Stats().FastOpen
		if got.CookieReqd-then.CookieReqd != 1 || got.Passive-then.Passive != 1 || got.PassiveFail != then.PassiveFail {
			t.Errorf("the stack counted %+v after %+v", got, then)
		}
	})
}

// Fast Open saves a round trip: while nothing but SYNs of the client gets through,
// the answer comes all the same. In both directions.
func TestInteropOneRoundTrip(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	for _, x := range []struct {
		name   string
		client sim.Dir
	}{{"kernel client", sim.AtoB}, {"stack client", sim.BtoA}} {
		t.Run(x.name, func(t *testing.T) {
			var held atomic.Bool
			gate := sim.Drop(func(s sim.Seen) bool { return held.Load() && s.TCP && !s.SYN && s.Dir == x.client })
			p := join(t, plug{hops: []sim.Hop{gate}, device: "gate" + x.client.String()[:1]})
			families(t, func(t *testing.T, kernel, ours netip.Addr) {
				answer := func(c net.Conn) {
					b := make([]byte, 100)
					n, _ := c.Read(b)
					c.Write(append([]byte("you said "), b[:n]...))
					c.Close()
				}
				var s *server
				dial := dialKernel
				if x.client == sim.AtoB {
					s = p.serveStack(t, ours, tfo.ListenConfig{Queue: 10})
				} else {
					s, dial = serveKernel(t, kernel, fastopen.ListenConfig{}), p.dialStack
				}
				s.serve(answer)
				talk := func(request string) tfo.Outcome {
					c, err := dial(within(t), s.address(), []byte(request))
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					c.SetDeadline(time.Now().Add(20 * time.Second))
					b := make([]byte, 9+len(request))
					if _, err := io.ReadFull(c, b); err != nil || string(b) != "you said "+request {
						t.Fatalf("asked %q, got %q, %v", request, b, err)
					}
					return c.Outcome()
				}
				wantOutcome(t, "first", talk("first"), tfo.CookieRequested)
				held.Store(true)
				wantOutcome(t, "held", talk("held"), tfo.DataAccepted)
				held.Store(false)
			})
		})
	}
}

// Requirements CLI-6 and SRV-8: a cookie that is not good any more costs a round
// trip, and brings the good one. In both directions.
func TestInteropWrongCookie(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		t.Run("kernel server", func(t *testing.T) {
			p.kernel.Sysctl(t, "net.ipv4.tcp_fastopen_key", "1-2-3-4")
			s := serveKernel(t, kernel, fastopen.ListenConfig{}).serve(echo)
			wantOutcome(t, "first", ask(t, p.dialStack, s.address(), "first"), tfo.CookieRequested)
			p.kernel.Sysctl(t, "net.ipv4.tcp_fastopen_key", "5-6-7-8")
			before := p.kernel.Counters(t)
			wantOutcome(t, "another key", ask(t, p.dialStack, s.address(), "second"), tfo.FellBack)
			wantOutcome(t, "its cookie", ask(t, p.dialStack, s.address(), "third"), tfo.DataAccepted)
			wantCounters(t, "both", p.kernel.Counters(t).Since(before), netns.Counters{"TCPFastOpenPassiveFail": 1, "TCPFastOpenPassive": 1})
		})
		t.Run("kernel client", func(t *testing.T) {
			ring := tfo.NewKeyring(tfo.NewKeys(tfo.Key{1}))
			s := p.serveStack(t, ours, tfo.ListenConfig{Queue: 10, Keys: ring}).serve(echo)
			wantOutcome(t, "first", ask(t, dialKernel, s.address(), "first"), tfo.CookieRequested)
			ring.Set(tfo.NewKeys(tfo.Key{2}))
			before := p.kernel.Counters(t)
			wantOutcome(t, "another key", ask(t, dialKernel, s.address(), "second"), tfo.FellBack)
			wantOutcome(t, "its cookie", ask(t, dialKernel, s.address(), "third"), tfo.DataAccepted)
			wantCounters(t, "both", p.kernel.Counters(t).Since(before), netns.Counters{"TCPFastOpenActiveFail": 1, "TCPFastOpenActive": 1})
		})
	})
}

// A server without Fast Open takes the data after the handshake: in both
// directions, and nothing is lost or doubled.
func TestInteropServerWithout(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	p := join(t, plug{})
	families(t, func(t *testing.T, kernel, ours netip.Addr) {
		s := serveKernel(t, kernel, fastopen.ListenConfig{Queue: -1}).serve(echo)
		wantOutcome(t, "kernel server", ask(t, p.dialStack, s.address(), "first"), tfo.CookieRequested)
		// With a cookie of nobody's, data goes into the SYN, and again after it.
		cookie, _ := tfo.CookieFrom([]byte("nobody's"))
		p.cache.Learn(time.Now(), tfo.Path{Local: ours, Remote: s.Addr().(*net.TCPAddr).AddrPort()}, tfo.Lesson{Cookie: tfo.Option{Cookie: cookie}, MSS: 1460})
		wantOutcome(t, "kernel server", ask(t, p.dialStack, s.address(), "second"), tfo.FellBack)

		with := p.serveStack(t, ours, tfo.ListenConfig{Queue: 10}).serve(echo)
		without := p.serveStack(t, ours, tfo.ListenConfig{}).serve(echo)
		wantOutcome(t, "stack server", ask(t, dialKernel, with.address(), "first"), tfo.CookieRequested)
		before := p.kernel.Counters(t)
		wantOutcome(t, "stack server", ask(t, dialKernel, without.address(), "second"), tfo.FellBack)
		wantCounters(t, "data refused", p.kernel.Counters(t).Since(before), netns.Counters{"TCPFastOpenActiveFail": 1, "TCPFastOpenActive": 0})
	})
}

// Middleboxes that dislike Fast Open, between the kernel and the stack, in both
// roles: every request is answered, and once.
func TestInteropMiddleboxes(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	for _, x := range []struct {
		name string
		box  func() sim.Box
		want tfo.Status // of a connection with a cookie
	}{
		{"drops SYNs with data", sim.DropSYNData, tfo.FellBack},
		{"drops SYNs with the option", sim.DropFastOpen, tfo.FellBack},
		{"takes the option from SYNs", func() sim.Box { return sim.StripFastOpen(sim.OnSYN) }, tfo.FellBack},
		{"takes the option from SYN-ACKs", func() sim.Box { return sim.StripFastOpen(sim.OnSYNACK) }, tfo.DataAccepted},
		{"takes a part of the data", func() sim.Box { return sim.TrimSYNData(3) }, tfo.FellBack},
		{"takes the data", sim.SwallowSYNData, tfo.FellBack},
		{"acknowledges the SYN alone", sim.AckSYNOnly, tfo.FellBack},
	} {
		t.Run(x.name, func(t *testing.T) {
			// There is no box while the cookie is fetched.
			var there atomic.Bool
			disturb := x.box()
			box := sim.Box(func(now time.Time, d sim.Dir, packet []byte, emit func(sim.Dir, []byte)) {
				if there.Load() {
					disturb(now, d, packet, emit)
				} else {
					emit(d, packet)
				}
			})
			p := join(t, plug{hops: []sim.Hop{box}})
			p.kernel.FlushTCPMetrics(t)
			both := func(t *testing.T, dial dialer, s *server) {
				s.serve(echo)
				there.Store(false)
				wantOutcome(t, "without the box", ask(t, dial, s.address(), "first"), tfo.CookieRequested)
				there.Store(true)
				wantOutcome(t, "with it", ask(t, dial, s.address(), "second"), x.want)
			}
			t.Run("kernel asks", func(t *testing.T) { both(t, dialKernel, p.serveStack(t, stack4.Addr(), tfo.ListenConfig{Queue: 10})) })
			t.Run("stack asks", func(t *testing.T) { both(t, p.dialStack, serveKernel(t, kernel4.Addr(), fastopen.ListenConfig{})) })
		})
	}
}
