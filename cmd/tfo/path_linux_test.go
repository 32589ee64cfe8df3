package main

import (
	"fmt"
	"math"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
)

// Over 100 ms, get --repeat measures that Fast Open saves one round trip.
func TestRepeat(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	netns.Path(t, client, server, sim.NewPath(1, sim.Delay(50*time.Millisecond)))
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	serve(t, server, "--self-signed")
	for scheme, port := range map[string]int{"http": 8080, "https": 8443} {
		url := fmt.Sprintf("%s://%s:%d/", scheme, netns.B4, port)
		const rounds = 3
		events := fetch(t, client, "-k", "--repeat", fmt.Sprint(rounds), url)
		if len(events) != 1+2*rounds+1 {
			t.Fatalf("%s: got %d objects: %v", url, len(events), events)
		}
		ways := map[string]int{}
		for _, e := range events[:1+2*rounds] {
			ways[e.text("way")]++
		}
		if ways["first"] != 1 || ways["fast"] != rounds || ways["plain"] != rounds {
			t.Errorf("%s: got the ways %v", url, ways)
		}
		sum := events[1+2*rounds]
		sum.want(t, url, event{"event": "comparison", "accepted": rounds})
		// A busy machine may add any time to a request, and takes away none:
		// as many round trips as a way needs have to go by.
		fast, plain := firstByte(t, sum, "fast"), firstByte(t, sum, "plain")
		trips := map[string]float64{"http": 1, "https": 2}[scheme]
		if rtt := sum.number("rtt_ms"); rtt < 100 || fast["min"] < 100*trips || plain["min"] < 100*(trips+1) {
			t.Errorf("%s: a round trip takes %v ms, answers come after %v ms, over plain TCP %v ms", url, rtt, fast, plain)
		}
		saved := (plain["median"] - fast["median"]) / sum.number("rtt_ms")
		if got := sum.number("saved_round_trips"); math.Abs(got-saved) > 0.01 {
			t.Errorf("%s: saved %v round trips, by the medians %v: %v", url, got, saved, sum)
		}
	}
}

// firstByte is how soon the answers of one way came, in ms.
func firstByte(t *testing.T, sum event, way string) map[string]float64 {
	t.Helper()
	got := map[string]float64{}
	record, _ := sum[way].(map[string]any)
	times, _ := record["first_byte_ms"].(map[string]any)
	for name, v := range times {
		got[name], _ = v.(float64)
	}
	if len(got) != 3 {
		t.Fatalf("no times of the way %s in %v", way, sum)
	}
	return got
}

// What came in the SYN of a handshake that is not done yet is answered if its
// method is safe, and waits if not. Requirements SEC-7 and SEC-8.
func TestHold(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	var deaf atomic.Bool // whether what the client sends after the SYN is lost
	netns.Path(t, client, server, sim.NewPath(1,
		sim.Drop(func(s sim.Seen) bool { return deaf.Load() && s.Dir == sim.AtoB && s.TCP && !s.SYN }),
		sim.Delay(20*time.Millisecond)))
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	s := serve(t, server, "--grace", "0.1")
	url := fmt.Sprintf("http://%s:8080/outcome", netns.B4)
	one(t, client, url)

	one(t, client, url)
	s.next("request", 1).want(t, "GET", event{"early": true, "saved": true, "held_ms": nil})
	one(t, client, "-d", "x", "--idempotent", url).want(t, "POST", event{"outcome": "data-accepted", "status": 200})
	held := s.next("request", 2)
	held.want(t, "POST", event{"early": true, "saved": false, "status": 200})
	if ms := held.number("held_ms"); ms < 30 || ms > held.number("duration_ms") {
		t.Errorf("the POST was held %v of %v ms, want some 40 ms, a round trip", ms, held["duration_ms"])
	}

	// From here on no handshake is done: as if the SYN were the repetition of
	// an old one.
	deaf.Store(true)
	one(t, client, "--max-time", "10", url).want(t, "GET without handshake", event{"outcome": "data-accepted", "status": 200})
	s.next("request", 3).want(t, "GET without handshake", event{"early": true, "status": 200})
	r := tfoOn(t, client, "get", "--json", "--max-time", "0.5", "-d", "x", "--idempotent", url)
	if r.code != exitFailed {
		t.Errorf("POST without handshake: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	s.signal(syscall.SIGTERM)
	if err := s.wait(); s.cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("server with a POST that waits for its handshake: %v\n%s", err, s.stderr)
	}
	s.next("stop", 0).want(t, "POST without handshake", event{"requests": 5, "cut": 1})
	for _, e := range s.events {
		if e.text("method") == "POST" && e["status"] != nil && e.number("held_ms") < 30 {
			t.Errorf("a POST was carried out: %v", e)
		}
	}
}

// Requests under way may end after the first signal, and not after the second
// one or when their time is up.
func TestShutdown(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	host := netns.Self(t)
	for _, c := range []struct {
		why   string
		flags []string
		then  func(t *testing.T, s *served, c net.Conn)
		code  int
		cut   int
	}{
		{"the request ends", nil, func(t *testing.T, s *served, c net.Conn) {
			refused(t, c.RemoteAddr().String())
			if _, err := c.Write([]byte("0123456789")); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, 15)
			if _, err := c.Read(answer); err != nil || string(answer) != "HTTP/1.1 200 OK" {
				t.Errorf("got the answer %q, %v", answer, err)
			}
		}, exitOK, 0},
		{"a second signal", nil, func(t *testing.T, s *served, c net.Conn) {
			refused(t, c.RemoteAddr().String())
			s.signal(syscall.SIGINT)
		}, exitFailed, 1},
		{"no time left", []string{"--grace", "0.05"}, func(*testing.T, *served, net.Conn) {}, exitFailed, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := serve(t, host, append(c.flags, "--listen", "127.0.0.1:0")...)
			address := s.url(0)[len("http://") : len(s.url(0))-1]
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "POST /outcome HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
			// The server asks for the body when the handler reads it.
			more := make([]byte, 100)
			if n, err := conn.Read(more); err != nil || string(more[:n]) != "HTTP/1.1 100 Continue\r\n\r\n" {
				t.Fatalf("got %q, %v", more[:n], err)
			}
			s.signal(syscall.SIGTERM)
			c.then(t, s, conn)
			s.wait()
			if code := s.cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, s.stderr)
			}
			s.next("stop", 0).want(t, c.why, event{"requests": 1, "cut": c.cut})
		})
	}
}

// refused waits until nothing listens on address any more.
func refused(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		c.Close()
	}
	t.Fatalf("%s still listens", address)
}
