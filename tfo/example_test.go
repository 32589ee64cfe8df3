package tfo_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// A server that receives a SYN looks for the option, checks the cookie, and
// decides whether to take the data and whether to hand out a cookie.
func Example_server() {
	keys, err := tfo.ParseKeys("a0bf63f7-ed803d81-cd641d30-cebc4a90")
	if err != nil {
		fmt.Println(err)
		return
	}
	ring := tfo.NewKeyring(keys)
	client, server := netip.MustParseAddr("10.248.0.2"), netip.MustParseAddr("192.168.0.2")

	receive := func(options []byte) {
		k := ring.Keys()
		o, ok := tfo.ParseOption(options)
		if !ok {
			fmt.Println("an ordinary connection")
			return
		}
		answer := tfo.Option{Form: o.Form, Cookie: k.Mint(client, server)}
		switch k.Check(client, server, o.Cookie) {
		case tfo.PrimaryMatch:
			fmt.Println("take the data")
		case tfo.BackupMatch:
			fmt.Printf("take the data, answer with % x\n", answer.Append(nil))
		case tfo.NoMatch: // or a request
			fmt.Printf("leave the data, answer with % x\n", answer.Append(nil))
		}
	}
	receive([]byte{2, 4, 5, 180})
	receive([]byte{2, 4, 5, 180, 34, 2, 1, 1})
	receive([]byte{2, 4, 5, 180, 34, 10, 0x00, 0xab, 0xaa, 0xab, 0xe8, 0xe9, 0x54, 0xc2, 1, 1})
	// Output:
	// an ordinary connection
	// leave the data, answer with 22 0a 00 ab aa ab e8 e9 54 c2
	// take the data
}

// A client asks its Cache before it connects, and tells it afterwards.
func ExampleCache() {
	var cache tfo.Cache
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	path := tfo.Path{Remote: netip.MustParseAddrPort("192.0.2.1:443")}

	// The first connection asks for a cookie, and the SYN-ACK brings one.
	fmt.Println(cache.Lookup(now, path).Cookie)
	cookie, _ := tfo.CookieFrom([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	cache.Learn(now, path, tfo.Lesson{Cookie: tfo.Option{Cookie: cookie}, MSS: 1460})

	// The second sends it, with data, and is never answered.
	fmt.Println(cache.Lookup(now, path).Cookie)
	cache.Failed(now, path, tfo.Lost)

	// The third goes without.
	e := cache.Lookup(now, path)
	fmt.Println(e.Avoid.Active(now))
	fmt.Println(tfo.Outcome{Cause: tfo.Avoided, Avoid: e.Avoid})
	// Output:
	// cookie request (kind 34)
	// cookie of 8 bytes (kind 34)
	// true
	// Fast Open was not used: it failed on this path: the SYN got no answer, and is avoided until 2026-11-22 12:15:00 UTC.
}

// Keys print their fingerprint, unless asked to reveal themselves.
func ExampleKeys() {
	keys, err := tfo.ParseKeys("a0bf63f7-ed803d81-cd641d30-cebc4a90,0-0-0-0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("using %v\n", keys)
	fmt.Println(keys.Reveal())
	// Output:
	// using primary:f59421371f,backup:f8c51834bf
	// a0bf63f7-ed803d81-cd641d30-cebc4a90,00000000-00000000-00000000-00000000
}

func ExampleOutcome() {
	fmt.Println(tfo.Outcome{Status: tfo.DataAccepted, Sent: 517, Wanted: 517, RTT: 103 * time.Millisecond})
	fmt.Println(tfo.Outcome{Status: tfo.DataAccepted, Sent: 1420, Wanted: 5000, RTT: 103 * time.Millisecond})
	// Output:
	// Fast Open saved a round trip of 103ms: the server accepted the 517 bytes in the SYN.
	// The server accepted the 1420 bytes in the SYN, but the other 3580 of the first write waited for the handshake, so little or nothing was saved.
}

// Every host of a fleet that shares the secret derives the same keys.
func ExampleDerive() {
	secret := [32]byte([]byte("thirty-two bytes, best at random"))
	now := time.Unix(1_763_800_000, 0)
	keys, err := tfo.Derive(&secret, tfo.DefaultDeriveInterval, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	until, err := tfo.DerivedUntil(tfo.DefaultDeriveInterval, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(keys, "until", until.UTC().Format(time.RFC3339))
	// Output:
	// primary:31b1d71928,backup:0b922bdb5b until 2025-11-22T12:00:00Z
}
