package stack_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// host is a stack with one link and one address.
func host(l stack.Link, addr string) *stack.Stack {
	s, err := stack.New(stack.Config{
		Links:     []stack.Link{l},
		Addresses: []netip.Prefix{netip.MustParsePrefix(addr)},
	})
	if err != nil {
		log.Fatal(err)
	}
	return s
}

// One host serves HTTP, and another asks twice. The first time it is given a cookie;
// the second time the request rides in the SYN. The two are joined in memory: with a
// TUN device in place of the pipe, the other would be the kernel.
func Example() {
	near, far, err := link.NewPipe(link.PipeConfig{})
	if err != nil {
		log.Fatal(err)
	}
	client, server := host(near, "10.0.0.1/24"), host(far, "10.0.0.2/24")
	defer client.Close()
	defer server.Close()

	lc := fastopen.ListenConfig{Network: server}
	l, err := lc.Listen(context.Background(), "tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	s := &http.Server{
		ConnContext: fastopen.ConnContext,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := fastopen.FromContext(r.Context())
			fmt.Fprintf(w, "hello %s, request in the SYN: %v", r.URL.Query().Get("name"), c.Early())
		}),
	}
	go s.Serve(l)
	defer s.Close()

	// Without a second, plain connection where an answer is late: on a busy
	// machine the output is to be the same.
	d := &fastopen.Dialer{Network: client, FallbackDelay: -1}
	c := http.Client{Transport: &http.Transport{
		DialContext:       d.DialContext,
		DisableKeepAlives: true, // a connection for each request, to show it
	}}
	for _, name := range []string{"Ada", "Grace"} {
		r, err := c.Get("http://10.0.0.2/?name=" + name)
		if err != nil {
			log.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			log.Fatal(err)
		}
		r.Body.Close()
		fmt.Printf("%s\n", b)
	}
	// Output:
	// hello Ada, request in the SYN: false
	// hello Grace, request in the SYN: true
}

// Data of one's own goes into the SYN by DialEarly. It can reach the peer's
// application twice, so it has to be something that does no harm then.
func ExampleStack_DialEarly() {
	near, far, err := link.NewPipe(link.PipeConfig{})
	if err != nil {
		log.Fatal(err)
	}
	client, server := host(near, "10.0.0.1/24"), host(far, "10.0.0.2/24")
	defer client.Close()
	defer server.Close()

	l, err := server.ListenFastOpen(netip.MustParseAddrPort("10.0.0.2:7"), tfo.ListenConfig{Queue: 100})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	for range 2 {
		c, err := client.DialEarly(context.Background(), "tcp", "10.0.0.2:7", []byte("hello"))
		if err != nil {
			log.Fatal(err)
		}
		c.CloseWrite()
		b, err := io.ReadAll(c)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s came back: %v\n", b, c.Outcome().Status)
		c.Close()
	}
	// Output:
	// hello came back: cookie requested
	// hello came back: data accepted
}

// A Host has no goroutines and no clock: packets and the time are given to it. Here
// two are joined by a path that takes 50 milliseconds each way, and a connection
// opens in a tenth of a second that takes no time.
func ExampleHost() {
	type packet struct {
		at time.Time
		to int
		b  []byte
	}
	var (
		now    = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		began  = now
		flight []packet
		hosts  [2]*stack.Host
	)
	for i := range hosts {
		hosts[i] = stack.NewHost(now, stack.HostConfig{
			Links: []stack.LinkConfig{{MTU: 1500}},
			Output: func(_ int, batch []wire.Packet) {
				for _, p := range batch {
					// What p shows is the host's: keep a copy.
					flight = append(flight, packet{now.Add(50 * time.Millisecond), 1 - i, p.Append(nil)})
				}
			},
		})
		addr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 24)
		if err := hosts[i].AddAddress(0, addr); err != nil {
			log.Fatal(err)
		}
	}

	at := netip.MustParseAddrPort("10.0.0.2:80")
	l := hosts[1].Socket()
	if err := l.Bind(at); err != nil {
		log.Fatal(err)
	}
	if err := l.Listen(now, 10); err != nil {
		log.Fatal(err)
	}
	c := hosts[0].Socket()
	fmt.Println("connect:", c.Connect(now, at))

	for c.Poll()&stack.PollOut == 0 {
		// Whatever comes first: a packet, or a deadline of one of the hosts.
		next := flight[0].at
		for _, h := range hosts {
			if d := h.Deadline(); !d.IsZero() && d.Before(next) {
				next = d
			}
		}
		now = next
		for len(flight) > 0 && !flight[0].at.After(now) {
			p := flight[0]
			flight = flight[1:]
			hosts[p.to].Input(now, p.b)
		}
		for _, h := range hosts {
			h.Advance(now)
		}
	}
	fmt.Println("open after", now.Sub(began))
	// Output:
	// connect: operation now in progress
	// open after 100ms
}
