package sim

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

var update = flag.Bool("update", false, "write the golden traces in testdata anew")

var (
	addrA  = netip.MustParseAddr("192.0.2.1")
	addrB  = netip.MustParseAddr("198.51.100.2")
	serviB = netip.AddrPortFrom(addrB, 443)
)

// scene is a client and a server with Fast Open, 50 ms apart, and the log of
// what happens between them.
type scene struct {
	*Net
	client, server *Host
	listener       *tcp.Listener
	ring           *tfo.Keyring
	cache          tfo.Cache
	lines          []string
	served         *Stream
	response       Pattern
}

func newScene(t *testing.T, seed uint64, lc tcp.ListenConfig, hops ...Hop) *scene {
	t.Helper()
	s := &scene{Net: NewNet(seed), response: Pattern{Seed: seed, N: 100}}
	s.Log = func(line string) { s.lines = append(s.lines, line) }
	s.client, s.server = s.Host("client", addrA), s.Host("server", addrB)
	s.client.Config.Cache = &s.cache
	keys, err := tfo.ParseKeys("1-2-3-4")
	if err != nil {
		t.Fatal(err)
	}
	s.ring = tfo.NewKeyring(keys)
	lc.FastOpen.Keys = s.ring
	if lc.FastOpen.MaxPending == 0 {
		lc.FastOpen.MaxPending = 10
	}
	s.listener = s.server.Listen(serviB, lc, func(c *tcp.Conn) App {
		s.Logf("server   accepts a connection: confirmed %v, %d bytes to read", c.Confirmed(), c.Info().Unread)
		s.served = &Stream{Out: s.response, In: Pattern{Seed: seed, N: 200}, Answer: true, Net: s.Net}
		return s.served.Run
	})
	hops = append([]Hop{Delay(12500 * time.Microsecond)}, append(hops, Delay(12500*time.Microsecond))...)
	s.Join(s.client, s.server, hops...)
	return s
}

// request makes one connection that sends 200 bytes and gets the response, and
// lets it end.
func (s *scene) request(what string) *Stream {
	s.Logf("-- %s", what)
	st := &Stream{Out: Pattern{Seed: s.seed, N: 200}, In: s.response, Early: 200, Net: s.Net}
	c := s.client.Dial(serviB, st.Out.Bytes(200), st.Run)
	for !st.Over && s.Step(s.Now().Add(time.Hour)) {
	}
	s.Logf("client   %v (error %v)", c.Outcome(), c.Err())
	s.Wait(5 * time.Second)
	return st
}

// golden compares the log with the file of that name.
func (s *scene) golden(t *testing.T, name string) {
	t.Helper()
	for i, l := range s.lines { // times since the line before are what a reader wants
		s.lines[i] = strings.TrimRight(l, " ")
	}
	got := strings.Join(s.lines, "\n") + "\n"
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := string(b); got != want {
		t.Errorf("%s: %s\nIf each changed line is right, go test ./sim -run %s -update", file, firstDifference(got, want), t.Name())
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		line := func(all []string) string {
			if i < len(all) {
				return all[i]
			}
			return "(nothing)"
		}
		if line(g) != line(w) {
			return fmt.Sprintf("line %d:\n got %s\nwant %s", i+1, line(g), line(w))
		}
	}
	return "no difference"
}

