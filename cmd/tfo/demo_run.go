package main

import (
	"io"
	"math"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// What is asked for and answered in every exchange.
const (
	demoRequest = "GET / HTTP/1.1\r\nHost: demo.example\r\n\r\n"
	demoAnswer  = 1000 // bytes

	// demoPatience is how long the client waits for the answer.
	demoPatience = 30 * time.Second
)

var (
	demoClient = netip.MustParseAddr("192.0.2.1")
	demoServer = netip.MustParseAddrPort("203.0.113.80:80")
)

// A demo is exchanges between a client and a server, one after the other.
type demo struct {
	rtt  time.Duration
	loss float64 // of 1, there or back
	seed uint64
	box  middlebox
	pcap *sim.Pcap

	cache     *tfo.Cache // the client's
	keys      *tfo.Keyring
	began     time.Duration // of the exchange to come, since the first one
	exchanges []*shown
}

// shown is an exchange and how it went.
type shown struct {
	name    string
	title   string
	box     middlebox // on the way
	rtt     time.Duration
	steps   []step
	answer  time.Duration // when it had come; negative if it never did
	plain   time.Duration // when it would have, over plain TCP
	outcome tfo.Outcome
	failure error         // what ended the connection
	lasted  time.Duration // the calculation
}

func newDemonstration(rtt time.Duration, loss float64, seed uint64, box middlebox) *demo {
	return &demo{
		rtt: rtt, loss: loss, seed: seed, box: box,
		cache: new(tfo.Cache),
		keys:  tfo.NewKeyring(tfo.NewKeys(tfo.Key([]byte("fastopen's demo.")))),
	}
}

// run makes the exchanges.
func (d *demo) run() {
	none := middleboxes[0]
	for _, x := range []*shown{
		{name: "first-contact", title: "First contact: the client asks for a cookie", box: none},
		{name: "repeat-visit", title: "A later visit: the request rides in the SYN", box: none},
		{name: "middlebox", title: "With a middlebox on the way", box: d.box},
		{name: "afterwards", title: "The next connection on that path", box: d.box},
	} {
		if x.box.name == "none" && x.name == "middlebox" {
			x.title = "Once more, with nothing on the way"
		}
		x.rtt = d.rtt
		plain := *d // with a memory of its own, and not written to the file
		plain.cache, plain.pcap = new(tfo.Cache), nil
		var without shown
		without.box = x.box
		plain.exchange(&without, true)
		x.plain = without.answer
		d.exchange(x, false)
		d.exchanges = append(d.exchanges, x)
	}
}

// exchange makes one, on a network of its own whose clock goes on from the one
// before.
func (d *demo) exchange(x *shown, plain bool) {
	n := sim.NewNet(d.seed + uint64(len(d.exchanges)))
	n.Wait(d.began)
	began := n.Now()
	client := n.Host("client", demoClient)
	client.Config.Cache = d.cache
	client.Config.Client.Off = plain
	client.Config.SYNRetries = 4 // so that giving up does not take minutes
	var taps [4]sim.Tap          // at the client, before and behind the middlebox, at the server
	hops := d.path(x.box, &taps)
	if x.box.servers > 1 {
		b := n.Balancer()
		n.Join(client, b, hops...)
		for i := range x.box.servers {
			keys := d.keys
			if x.box.apart && i == 0 { // the one whose turn it is
				keys = tfo.NewKeyring(tfo.NewKeys(tfo.Key{1}))
			}
			s := n.Host("server", demoServer.Addr())
			serveDemo(s, keys)
			n.Join(b, s)
		}
	} else {
		s := n.Host("server", demoServer.Addr())
		serveDemo(s, d.keys)
		n.Join(client, s, hops...)
	}
	x.answer = -1
	got := 0
	c := client.Dial(demoServer, []byte(demoRequest), func(now time.Time, c *tcp.Conn) {
		var b [4096]byte
		for {
			k, err := c.Read(now, b[:])
			got += k
			if k == 0 || err != nil {
				break
			}
		}
		if got == demoAnswer && x.answer < 0 {
			x.answer = now.Sub(began)
		}
	})
	for limit := began.Add(demoPatience); x.answer < 0 && c.State() != tcp.Closed; {
		if !n.Step(limit) {
			break
		}
	}
	x.outcome, x.failure = c.Outcome(), c.Err()
	x.steps = readSteps(began, d.rtt, &taps)
	x.lasted = n.Now().Sub(began)
	d.began += n.Now().Sub(began) + time.Second
}

// path is the hops between client and server.
func (d *demo) path(box middlebox, taps *[4]sim.Tap) []sim.Hop {
	half := sim.Way{Delay: d.rtt / 4, Loss: 1 - math.Sqrt(1-d.loss)}
	hops := []sim.Hop{&taps[0], sim.Both(half), &taps[1]}
	if d.pcap != nil {
		hops = append([]sim.Hop{d.pcap}, hops...)
	}
	if box.hop != nil {
		hops = append(hops, box.hop())
	}
	half.Delay = d.rtt/2 - half.Delay
	return append(hops, &taps[2], sim.Both(half), &taps[3])
}

// serveDemo lets a host answer requests.
func serveDemo(h *sim.Host, keys *tfo.Keyring) {
	lc := tcp.ListenConfig{FastOpen: tcp.FastOpenServer{Keys: keys, MaxPending: 16}}
	h.Listen(demoServer, lc, func(*tcp.Conn) sim.App {
		got := 0
		answer := sim.Pattern{Seed: 1, N: demoAnswer}.Bytes(demoAnswer)
		return func(now time.Time, c *tcp.Conn) {
			var b [4096]byte
			k, err := c.Read(now, b[:])
			if got += k; err != nil && err != io.EOF {
				return
			}
			if got == len(demoRequest) && len(answer) > 0 {
				m, _ := c.Write(now, answer)
				answer = answer[m:]
			}
		}
	})
}

// saved is what Fast Open saved, negative if it cost time. It is not known if
// there was no answer.
func (x *shown) saved() (time.Duration, bool) {
	return x.plain - x.answer, x.answer >= 0 && x.plain >= 0
}
