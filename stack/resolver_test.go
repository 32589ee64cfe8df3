package stack_test

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/stack"
)

// Of several name servers, one that answers is enough, whichever it is. In real time:
// package net keeps channels from one look-up to the next, which bubbles do not allow.
func TestResolverServers(t *testing.T) {
	good, refused, broken := parse("10.0.0.2:53"), parse("10.0.0.2:54"), parse("10.0.0.2:55")
	var asked atomic.Int32 // the broken one
	for _, servers := range [][]netip.AddrPort{
		{good}, {refused, good}, {good, refused}, {broken, good},
	} {
		a, b, _ := far(t, time.Millisecond, stack.Config{DNS: servers}, stack.Config{})
		for _, s := range []netip.AddrPort{good, broken} {
			u, err := b.ListenPacket("udp", s.String())
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			go func() {
				buf := make([]byte, 1500)
				for {
					n, from, err := u.ReadFrom(buf)
					if err != nil {
						return
					}
					r := answer(buf[:n])
					if s == broken {
						asked.Add(1)
						r = r[:len(r)-16*int(r[7])] // no answer
						r[3], r[7] = 2, 0           // but a server failure
					}
					_, _ = u.WriteTo(r, from)
				}
			}()
		}
		for i := range 6 {
			found, err := a.Resolver().LookupNetIP(t.Context(), "ip", "server.example")
			if err != nil || len(found) != 1 {
				t.Errorf("servers %v, look-up %d: %v, %v", servers, i, found, err)
				break
			}
		}
	}
	// For both kinds of address, at the first look-up of six.
	if n := asked.Load(); n > 2 {
		t.Errorf("a server that fails was asked %d times", n)
	}
}
