package sim

import (
	"net/netip"

	"github.com/fastopen-go/fastopen/wire"
)

// A Balancer spreads one address over several servers, which all have that
// address: each connection goes to the next server, and stays with it.
type Balancer struct {
	clients []*end
	servers []*end
	net     *Net
	next    int
	chosen  map[flow]*end
}

// Balancer adds a load balancer. The paths that it is end B of lead to clients,
// those that it is end A of to servers.
func (n *Net) Balancer() *Balancer { return &Balancer{net: n, chosen: map[flow]*end{}} }

func (b *Balancer) addrs() []netip.Addr {
	if len(b.servers) == 0 {
		return nil
	}
	return b.servers[0].peer().addrs()
}

func (b *Balancer) attach(e *end) {
	if e.dir == AtoB {
		b.servers = append(b.servers, e)
		return
	}
	b.clients = append(b.clients, e)
}

func (b *Balancer) arrive(e *end, packet []byte) {
	to := b.choose(e, packet)
	if to != nil {
		to.strand.path.Send(b.net.now, to.dir, packet)
	}
}

func (b *Balancer) choose(from *end, packet []byte) *end {
	if from.dir == AtoB { // from a server
		h, _, ok := wire.ParseIP(packet)
		if !ok {
			return nil
		}
		for _, c := range b.clients {
			for _, a := range c.peer().addrs() {
				if a == h.Dst {
					return c
				}
			}
		}
		if len(b.clients) > 0 { // behind a NAT
			return b.clients[0]
		}
		return nil
	}
	s, ok := parse(packet)
	if !ok || len(b.servers) == 0 {
		return nil
	}
	f := flowOf(&s)
	if to := b.chosen[f]; to != nil {
		return to
	}
	if !s.intact() {
		return nil
	}
	to := b.servers[b.next]
	b.next = (b.next + 1) % len(b.servers)
	b.chosen[f] = to
	return to
}
