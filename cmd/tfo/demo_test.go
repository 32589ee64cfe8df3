package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fastopen-go/fastopen/tfo"
)

func demonstration(t testing.TB, rtt time.Duration, loss float64, seed uint64, name string) *demo {
	t.Helper()
	for _, b := range middleboxes {
		if b.name == name {
			d := newDemonstration(rtt, loss, seed, b)
			d.run()
			return d
		}
	}
	t.Fatalf("there is no middlebox %q", name)
	return nil
}

// TestDemoTimes holds the exchanges against what they must take, in round trips.
func TestDemoTimes(t *testing.T) {
	for _, rtt := range []time.Duration{time.Millisecond, 100 * time.Millisecond, 1234567 * time.Nanosecond, 3 * time.Second} {
		d := demonstration(t, rtt, 0, 1, "none")
		for i, want := range []struct {
			status tfo.Status
			trips  int
		}{{tfo.CookieRequested, 2}, {tfo.DataAccepted, 1}, {tfo.DataAccepted, 1}, {tfo.DataAccepted, 1}} {
			x := d.exchanges[i]
			// A path halves the round trip twice, with whole nanoseconds.
			if off := x.answer - time.Duration(want.trips)*rtt; off.Abs() > 10 || x.outcome.Status != want.status {
				t.Errorf("round trip %v, %s: %v after %v, want %v after %d round trips", rtt, x.name, x.outcome, x.answer, want.status, want.trips)
			}
			if off := x.plain - 2*rtt; off.Abs() > 10 {
				t.Errorf("round trip %v, %s: plain TCP took %v", rtt, x.name, x.plain)
			}
		}
	}
}

// TestDemoMiddleboxes checks what comes of each of them.
func TestDemoMiddleboxes(t *testing.T) {
	const ms = time.Millisecond
	for name, want := range map[string]struct {
		answer, next time.Duration // negative: never
		status       tfo.Status
		cause, after tfo.Cause
	}{
		"none":                 {100 * ms, 100 * ms, tfo.DataAccepted, 0, 0},
		"drop-syn-data":        {500 * ms, 200 * ms, tfo.FellBack, tfo.Lost, tfo.Avoided},
		"drop-option":          {500 * ms, 200 * ms, tfo.FellBack, tfo.Lost, tfo.Avoided},
		"reset-syn-data":       {250 * ms, 200 * ms, tfo.FellBack, tfo.Reset, tfo.Avoided},
		"strip-syn":            {200 * ms, 200 * ms, tfo.FellBack, tfo.Unacknowledged, tfo.Unacknowledged},
		"strip-synack":         {100 * ms, 100 * ms, tfo.DataAccepted, 0, 0},
		"strip-both":           {200 * ms, 200 * ms, tfo.FellBack, tfo.Unacknowledged, tfo.Unacknowledged},
		"swallow":              {200 * ms, 200 * ms, tfo.FellBack, tfo.Unacknowledged, tfo.Unacknowledged},
		"trim":                 {200 * ms, 200 * ms, tfo.FellBack, tfo.Partial, tfo.Partial},
		"ack-syn-only":         {100 * ms, 100 * ms, tfo.FellBack, tfo.Unacknowledged, tfo.Unacknowledged},
		"late-black-hole":      {-1, -1, tfo.DataAccepted, 0, 0},
		"blacklist-connection": {-1, 200 * ms, tfo.FellBack, tfo.Lost, tfo.Avoided},
		"blacklist-host":       {2300 * ms, 200 * ms, tfo.FellBack, tfo.Lost, tfo.Avoided},
		"rewrite":              {100 * ms, 100 * ms, tfo.DataAccepted, 0, 0},
		"rewrite-not-sack":     {100 * ms, 100 * ms, tfo.DataAccepted, 0, 0},
		"nat":                  {200 * ms, 100 * ms, tfo.FellBack, tfo.Unacknowledged, 0},
		"balancer":             {100 * ms, 100 * ms, tfo.DataAccepted, 0, 0},
		"balancer-apart":       {200 * ms, 100 * ms, tfo.FellBack, tfo.Unacknowledged, 0},
		"mtu":                  {200 * ms, 200 * ms, tfo.DataAccepted, 0, 0},
		"mtu-silent":           {4800 * ms, 4800 * ms, tfo.DataAccepted, 0, 0},
	} {
		d := demonstration(t, 100*ms, 0, 1, name)
		x, next := d.exchanges[2], d.exchanges[3]
		if x.answer != want.answer && !(x.answer < 0 && want.answer < 0) || x.outcome.Status != want.status || x.outcome.Cause != want.cause {
			t.Errorf("%s: %v after %v, want %+v", name, x.outcome, x.answer, want)
		}
		if next.answer != want.next && !(next.answer < 0 && want.next < 0) || next.outcome.Cause != want.after {
			t.Errorf("%s, afterwards: %v after %v, want %+v", name, next.outcome, next.answer, want)
		}
		if x.plain < 0 {
			t.Errorf("%s: plain TCP does not get through", name)
		}
	}
}

