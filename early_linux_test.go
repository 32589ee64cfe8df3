package fastopen_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tfo"
)

// TestEarly holds back the client's ACKs and looks at what the server sees
// (requirements SRV-12, SEC-7, LIVE-5, LIVE-6).
func TestEarly(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	fastOn(t, client, server)
	acks := &dropping{match: func(s sim.Seen) bool { return s.Dir == sim.AtoB && !s.SYN }}
	netns.Path(t, client, server, sim.NewPath(1, acks.hop(), sim.Delay(2*time.Millisecond)))
	for _, address := range serverAddrs {
		for _, mptcp := range []bool{false, true} {
			var lc fastopen.ListenConfig
			lc.SetMultipathTCP(mptcp)
			l := listen(t, server, lc, address)
			prime(t, client, l.Addr().String())
			accept := func() *fastopen.Conn {
				t.Helper()
				c, err := l.AcceptConn()
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			first := accept()
			if err := first.Confirmed(t.Context()); err != nil || first.Early() {
				t.Errorf("a plain handshake: early %t, confirmed %v", first.Early(), err)
			}
			if !mptcp {
				want(t, "asked for a cookie", first.Outcome(), tfo.CookieRequested, tfo.NoCause)
			}
			first.Close()

			acks.on.Store(true)
			defer acks.on.Store(false)
			ours, err := dialer().DialEarly(t.Context(), "tcp", l.Addr().String(), []byte("question"))
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			theirs := accept()
			defer theirs.Close()
			if o := theirs.Outcome(); !theirs.Early() || o.Status != tfo.DataAccepted || o.Sent != 8 || !o.Passive {
				t.Errorf("early %t, %v", theirs.Early(), o)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := theirs.Confirmed(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("confirmed without an ACK: %v", err)
			}
			confirmed := make(chan error, 1)
			go func() { confirmed <- theirs.Confirmed(t.Context()) }()
			// Reads and writes go on, and the answer arrives, meanwhile.
			b := make([]byte, 8)
			if _, err := io.ReadFull(theirs, b); err != nil || string(b) != "question" {
				t.Errorf("the server got %q, %v", b, err)
			}
			if _, err := theirs.Write([]byte("answer")); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(ours, b[:6]); err != nil || string(b[:6]) != "answer" {
				t.Errorf("the client got %q, %v", b[:6], err)
			}
			select {
			case err := <-confirmed:
				t.Errorf("confirmed without an ACK: %v", err)
			default:
			}
			acks.on.Store(false)
			if err := <-confirmed; err != nil {
				t.Error(err)
			}

			acks.on.Store(true)
			ours, err = dialer().DialEarly(t.Context(), "tcp", l.Addr().String(), []byte("forged"))
			if err != nil {
				t.Fatal(err)
			}
			theirs = accept()
			defer theirs.Close()
			go func() { confirmed <- theirs.Confirmed(t.Context()) }()
			acks.on.Store(false)
			ours.SetLinger(0) // what a victim of forgery answers: RST
			ours.Close()
			if err := <-confirmed; !errors.Is(err, fastopen.ErrUnconfirmed) {
				t.Errorf("a handshake that was never finished: %v", err)
			}
		}
	}
}

// server6 is an address that is preferred to one of IPv4 (RFC 6724, section
// 2.1), unlike fd77::2.
var server6 = netip.MustParseAddr("2001:db8::2")

// TestHappyEyeballs lets a name have an address that is silent and one that
// answers, with a cookie at hand for both: the race goes to a SYN-ACK.
func TestHappyEyeballs(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	fastOn(t, client, server)
	var tap sim.Tap
	silent := &dropping{match: func(s sim.Seen) bool { return s.Src.Addr().Is6() }}
	netns.Path(t, client, server, sim.NewPath(1, &tap, silent.hop(), sim.Delay(2*time.Millisecond)),
		netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("10.77.0.2/24"),
		netip.MustParsePrefix("2001:db8::1/64"), netip.PrefixFrom(server6, 64))
	l := listen(t, server, fastopen.ListenConfig{}, "[::]:0")
	go echo(l)
	port := portOf(l)
	name := "server.test:" + port
	d := func() *fastopen.Dialer {
		d := dialer()
		d.Resolver = resolver(server6, netns.B4)
		d.FallbackDelay = 30 * time.Millisecond
		return d
	}
	both := func() {
		prime(t, client, "[2001:db8::2]:"+port)
		exchange(t, dialer(), "10.77.0.2:"+port, "hello")
	}
	both()
	want(t, "both answer", exchange(t, d(), name, "hello"), tfo.DataAccepted, tfo.NoCause)
	synAcks := func(from int) (n4, n6 int) {
		for _, s := range tap.Seen(func(s sim.Seen) bool { return s.SYN && s.Dir == sim.AtoB })[from:] {
			if s.Src.Addr().Is4() {
				n4++
			} else {
				n6++
			}
		}
		return n4, n6
	}
	if n4, _ := synAcks(len(tap.Seen(func(s sim.Seen) bool { return s.SYN && s.Dir == sim.AtoB })) - 1); n4 != 0 {
		t.Error("IPv4 was tried although IPv6 answered")
	}

	silent.on.Store(true)
	start := time.Now()
	c, err := d().Dial("tcp", name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Fatalf("got %q, %v", b, err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
	if got := c.RemoteAddr().String(); got != "10.77.0.2:"+port {
		t.Errorf("connected to %s", got)
	}
	want(t, "IPv6 is silent", c.(*fastopen.Conn).Outcome(), tfo.FellBack, tfo.Overtaken)

	early, err := d().DialEarly(t.Context(), "tcp", name, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	if _, err := io.ReadFull(early, b); err != nil || string(b) != "hello" {
		t.Fatalf("DialEarly: got %q, %v", b, err)
	}

	// Without cookies the dial itself races.
	client.FlushTCPMetrics(t)
	plain, err := d().Dial("tcp", name)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if got := plain.RemoteAddr().String(); got != "10.77.0.2:"+port {
		t.Errorf("connected to %s", got)
	}
}
