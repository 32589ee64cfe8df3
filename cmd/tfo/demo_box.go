package main

import (
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/sim"
)

// A middlebox is something on the way of the third exchange.
type middlebox struct {
	name, what string
	hop        func() sim.Hop // nil for none
	servers    int            // more than one share the address
	apart      bool           // each of them with keys of its own
}

// middleboxes are all that package sim has.
var middleboxes = []middlebox{
	{name: "none", what: "nothing"},
	{name: "drop-syn-data", what: "drops a SYN with data, as an attack", hop: func() sim.Hop { return sim.DropSYNData() }},
	{name: "drop-option", what: "drops a SYN with the Fast Open option", hop: func() sim.Hop { return sim.DropFastOpen() }},
	{name: "reset-syn-data", what: "answers a SYN with data by a reset", hop: func() sim.Hop { return sim.ResetSYNData() }},
	{name: "strip-syn", what: "takes the option out of the client's SYN", hop: func() sim.Hop { return sim.StripFastOpen(sim.OnSYN) }},
	{name: "strip-synack", what: "takes the option out of the server's answer", hop: func() sim.Hop { return sim.StripFastOpen(sim.OnSYNACK) }},
	{name: "strip-both", what: "takes the option out of both", hop: func() sim.Hop { return sim.StripFastOpen(sim.OnSYN | sim.OnSYNACK) }},
	{name: "swallow", what: "takes the data out of a SYN", hop: func() sim.Hop { return sim.SwallowSYNData() }},
	{name: "trim", what: "lets 20 bytes of data in a SYN pass", hop: func() sim.Hop { return sim.TrimSYNData(20) }},
	{name: "ack-syn-only", what: "makes the server's answer acknowledge the SYN alone", hop: func() sim.Hop { return sim.AckSYNOnly() }},
	{name: "late-black-hole", what: "lets the handshake pass, and then nothing", hop: func() sim.Hop { return sim.LateBlackHole() }},
	{name: "blacklist-connection", what: "shuts out a connection whose SYN has data", hop: func() sim.Hop { return sim.Blacklist(time.Hour, false) }},
	{name: "blacklist-host", what: "shuts out a host that sent such a SYN, for 2 s", hop: func() sim.Hop { return sim.Blacklist(2*time.Second, true) }},
	{name: "rewrite", what: "changes the sequence numbers", hop: func() sim.Hop { return sim.RewriteSequence(1, true) }},
	{name: "rewrite-not-sack", what: "changes them, but not those in SACK options", hop: func() sim.Hop { return sim.RewriteSequence(1, false) }},
	{name: "nat", what: "gives the client another address", hop: func() sim.Hop { return sim.NewNAT(netip.MustParseAddr("198.51.100.7")) }},
	{name: "balancer", what: "spreads connections over servers with the same keys", servers: 2},
	{name: "balancer-apart", what: "spreads them over servers with keys of their own", servers: 2, apart: true},
	{name: "mtu", what: "drops packets of more than 700 bytes, and says so", hop: func() sim.Hop { return sim.MTU(700) }},
	{name: "mtu-silent", what: "drops packets of more than 700 bytes silently", hop: func() sim.Hop { return sim.SilentMTU(700) }},
}

func boxNames() (names []string) {
	for _, b := range middleboxes {
		names = append(names, b.name)
	}
	return names
}
