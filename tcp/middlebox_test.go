package tcp

import (
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// middleboxes are what networks do to Fast Open. A filter may change a segment;
// false drops it.
var middleboxes = map[string]func() func(fromServer bool, s *wire.Segment) bool{
	"none": func() func(bool, *wire.Segment) bool { return nil },
	"strips the option from SYNs": func() func(bool, *wire.Segment) bool {
		return func(server bool, s *wire.Segment) bool {
			if !server {
				s.Options.HasFastOpen = false
			}
			return true
		}
	},
	"strips the option from SYN-ACKs": func() func(bool, *wire.Segment) bool {
		return func(server bool, s *wire.Segment) bool {
			if server {
				s.Options.HasFastOpen = false
			}
			return true
		}
	},
	"drops SYNs with data": func() func(bool, *wire.Segment) bool {
		return func(server bool, s *wire.Segment) bool {
			return !(s.Flags.Has(wire.SYN) && s.Len() > 0)
		}
	},
	"drops SYNs with the option": func() func(bool, *wire.Segment) bool {
		return func(server bool, s *wire.Segment) bool {
			return server || !s.Options.HasFastOpen
		}
	},
	"swallows the data of SYNs": func() func(bool, *wire.Segment) bool {
		return func(server bool, s *wire.Segment) bool {
			if s.Flags.Has(wire.SYN) {
				s.Payload = nil
			}
			return true
		}
	},
	"trims the data of SYNs": func() func(bool, *wire.Segment) bool {
		return func(server bool, s *wire.Segment) bool {
			if s.Flags.Has(wire.SYN) {
				s.Payload = s.Payload[:len(s.Payload)/2]
			}
			return true
		}
	},
	"drops SYN-ACKs with the option": func() func(bool, *wire.Segment) bool {
		return func(server bool, s *wire.Segment) bool {
			return !server || !s.Options.HasFastOpen
		}
	},
	"drops SYN-ACKs that acknowledge data": func() func(bool, *wire.Segment) bool {
		first := true
		var isn uint32
		return func(server bool, s *wire.Segment) bool {
			if !server && s.Flags.Has(wire.SYN) {
				isn = s.Seq
			}
			if server && s.Flags.Has(wire.SYN) && s.Ack != isn+1 && first {
				first = false
				return false
			}
			return true
		}
	},
	"blacklists clients that use it": func() func(bool, *wire.Segment) bool {
		n := 0
		return func(server bool, s *wire.Segment) bool {
			if !server && s.Flags.Has(wire.SYN) && (s.Len() > 0 || s.Options.HasFastOpen) {
				n = 2 // the next two SYNs as well
				return false
			}
			if !server && s.Flags.Has(wire.SYN) && n > 0 {
				n--
				return false
			}
			return true
		}
	},
}

// TestMiddleboxes runs connection after connection through each of them, with and
// without loss: all bytes arrive once and in order, every connection ends, no slot
// is left, and once the path is known, Fast Open costs nothing any more.
func TestMiddleboxes(t *testing.T) {
	for name, box := range middleboxes {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= 30; seed++ {
				p := newPair(t, seed)
				p.loss = float64(seed%3) * 0.03
				p.dup = float64(seed%2) * 0.02
				p.filter = box()
				p.cfg[0].Cache = &tfo.Cache{MaxAge: -1}
				p.cfg[0].NoTimestamps = seed%2 == 0
				lc := ListenConfig{FastOpen: FastOpenServer{MaxPending: 10, Keys: tfo.NewKeyring(tfo.NewKeys(tfo.Key{1}))}}
				p.end[0].send, p.end[1].send = pattern(int(200+seed*100), seed), pattern(5000, seed+1)
				p.l = Listen(&p.cfg[1], lc, serverAddr)
				for round := range 5 {
					began := p.now
					early := p.end[0].send
					p.dial(early)
					p.end[0].sent = p.client.Queued()
					p.run(time.Hour)
					p.whole()
					if p.client.state != Closed || p.server != nil && p.server.state != Closed || p.l.HalfOpen() != 0 {
						t.Fatalf("seed %d, connection %d: ended in %v and %s, %d half open", seed, round, p.client.state, p.stateOf(p.server), p.l.HalfOpen())
					}
					if p.loss == 0 {
						took := p.end[0].eofAt.Sub(began)
						limit := 5*p.delay + 50*time.Millisecond
						if o := p.client.Outcome(); o.Status == tfo.FellBack {
							limit += 7 * time.Second // timeouts of the SYN
						}
						if took > limit && round > 2 && name != "blacklists clients that use it" {
							t.Errorf("seed %d, connection %d (%v): took %v", seed, round, p.client.Outcome(), took)
						}
						if o := p.client.Outcome(); round == 4 && name == "none" && o.Status != tfo.DataAccepted {
							t.Errorf("seed %d: without a middlebox %v", seed, o)
						}
					}
					if t.Failed() {
						return
					}
					p.flying = nil
					p.now = p.now.Add(2 * time.Minute)
					p.l.pending.room(p.now, sourcePrefix(clientAddr.Addr()), &lc.FastOpen)
					if n := p.l.Pending(); n != 0 {
						t.Fatalf("seed %d: %d slots left", seed, n)
					}
				}
			}
		})
	}
}
