package tfo

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestOutcomeSaved(t *testing.T) {
	for _, v := range []struct {
		o    Outcome
		want bool
	}{
		{Outcome{}, false},
		{Outcome{Status: DataAccepted, Sent: 512, Wanted: 512}, true},
		{Outcome{Status: DataAccepted, Sent: 1420, Wanted: 5000}, false},
		{Outcome{Status: DataAccepted, Sent: 0, Wanted: 300}, false},
		{Outcome{Status: DataAccepted, Sent: 512, Passive: true}, true},
		{Outcome{Status: DataSent, Sent: 512, Wanted: 512}, false},
		{Outcome{Status: FellBack, Sent: 512, Wanted: 512}, false},
		{Outcome{Status: CookieRequested}, false},
	} {
		if got := v.o.Saved(); got != v.want {
			t.Errorf("%v Saved() = %t", v.o, got)
		}
	}
}

// What a person reads. Run with -v to read it all.
func TestOutcomeSentences(t *testing.T) {
	const ms = time.Millisecond
	failed := Avoid{
		Cause: Lost, Times: 3,
		Since: time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 22, 16, 30, 0, 0, time.FixedZone("", 3600)),
	}
	for _, v := range []struct {
		o    Outcome
		want string
	}{
		// The client's side.
		{Outcome{}, "Fast Open was not used."},
		{Outcome{RTT: 103284 * time.Microsecond}, "Fast Open was not used; a round trip takes 103ms here."},
		{Outcome{Cause: Unsupported}, "Fast Open was not used: this system does not support it."},
		{Outcome{Cause: Disabled}, "Fast Open was not used: a setting of this host has it off (on Linux, bit 0x1 of net.ipv4.tcp_fastopen is clear)."},
		{Outcome{Cause: Paused}, "Fast Open was not used: the kernel suspects a black hole and has paused it for all destinations (on Linux, see net.ipv4.tcp_fastopen_blackhole_timeout_sec)."},
		{Outcome{Cause: Avoided}, "Fast Open was not used: it failed on this path lately."},
		{Outcome{Cause: Avoided, Avoid: failed}, "Fast Open was not used: it failed 3 times in a row on this path, last because the SYN got no answer, and is avoided until 2026-11-22 15:30:00 UTC."},
		{Outcome{Cause: Refused, Wanted: 512}, "Fast Open was not used: the policy allowed none of the first bytes into a SYN."},
		{Outcome{Cause: NoData, RTT: 20 * ms}, "Fast Open was not used: the connection was opened before anything was written; a round trip takes 20ms here."},
		{Outcome{Cause: NoRoom, Wanted: 512}, "Fast Open was not used: the cookie, or the data with it, did not fit into the SYN."},
		{Outcome{Status: CookieRequested}, "No data went early: this connection asked the server for a Fast Open cookie, with which later ones can send data in the SYN."},
		{Outcome{Status: CookieRequested, Cause: NotGranted}, "No data went early: this connection asked the server for a Fast Open cookie, as earlier ones did in vain, so the server or something on the path probably does not support Fast Open."},
		{Outcome{Status: CookieRequested, Cause: Refused}, "No data went early: this connection asked the server for a Fast Open cookie, but the policy allowed none of the first bytes into a SYN."},
		{Outcome{Status: DataSent, Sent: 512, Wanted: 512}, "The SYN carried a cookie and 512 bytes, and has not been answered yet."},
		{Outcome{Status: DataSent, Sent: 1420, Wanted: 5000}, "The SYN carried a cookie and 1420 of 5000 bytes, and has not been answered yet; the rest of the first write waits for the handshake."},
		{Outcome{Status: DataSent}, "The SYN carried a cookie and no data, and has not been answered yet."},
		{Outcome{Status: DataSent, Cause: Untold, Sent: 512, Wanted: 512}, "The operating system took 512 bytes for the SYN, and does not tell what came of that."},
		{Outcome{Status: DataAccepted, Sent: 512, Wanted: 512}, "Fast Open saved a round trip: the server accepted the 512 bytes in the SYN."},
		{Outcome{Status: DataAccepted, Sent: 512, Wanted: 512, RTT: 103284 * time.Microsecond}, "Fast Open saved a round trip of 103ms: the server accepted the 512 bytes in the SYN."},
		{Outcome{Status: DataAccepted, Sent: 1, Wanted: 1, RTT: 1234567}, "Fast Open saved a round trip of 1.2ms: the server accepted the 1 byte in the SYN."},
		{Outcome{Status: DataAccepted, Sent: 1, Wanted: 1, RTT: 87654}, "Fast Open saved a round trip of 88µs: the server accepted the 1 byte in the SYN."},
		{Outcome{Status: DataAccepted, Sent: 1420, Wanted: 5000, RTT: 103 * ms}, "The server accepted the 1420 bytes in the SYN, but the other 3580 of the first write waited for the handshake, so little or nothing was saved."},
		{Outcome{Status: DataAccepted, Sent: 0, Wanted: 300}, "The server accepted a SYN with a cookie and no data, but the first write waited for the handshake, so little or nothing was saved."},
		{Outcome{Status: DataAccepted}, "The server accepted a SYN with a cookie and no data, so it could answer a round trip early."},
		{Outcome{Status: FellBack, Sent: 512, Wanted: 512}, "Fast Open fell back: the 512 bytes in the SYN were sent again after the handshake."},
		{Outcome{Status: FellBack}, "Fast Open fell back: the connection went on without it."},
		{Outcome{Status: FellBack, Cause: Unacknowledged, Sent: 512, Wanted: 512}, "Fast Open fell back: the server answered the SYN but did not accept the 512 bytes in it, which often means that the cookie has expired or that servers behind one address do not share a key."},
		{Outcome{Status: FellBack, Cause: Partial, Sent: 1420, Wanted: 5000}, "Fast Open fell back: the server accepted only a part of the 1420 bytes in the SYN, and the rest was sent again after the handshake."},
		{Outcome{Status: FellBack, Cause: Lost, Sent: 512, Wanted: 512, RTT: 103 * ms}, "Fast Open fell back: the SYN with 512 bytes got no answer, and a plain SYN followed; a round trip takes 103ms here."},
		{Outcome{Status: FellBack, Cause: Lost}, "Fast Open fell back: the SYN with the Fast Open option got no answer, and a plain SYN followed."},
		{Outcome{Status: FellBack, Cause: Reset, Sent: 512, Wanted: 512}, "Fast Open fell back: the SYN with 512 bytes was answered with a reset, and the connection was tried again without."},
		{Outcome{Status: FellBack, Cause: Unreachable, Sent: 1, Wanted: 1}, "Fast Open fell back: the SYN with 1 byte was answered with an ICMP error, and the connection was tried again without."},
		{Outcome{Status: FellBack, Cause: Overtaken, Sent: 512, Wanted: 512}, "Fast Open fell back: a plain connection opened beside this one was answered first and is the one in use."},
		{Outcome{Status: FellBack, Cause: BlackHole, Sent: 512, Wanted: 512}, "Fast Open fell back: the server answered the SYN with 512 bytes, but nothing came through after the handshake, as if something on the path broke such connections."},
		{Outcome{Status: 9}, "Nothing is known of Fast Open here: unknown status 9."},
		{Outcome{Cause: 99}, "Fast Open was not used: the reason is the unknown cause 99."},

		// The server's side.
		{Outcome{Passive: true}, "The client did not use Fast Open."},
		{Outcome{Passive: true, Cause: Disabled}, "Fast Open was not used: a setting of this host has it off for listeners (on Linux, bit 0x2 of net.ipv4.tcp_fastopen is clear)."},
		{Outcome{Passive: true, Cause: Overload}, "Fast Open was not used: too many connections were pending on the listener, whose limit may be too low."},
		{Outcome{Passive: true, Status: CookieRequested}, "The client asked for a Fast Open cookie."},
		{Outcome{Passive: true, Status: CookieRequested, Sent: 512}, "The client asked for a Fast Open cookie, and the 512 bytes that came with the request were left for it to send again."},
		{Outcome{Passive: true, Status: CookieRequested, Cause: Overload}, "The client asked for a Fast Open cookie, but too many connections were pending on the listener, whose limit may be too low."},
		{Outcome{Passive: true, Status: DataSent, Sent: 512}, "The client's SYN carried a cookie and 512 bytes, and has not been answered yet."},
		{Outcome{Passive: true, Status: DataAccepted, Sent: 512}, "Fast Open worked: the 512 bytes in the client's SYN were accepted, a round trip early."},
		{Outcome{Passive: true, Status: DataAccepted, Sent: 512, RTT: 103 * ms}, "Fast Open worked: the 512 bytes in the client's SYN were accepted, a round trip (103ms) early."},
		{Outcome{Passive: true, Status: DataAccepted}, "The client's SYN carried no data and was accepted, so this side could write a round trip early."},
		{Outcome{Passive: true, Status: FellBack, Sent: 512}, "Fast Open fell back: the 512 bytes in the client's SYN were not accepted."},
		{Outcome{Passive: true, Status: FellBack, Cause: BadCookie, Sent: 512}, "Fast Open fell back: the 512 bytes in the client's SYN were not accepted because no key of this server made the SYN's cookie."},
		{Outcome{Passive: true, Status: FellBack, Cause: BadCookie}, "Fast Open fell back: the client's SYN carried no data, and no key of this server made the SYN's cookie."},
		{Outcome{Passive: true, Status: FellBack, Cause: NoCookie, Sent: 512}, "Fast Open fell back: the 512 bytes in the client's SYN were not accepted because the SYN carried no cookie."},
		{Outcome{Passive: true, Status: FellBack, Cause: Overload, Sent: 512}, "Fast Open fell back: the 512 bytes in the client's SYN were not accepted because too many connections were pending on the listener, whose limit may be too low."},
		{Outcome{Passive: true, Status: FellBack, Cause: Partial, Sent: 512}, "Fast Open fell back: only a part of the 512 bytes in the client's SYN was accepted."},
		{Outcome{Passive: true, Status: FellBack, Cause: Lost, Sent: 512}, "The 512 bytes in the client's SYN were accepted, but the handshake was never completed: the SYN-ACK got no answer."},
		{Outcome{Passive: true, Status: FellBack, Cause: Reset}, "The client's SYN was accepted without data, but the handshake was never completed: the client reset the connection."},
		{Outcome{Passive: true, Status: FellBack, Cause: BlackHole, Sent: 512}, "The 512 bytes in the client's SYN were accepted, but nothing came from the client after the handshake."},
	} {
		got := v.o.String()
		if got != v.want {
			t.Errorf("%#v:\n got %s\nwant %s", v.o, got, v.want)
		}
		t.Log(got)
	}
}

