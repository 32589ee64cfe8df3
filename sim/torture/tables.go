package main

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// fastCase is a way to use Fast Open. Its functions may be nil.
type fastCase struct {
	server func(*tcp.FastOpenServer) // how the listener differs from the usual
	client func(*tcp.FastOpenClient)
	listen func(*tcp.ListenConfig)
	before func(s *story, i int) // before connection i
	atOnce bool                  // the connections begin together
	both   bool                  // both ends dial: simultaneous open
}

var fasts = []named[fastCase]{
	// The first connection of each story asks for a cookie, the others have
	// one.
	{"standard", fastCase{}},
	{"server-off", fastCase{server: func(f *tcp.FastOpenServer) { f.MaxPending = 0 }}},
	{"rotated", fastCase{before: func(s *story, i int) {
		if i == 2 {
			s.ring.Set(s.key(2))
		}
	}}},
	{"rotated-backup", fastCase{before: func(s *story, i int) {
		if i > 0 {
			s.ring.Set(tfo.NewKeys(s.key(i+1).Primary(), s.key(i).Primary()))
		}
	}}},
	{"wrong-cookie", fastCase{before: func(s *story, i int) {
		if i == 0 {
			o := tfo.Option{Cookie: s.key(99).Mint(s.client.Addr(), s.client.Addr())}
			s.cache.Learn(s.net.Now(), s.path(), tfo.Lesson{Cookie: o, MSS: 1460})
		}
	}}},
	{"one-pending", fastCase{atOnce: true, server: func(f *tcp.FastOpenServer) { f.MaxPending = 1 }}},
	{"at-once", fastCase{atOnce: true}},
	{"syncookies", fastCase{listen: func(l *tcp.ListenConfig) { l.SYNQueue = -1 }}},
	{"cookieless", fastCase{
		server: func(f *tcp.FastOpenServer) {
			f.Cookieless = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		},
		client: func(f *tcp.FastOpenClient) { f.SendCookieless = true },
	}},
	{"hold", fastCase{server: func(f *tcp.FastOpenServer) { f.HoldOutput = true }}},
	{"data-in-synack", fastCase{server: func(f *tcp.FastOpenServer) { f.DataInSYNACK = true }}},
	{"experimental", fastCase{before: func(s *story, i int) {
		if i == 0 {
			o := tfo.Option{Form: tfo.Experimental, Cookie: s.ring.Keys().Mint(s.client.Addr(), s.server.Addr())}
			s.cache.Learn(s.net.Now(), s.path(), tfo.Lesson{Cookie: o})
		}
	}}},
	{"like-linux", fastCase{
		server: func(f *tcp.FastOpenServer) { f.ChargeAcceptedOnly = true },
		client: func(f *tcp.FastOpenClient) { f.InterfaceMSS, f.RetryExperimental = true, true },
	}},
	{"simultaneous", fastCase{both: true}},
}

// network is what links do.
type network struct {
	// way is before and after the middlebox, in both directions, with half of
	// the delay each; only the one before it flips bits.
	way sim.Way
	// exact networks leave nothing to chance and have room for all that is
	// sent, so that the same story takes the same time.
	exact bool
	// harsh ones may lose a packet and all its retransmissions.
	harsh bool
}

const ms = time.Millisecond

var networks = []named[network]{
	{"clean", network{exact: true}},
	{"loss1", network{way: sim.Way{Loss: 0.005}}},
	{"loss5", network{way: sim.Way{Loss: 0.025}}},
	{"loss20", network{way: sim.Way{Loss: 0.1}, harsh: true}},
	{"burst", network{way: sim.Way{Burst: sim.Gilbert{Enter: 0.01, Leave: 0.3}}, harsh: true}},
	{"reorder", network{way: sim.Way{Reorder: 0.1}}},
	{"duplicate", network{way: sim.Way{Duplicate: 0.1}}},
	{"corrupt", network{way: sim.Way{Corrupt: 0.04}}},
	{"jitter", network{way: sim.Way{Jitter: 10 * ms}}},
	{"slow", network{way: sim.Way{Rate: 2e6, Queue: 20000}}},
	{"marked", network{way: sim.Way{Rate: 2e6, Queue: 30000, Mark: 6000}}},
	{"everything", network{way: sim.Way{
		Loss: 0.01, Burst: sim.Gilbert{Enter: 0.002}, Corrupt: 0.01, Duplicate: 0.02,
		Rate: 5e6, QueuePackets: 30, Jitter: 5 * ms, Reorder: 0.03, Late: 15 * ms,
	}, harsh: true}},
}

// box is a middlebox.
type box struct {
	make          func(s *story) sim.Hop
	before, after sim.Hop // next to it, if not nil
	// kills says that what it does to a connection with Fast Open cannot be
	// helped within that connection.
	kills bool
	// grudge is for how long it goes on to harm connections that do not use
	// Fast Open.
	grudge time.Duration
	// guesses says that how long it takes to get past it depends on
	// retransmission timers, which differ with what was measured.
	guesses bool
	// narrow says that large packets are lost there.
	narrow bool
	// servers is how many share the address; with apart, each has keys of
	// its own.
	servers int
	apart   bool
}

func fixed(h func() sim.Box) box { return box{make: func(*story) sim.Hop { return h() }} }

var boxes = []named[box]{
	{"none", box{}},
	{"strip-syn", fixed(func() sim.Box { return sim.StripFastOpen(sim.OnSYN) })},
	{"strip-synack", fixed(func() sim.Box { return sim.StripFastOpen(sim.OnSYNACK) })},
	{"strip-both", fixed(func() sim.Box { return sim.StripFastOpen(sim.OnSYN | sim.OnSYNACK) })},
	{"drop-syn-data", fixed(sim.DropSYNData)},
	{"drop-option", fixed(sim.DropFastOpen)},
	{"trim", fixed(func() sim.Box { return sim.TrimSYNData(50) })},
	{"swallow", fixed(sim.SwallowSYNData)},
	{"ack-syn-only", fixed(sim.AckSYNOnly)},
	{"reset-syn-data", fixed(sim.ResetSYNData)},
	{"late-black-hole", box{make: func(*story) sim.Hop { return sim.LateBlackHole() }, kills: true}},
	{"blacklist-connection", box{make: func(*story) sim.Hop { return sim.Blacklist(time.Hour, false) }, kills: true}},
	{"blacklist-host", box{make: func(*story) sim.Hop { return sim.Blacklist(30*time.Second, true) }, kills: true, grudge: 30 * time.Second}},
	{"rewrite", box{make: func(s *story) sim.Hop { return sim.RewriteSequence(s.seed, true) }}},
	{"rewrite-not-sack", box{make: func(s *story) sim.Hop { return sim.RewriteSequence(s.seed, false) }}},
	{"nat", box{make: func(s *story) sim.Hop {
		s.nat = sim.NewNAT(s.public()...)
		return s.nat
	}}},
	{"balancer", box{servers: 2}},
	{"balancer-apart", box{servers: 2, apart: true}},
	{"mtu", box{make: func(*story) sim.Hop { return sim.MTU(1400) }, narrow: true}},
	{"mtu-silent", box{make: func(*story) sim.Hop { return sim.SilentMTU(1400) }, guesses: true, narrow: true}},
}
