package fastopen_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/tfo"
)

// serverAddrs are those of the second host, IPv4 and IPv6.
var serverAddrs = []string{"10.77.0.2:0", "[fd77::2]:0"}

// exchange dials address, sends hello and reads its echo, and returns the
// connection's outcome.
func exchange(t testing.TB, d *fastopen.Dialer, address, hello string) tfo.Outcome {
	t.Helper()
	nc, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatalf("dial %s: %v", address, err)
	}
	defer nc.Close()
	c := nc.(*fastopen.Conn)
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	if n, err := c.Write([]byte(hello)); err != nil || n != len(hello) {
		t.Fatalf("write %d bytes to %s: %d, %v", len(hello), address, n, err)
	}
	answer := make([]byte, len(hello))
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatalf("read from %s: %v (%v)", address, err, c.Outcome())
	}
	if string(answer) != hello {
		t.Fatalf("echo of %d bytes came back changed (%v)", len(hello), c.Outcome())
	}
	return c.Outcome()
}

// want checks an outcome's status and cause.
func want(t testing.TB, why string, got tfo.Outcome, status tfo.Status, cause tfo.Cause) {
	t.Helper()
	if got.Status != status || got.Cause != cause {
		t.Errorf("%s: got %v (%v), want %v (%v)", why, got, got.Cause, status, cause)
	}
}

// dialer returns a Dialer with a memory of its own that sends anything early.
func dialer() *fastopen.Dialer {
	return &fastopen.Dialer{Policy: fastopen.Idempotent, Cache: new(tfo.Cache)}
}