// Every combination is one sentence, complete and without a hole in it.
func TestOutcomeIsAlwaysASentence(t *testing.T) {
	sizes := [][2]int{{0, 0}, {0, 303}, {1, 1}, {512, 512}, {1421, 5001}, {512, 0}}
	for _, passive := range []bool{false, true} {
		for status := Off; status <= FellBack+1; status++ {
			for cause := NoCause; cause <= Overload+1; cause++ {
				for _, size := range sizes {
					for _, rtt := range []time.Duration{0, 500, 103 * time.Millisecond} {
						for times := range 4 {
							o := Outcome{status, cause, passive, size[0], size[1], rtt, Avoid{Cause: Lost, Times: times, Until: time.Unix(1e9, 0)}}
							wantSentence(t, o)
						}
					}
				}
			}
		}
	}
}

func wantSentence(t *testing.T, o Outcome) {
	t.Helper()
	s := o.String()
	for _, bad := range []string{"%!", "  ", " ,", " .", "..", ". ", ":.", ": :", ";;", "0 bytes", " 1 bytes", "()", ", , ", "\n"} {
		if strings.Contains(s, bad) {
			t.Fatalf("%#v: %q in %s", o, bad, s)
		}
	}
	if s[0] < 'A' || s[0] > 'Z' || !strings.HasSuffix(s, ".") || len(s) > 330 {
		t.Fatalf("%#v: not a sentence: %s", o, s)
	}
	// If the first write did not fit, no sentence may sound as if all was well.
	if o.Status == DataAccepted && !o.Passive && o.Sent < o.Wanted && !strings.Contains(s, "little or nothing was saved") {
		t.Fatalf("%#v: does not tell that the rest waited: %s", o, s)
	}
	if !o.Saved() && strings.Contains(s, "saved a round trip") {
		t.Fatalf("%#v: claims what was not saved: %s", o, s)
	}
}