// TestDemoDrawings draws all there is to be drawn, on bad days too: no line is
// too long, the posts stand straight, and pictures and records are well formed.
func TestDemoDrawings(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, b := range middleboxes {
		for seed := range uint64(12) {
			rtt := time.Duration(1 + rng.Int64N(int64(3*time.Second)))
			d := demonstration(t, max(rtt, time.Millisecond), []float64{0, 0.05, 0.3}[seed%3], seed, b.name)
			for _, pen := range []pen{fine, coarse} {
				text := ladder{pen: pen}.draw(d)
				for line := range strings.Lines(text) {
					line = strings.TrimSuffix(line, "\n")
					if utf8.RuneCountInString(line) > 80 || strings.TrimRight(line, " ") != line || strings.Contains(line, "\x1b") {
						t.Errorf("%s, seed %d: %d columns: %q", b.name, seed, utf8.RuneCountInString(line), line)
					}
					r := []rune(line)
					if len(r) < 12 || string(r[ladderTime]) != " " {
						continue
					}
					if post := string(r[ladderTime+1]); post == pen.post || post == pen.dots {
						if end := ladderTime + 2 + ladderArrow; len(r) <= end || string(r[end]) != post {
							t.Errorf("%s, seed %d: the server's post is not where it was: %q", b.name, seed, line)
						}
					}
				}
				if pen == coarse && strings.IndexFunc(text, func(r rune) bool { return r > 126 }) >= 0 {
					t.Errorf("%s: --plain is not plain", b.name)
				}
			}
			var svg strings.Builder
			if err := d.svg(&svg); err != nil {
				t.Fatal(err)
			}
			for dec := xml.NewDecoder(strings.NewReader(svg.String())); ; {
				if _, err := dec.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s, seed %d: %v", b.name, seed, err)
				}
			}
			if strings.Contains(svg.String(), "NaN") || strings.Contains(svg.String(), "Inf") {
				t.Errorf("%s, seed %d: a place in the drawing is no number", b.name, seed)
			}
			for _, x := range d.exchanges {
				if _, err := json.Marshal(x.record()); err != nil {
					t.Errorf("%s, seed %d: %v", b.name, seed, err)
				}
				for _, st := range x.steps {
					if st.arrived >= 0 && st.arrived <= st.sent || st.label == "" {
						t.Errorf("%s, seed %d, %s: %+v", b.name, seed, x.name, st)
					}
				}
			}
		}
	}
}

// TestDemoSteps counts: what was sent is told once, and nothing else is.
func TestDemoSteps(t *testing.T) {
	d := demonstration(t, 100*time.Millisecond, 0, 1, "reset-syn-data")
	x := d.exchanges[2]
	lost, made := 0, 0
	for _, st := range x.steps {
		if st.eaten {
			lost++
		}
		if st.fromBox {
			made++
		}
	}
	if lost != 1 || made != 1 || len(x.visible()) != 6 {
		t.Errorf("%d dropped, %d made by the box, %d in all: %+v", lost, made, len(x.visible()), x.steps)
	}
}

func FuzzPercentage(f *testing.F) {
	for _, s := range []string{"0", "5", "0.5%", "%", "-1", "NaN", "1e3", "50"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p percentage
		if err := p.Set(text); err == nil && !(p >= 0 && p <= 50) {
			t.Fatalf("%q: %v", text, p)
		}
	})
}