// TestOutcomes goes through what can come of a connection, against the
// kernel as the server, and lets the kernel's counters judge.
func TestOutcomes(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	netns.Veth(t, client, server)
	fastOn(t, client, server)
	for _, address := range serverAddrs {
		fresh := func(lc fastopen.ListenConfig) (*fastopen.Listener, string) {
			client.FlushTCPMetrics(t)
			l := listen(t, server, lc, address)
			go echo(l)
			return l, l.Addr().String()
		}
		// counted runs f and checks by how much the kernels' counters grew.
		counted := func(h *netns.Host, counter string, by uint64, f func()) {
			t.Helper()
			before := h.Counters(t)
			f()
			if got := h.Counters(t).Since(before)[counter]; got != by {
				t.Errorf("%s on %s grew by %d, want %d", counter, h, got, by)
			}
		}

		t.Run("cookie requested, then data accepted "+address, func(t *testing.T) {
			l, addr := fresh(fastopen.ListenConfig{})
			d := dialer()
			counted(server, "TCPFastOpenCookieReqd", 1, func() {
				want(t, "first contact", exchange(t, d, addr, "hello"), tfo.CookieRequested, tfo.NoCause)
			})
			counted(client, "TCPFastOpenActive", 1, func() {
				counted(server, "TCPFastOpenPassive", 1, func() {
					o := exchange(t, d, addr, "hello")
					want(t, "second contact", o, tfo.DataAccepted, tfo.NoCause)
					if o.Sent != 5 || o.Wanted != 5 || !o.Saved() || o.RTT <= 0 {
						t.Errorf("second contact: %+v", o)
					}
				})
			})
			if got, want := l.Stats(), (fastopen.Stats{Accepted: 2, Requested: 1, Data: 1}); got != want {
				t.Errorf("listener: got %+v, want %+v", got, want)
			}
		})

		t.Run("more than fits "+address, func(t *testing.T) {
			_, addr := fresh(fastopen.ListenConfig{})
			d := dialer()
			exchange(t, d, addr, "hello")
			o := exchange(t, d, addr, strings.Repeat("x", 100000))
			want(t, "100 kB", o, tfo.DataAccepted, tfo.NoCause)
			if room := map[bool]int{false: 1420, true: 1400}[address[0] == '[']; o.Sent != room || o.Wanted != 100000 || o.Saved() {
				t.Errorf("100 kB in one Write: %d of %d bytes in the SYN, saved %t; want %d (requirement OPT-12)", o.Sent, o.Wanted, o.Saved(), room)
			}
		})

		t.Run("server without Fast Open "+address, func(t *testing.T) {
			l, addr := fresh(fastopen.ListenConfig{Queue: -1})
			d := dialer()
			want(t, "first contact", exchange(t, d, addr, "hello"), tfo.CookieRequested, tfo.NoCause)
			want(t, "second contact", exchange(t, d, addr, "hello"), tfo.CookieRequested, tfo.NotGranted)
			if l.FastOpen() == nil {
				t.Error("a listener with a negative Queue says that it has Fast Open")
			}
		})

		t.Run("server's keys change "+address, func(t *testing.T) {
			ring := tfo.NewKeyring(tfo.GenerateKeys())
			l, addr := fresh(fastopen.ListenConfig{Keys: ring})
			d := dialer()
			exchange(t, d, addr, "hello")
			old := ring.Keys().Primary()
			ring.Set(tfo.NewKeys(tfo.GenerateKeys().Primary(), old))
			counted(server, "TCPFastOpenPassiveAltKey", 1, func() {
				want(t, "cookie of the backup key", exchange(t, d, addr, "hello"), tfo.DataAccepted, tfo.NoCause)
			})
			counted(server, "TCPFastOpenPassiveAltKey", 0, func() {
				want(t, "cookie renewed by the backup's use", exchange(t, d, addr, "hello"), tfo.DataAccepted, tfo.NoCause)
			})
			ring.Set(tfo.GenerateKeys())
			counted(server, "TCPFastOpenPassiveFail", 1, func() {
				want(t, "cookie of a key long gone", exchange(t, d, addr, "hello"), tfo.FellBack, tfo.Unacknowledged)
			})
			want(t, "cookie from the refusal", exchange(t, d, addr, "hello"), tfo.DataAccepted, tfo.NoCause)
			if err := l.FastOpen(); err != nil {
				t.Error(err)
			}
			if got, want := l.Stats(), (fastopen.Stats{Accepted: 5, Requested: 1, Data: 3, Refused: 1}); got != want {
				t.Errorf("listener: got %+v, want %+v", got, want)
			}
		})

		t.Run("server's switch off "+address, func(t *testing.T) {
			_, addr := fresh(fastopen.ListenConfig{})
			d := dialer()
			exchange(t, d, addr, "hello")
			server.Sysctl(t, "net.ipv4.tcp_fastopen", "1")
			defer fastOn(t, server)
			want(t, "cookie kept from before", exchange(t, d, addr, "hello"), tfo.FellBack, tfo.Unacknowledged)
			want(t, "again", exchange(t, d, addr, "hello"), tfo.FellBack, tfo.Unacknowledged)
			want(t, "twice in a row is enough (requirement CLI-11)", exchange(t, d, addr, "hello"), tfo.Off, tfo.Avoided)
		})

		t.Run("client's switch off "+address, func(t *testing.T) {
			_, addr := fresh(fastopen.ListenConfig{})
			d := dialer()
			client.Sysctl(t, "net.ipv4.tcp_fastopen", "2")
			want(t, "switched off", exchange(t, d, addr, "hello"), tfo.Off, tfo.Disabled)
			fastOn(t, client)
			want(t, "switched on again", exchange(t, d, addr, "hello"), tfo.CookieRequested, tfo.NoCause)
			want(t, "and used", exchange(t, d, addr, "hello"), tfo.DataAccepted, tfo.NoCause)
		})

		t.Run("off, refused, nothing written "+address, func(t *testing.T) {
			_, addr := fresh(fastopen.ListenConfig{})
			d := dialer()
			exchange(t, d, addr, "hello")
			off := dialer()
			off.Off = true
			want(t, "Dialer.Off", exchange(t, off, addr, "hello"), tfo.Off, tfo.NoCause)
			safe := dialer()
			safe.Policy = nil
			counted(server, "TCPFastOpenPassive", 1, func() {
				want(t, "not safe to repeat", exchange(t, safe, addr, "POST / HTTP/1.1\r\n\r\n"), tfo.Off, tfo.Refused)
			})
		})

		t.Run("without cookies "+address, func(t *testing.T) {
			_, addr := fresh(fastopen.ListenConfig{NoCookie: true})
			d := dialer()
			d.NoCookie = true
			want(t, "first contact", exchange(t, d, addr, "hello"), tfo.DataAccepted, tfo.NoCause)
		})
	}
}