func TestAvoidString(t *testing.T) {
	until := time.Unix(1_763_800_000, 0)
	for want, a := range map[string]Avoid{
		"nothing has failed on this path":                                                                                                       {},
		"it failed on this path: the SYN was acknowledged without its data":                                                                     {Cause: Unacknowledged, Times: 1},
		"it failed on this path: the SYN got no answer, and is avoided until 2025-11-22 08:26:40 UTC":                                           {Cause: Lost, Times: 1, Until: until},
		"it failed twice in a row on this path, last because nothing came through after the handshake":                                          {Cause: BlackHole, Times: 2},
		"it failed 7 times in a row on this path, last because the SYN was answered with a reset, and is avoided until 2025-11-22 08:26:40 UTC": {Cause: Reset, Times: 7, Until: until},
	} {
		if got := a.String(); got != want {
			t.Errorf("got %s want %s", got, want)
		}
	}
}

func TestOutcomeNames(t *testing.T) {
	if len(statusNames) != int(FellBack)+1 || len(causeNames) != int(Overload)+1 {
		t.Fatalf("%d statuses and %d causes have names", len(statusNames), len(causeNames))
	}
	seen := map[string]bool{}
	for s := Off; s <= FellBack; s++ {
		b, err := s.MarshalText()
		if err != nil || len(b) == 0 || seen[string(b)] || s.String() != strings.ReplaceAll(string(b), "-", " ") {
			t.Errorf("status %d: %q, %v, %q", s, b, err, s)
		}
		seen[string(b)] = true
		back := Status(200)
		if err := back.UnmarshalText(b); err != nil || back != s {
			t.Errorf("%q: %v, %v", b, back, err)
		}
	}
	clear(seen)
	for c := NoCause; c <= Overload; c++ {
		b, err := c.MarshalText()
		if err != nil || len(b) == 0 || seen[string(b)] || c.String() != strings.ReplaceAll(string(b), "-", " ") {
			t.Errorf("cause %d: %q, %v, %q", c, b, err, c)
		}
		seen[string(b)] = true
		back := Cause(200)
		if err := back.UnmarshalText(b); err != nil || back != c {
			t.Errorf("%q: %v, %v", b, back, err)
		}
	}
	// The names are an interface: programs read them.
	for want, got := range map[string]string{
		"data-accepted": statusNames[DataAccepted], "fell-back": statusNames[FellBack], "cookie-requested": statusNames[CookieRequested],
		"not-granted": causeNames[NotGranted], "black-hole": causeNames[BlackHole], "unacknowledged": causeNames[Unacknowledged], "none": causeNames[NoCause],
	} {
		if got != want {
			t.Errorf("got %q want %q", got, want)
		}
	}
	if _, err := Status(9).MarshalText(); err == nil {
		t.Error("status 9 has a name")
	}
	if _, err := Cause(99).MarshalText(); err == nil {
		t.Error("cause 99 has a name")
	}
	var s Status = DataSent
	if err := s.UnmarshalText([]byte("sent")); err == nil || s != DataSent || !strings.Contains(err.Error(), `no status "sent"; choose one of off, `) {
		t.Errorf("%v, %v", s, err)
	}
	var c Cause = Lost
	if err := c.UnmarshalText(nil); err == nil || c != Lost {
		t.Errorf("%v, %v", c, err)
	}
}

func TestOutcomeJSON(t *testing.T) {
	o := Outcome{Status: FellBack, Cause: Unacknowledged, Sent: 512, Wanted: 512, RTT: time.Millisecond}
	b, err := json.Marshal(o)
	if err != nil || !strings.Contains(string(b), `"Status":"fell-back","Cause":"unacknowledged"`) {
		t.Fatalf("%s, %v", b, err)
	}
	var back Outcome
	if err := json.Unmarshal(b, &back); err != nil || back != o {
		t.Errorf("%s came back as %#v, %v", b, back, err)
	}
}