// The stories that one needs to have seen to know what Fast Open does.
func TestTraces(t *testing.T) {
	cached := func(s *scene) *scene {
		s.request("first contact")
		s.lines = nil
		return s
	}
	for _, c := range []struct {
		name string
		play func(t *testing.T) *scene
	}{
		{"first-contact", func(t *testing.T) *scene {
			s := newScene(t, 1, tcp.ListenConfig{})
			s.request("first contact: the SYN asks for a cookie, and data waits for the handshake")
			return s
		}},
		{"repeat-visit", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{}))
			s.request("repeat visit: the request goes in the SYN, and the answer before the client's ACK")
			return s
		}},
		{"refused-cookie", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{}))
			keys, _ := tfo.ParseKeys("5-6-7-8")
			s.ring.Set(keys)
			s.request("the server has another key: it acknowledges the SYN alone and gives a new cookie")
			s.request("which is good")
			return s
		}},
		{"backup-key", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{}))
			keys, _ := tfo.ParseKeys("5-6-7-8,1-2-3-4")
			s.ring.Set(keys)
			s.request("the server has a new key and the old one as its backup: it takes the data and gives a new cookie")
			return s
		}},
		{"server-off", func(t *testing.T) *scene {
			s := newScene(t, 1, tcp.ListenConfig{})
			s.listener.SetMaxPending(0)
			s.request("a server without Fast Open does not see the option")
			s.request("and is asked again")
			return s
		}},
		{"hold-output", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{FastOpen: tcp.FastOpenServer{HoldOutput: true}}))
			s.request("the server takes the data at once and answers once the handshake is confirmed")
			return s
		}},
		{"data-in-synack", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{FastOpen: tcp.FastOpenServer{DataInSYNACK: true}}))
			s.request("the answer travels in the SYN-ACK if it is there in time")
			return s
		}},
		{"fallback-drop-data", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{}, DropSYNData()))
			s.request("a box drops SYNs with data: a plain SYN follows when the timer of the known round trip ends")
			s.request("and the path is remembered")
			return s
		}},
		{"fallback-drop-option", func(t *testing.T) *scene {
			s := newScene(t, 1, tcp.ListenConfig{}, DropFastOpen())
			s.request("a box drops SYNs with the option")
			s.request("and the path is remembered")
			return s
		}},
		{"fallback-strip", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{}))
			s.wires[0].path.hops[0] = StripFastOpen(OnSYN).join(s.wires[0].path, 0)
			s.request("a box strips the option: the data is not acknowledged, and sent again at once")
			s.request("a second time")
			s.request("and the path is remembered")
			return s
		}},
		{"fallback-trim", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{}, TrimSYNData(50)))
			s.request("a box lets 50 bytes pass: the rest is sent again at once")
			return s
		}},
		{"fallback-reset", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{}, ResetSYNData()))
			s.request("a box answers data in the SYN with a reset: a plain SYN follows at once")
			return s
		}},
		{"fallback-black-hole", func(t *testing.T) *scene {
			s := newScene(t, 1, tcp.ListenConfig{}, LateBlackHole())
			c := *s.client.Config
			c.UserTimeout = 5 * time.Second
			s.client.Config = &c
			s.request("a box lets the handshake pass and then nothing: the application gives up after 5 s")
			s.request("and the path is remembered")
			return s
		}},
		{"ack-syn-only", func(t *testing.T) *scene {
			s := cached(newScene(t, 1, tcp.ListenConfig{}, AckSYNOnly()))
			s.request("a box lets the data pass but acknowledges the SYN alone: the server sees the data twice and delivers it once")
			return s
		}},
		{"mtu", func(t *testing.T) *scene {
			s := newScene(t, 1, tcp.ListenConfig{}, MTU(1000))
			s.response.N = 5000
			s.request("a narrow path reports what is too big")
			return s
		}},
		{"simultaneous-open", func(t *testing.T) *scene {
			s := newScene(t, 1, tcp.ListenConfig{})
			a, b := netip.AddrPortFrom(addrA, 7000), netip.AddrPortFrom(addrB, 8000)
			x, y := &Stream{Out: Pattern{1, 50}, In: Pattern{2, 60}}, &Stream{Out: Pattern{2, 60}, In: Pattern{1, 50}}
			s.client.DialFrom(a, b, nil, x.Run)
			s.server.DialFrom(b, a, nil, y.Run)
			s.Run(time.Hour)
			if x.Wrong+y.Wrong != "" || !x.EOF || !y.EOF {
				t.Errorf("client %+v\nserver %+v", x, y)
			}
			return s
		}},
		{"loss-recovery", func(t *testing.T) *scene {
			lost := 0
			s := cached(newScene(t, 1, tcp.ListenConfig{}, Drop(func(s Seen) bool {
				if s.Dir == BtoA && s.Len > 1000 {
					lost++
					return lost == 3 || lost == 4 || lost == 7
				}
				return false
			})))
			s.response.N = 20000
			s.request("three segments of the answer are lost")
			return s
		}},
		{"tail-loss", func(t *testing.T) *scene {
			lost := false
			s := cached(newScene(t, 1, tcp.ListenConfig{}, Drop(func(s Seen) bool {
				if s.Dir == BtoA && s.Len > 0 && s.Len < 1000 && !lost {
					lost = true
					return true
				}
				return false
			})))
			s.response.N = 3000
			s.request("the last segment of the answer is lost: a probe finds out")
			return s
		}},
		{"zero-window", func(t *testing.T) *scene {
			s := newScene(t, 1, tcp.ListenConfig{})
			c := *s.client.Config
			c.ReceiveBuffer, c.MaxReceiveBuffer = 4000, 4000
			s.client.Config = &c
			s.response.N = 9000
			st := &Stream{Out: Pattern{1, 200}, In: s.response, Early: 200, Net: s.Net, Stall: time.Second, Chunk: 4000}
			s.client.Dial(serviB, st.Out.Bytes(200), st.Run)
			s.Run(time.Hour)
			if st.Wrong != "" || !st.EOF {
				t.Errorf("%+v", st)
			}
			return s
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.play(t)
			if s.served != nil && s.served.Wrong != "" {
				t.Errorf("server: %s", s.served.Wrong)
			}
			s.golden(t, c.name)
		})
	}
}
