package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// compare fetches u with Fast Open and without, in turn, and prints both
// side by side. The contact before that gets the cookie, finds the end of
// the redirects and is not measured.
func (g *getter) compare(ctx context.Context, u *url.URL) error {
	defer func(r *recipe) { g.recipe = r }(g.recipe)
	show := g.newProgress()
	defer show.clear()
	show.update("asking %s for a cookie", u.Host)
	hops, err := g.fetch(ctx, u, false, discard)
	g.recordAs(hops, "first", 0)
	if err != nil {
		return err
	}
	end := hops[len(hops)-1]
	u = end.url
	if end.method != g.recipe.method { // the redirect made a GET of a POST
		t := *g.recipe
		t.method, t.body = end.method, nil
		g.recipe = &t
	}
	var fast, plain []*exchange
	for i := range 2 * g.flags.repeat {
		// Which way is first changes, lest one always profit from the other.
		usePlain := i%4 == 1 || i%4 == 2
		hops, err = g.fetch(ctx, u, usePlain, discard)
		if usePlain {
			g.recordAs(hops, "plain", i/2+1)
		} else {
			g.recordAs(hops, "fast", i/2+1)
		}
		if err != nil {
			break
		}
		x := hops[len(hops)-1]
		if usePlain {
			plain = append(plain, x)
		} else {
			fast = append(fast, x)
		}
		show.update("round %d of %d: first byte after %s ms", i/2+1, g.flags.repeat, millis(x.firstByte))
	}
	show.clear()
	if len(fast) == 0 || len(plain) == 0 {
		return err
	}
	c := newComparison(u.Redacted(), fast, plain)
	if g.flags.json {
		writeJSON(g.stdout, c.record())
	} else {
		io.WriteString(g.stdout, c.text(paint(g.stdout)))
		if x := c.unlucky; x != nil && x.outcome.Status != tfo.CookieRequested { // in vain, so again is no hint
			for _, hint := range x.hints(g.flags) {
				fmt.Fprintln(g.stdout, hint)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("stopped after %s: %w", plural(len(fast)+len(plain), "request"), err)
	}
	return nil
}

// recordAs writes JSON objects that say which way a connection went.
func (g *getter) recordAs(hops []*exchange, way string, round int) {
	if !g.flags.json {
		return
	}
	for _, x := range hops {
		r := x.record()
		r.Way, r.Round = way, round
		writeJSON(g.stdout, r)
	}
}

// A comparison is the result of --repeat.
type comparison struct {
	url              string
	fast, plain      []*exchange
	accepted         int           // of fast: those that saved a round trip
	rtt              time.Duration // median of the plain ones; 0 unknown
	savedFirstByte   time.Duration
	savedTotal       time.Duration
	unlucky          *exchange // one of fast that saved nothing, nil if there is none
	fastFB, plainFB  spread
	fastTot, plainTo spread
}

func newComparison(u string, fast, plain []*exchange) *comparison {
	c := &comparison{url: u, fast: fast, plain: plain}
	for _, x := range fast {
		if x.outcome.Saved() {
			c.accepted++
		} else {
			c.unlucky = x
		}
	}
	firstByte := func(x *exchange) time.Duration { return x.firstByte }
	total := func(x *exchange) time.Duration { return x.total }
	c.rtt = spreadOf(plain, func(x *exchange) time.Duration { return x.outcome.RTT }).median
	c.fastFB, c.plainFB = spreadOf(fast, firstByte), spreadOf(plain, firstByte)
	c.fastTot, c.plainTo = spreadOf(fast, total), spreadOf(plain, total)
	c.savedFirstByte = c.plainFB.median - c.fastFB.median
	c.savedTotal = c.plainTo.median - c.fastTot.median
	return c
}

// text is the table, and what it means in a sentence.
func (c *comparison) text(p palette) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s each way, in turn, each on a new connection; milliseconds\n\n", p.bold(printable(c.url)), plural(min(len(c.fast), len(c.plain)), "request"))
	fmt.Fprintf(&b, "  %-14s %10s %20s %10s %20s\n", "", "first byte", "", "total", "")
	fmt.Fprintf(&b, "  %-14s %10s %20s %10s %20s\n", "", "median", "range", "median", "range")
	row := func(name string, first, total spread) {
		fmt.Fprintf(&b, "  %-14s %10s %20s %10s %20s\n", name, millis(first.median), first.span(), millis(total.median), total.span())
	}
	row("plain TCP", c.plainFB, c.plainTo)
	row("Fast Open", c.fastFB, c.fastTot)
	name := "saved"
	if c.accepted == 0 {
		name = "difference"
	}
	fmt.Fprintf(&b, "  %-14s %10s %20s %10s %20s\n\n", name, millis(c.savedFirstByte), c.trips(c.savedFirstByte), millis(c.savedTotal), c.trips(c.savedTotal))
	sentence := c.verdict()
	if c.accepted > 0 && c.savedFirstByte > 0 {
		sentence = p.green(sentence)
	}
	b.WriteString(sentence + "\n")
	if c.unlucky != nil {
		b.WriteString(c.unlucky.outcome.String() + "\n")
	}
	return b.String()
}

// verdict says in a sentence what Fast Open was worth.
func (c *comparison) verdict() string {
	of := fmt.Sprintf("%d of %s", c.accepted, plural(len(c.fast), "connection"))
	switch {
	case c.accepted == 0:
		return "Fast Open saved nothing."
	case c.rtt > 0 && c.rtt < time.Millisecond:
		return fmt.Sprintf("Fast Open worked on %s, but a round trip takes only %s ms here, so there is next to nothing to save.", of, millis(c.rtt))
	case c.savedFirstByte <= 0:
		return fmt.Sprintf("Fast Open worked on %s, but what the times vary by is more than what it saved.", of)
	case c.rtt > 0:
		return fmt.Sprintf("Fast Open saved %s ms to the first byte, %.2f of a round trip of %s ms; it worked on %s.",
			millis(c.savedFirstByte), float64(c.savedFirstByte)/float64(c.rtt), millis(c.rtt), of)
	}
	return fmt.Sprintf("Fast Open saved %s ms to the first byte; it worked on %s.", millis(c.savedFirstByte), of)
}

// trips is a time in round trips.
func (c *comparison) trips(d time.Duration) string {
	if c.rtt < time.Millisecond || c.accepted == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f round trips", float64(d)/float64(c.rtt))
}

// A comparisonRecord is the JSON object that ends --repeat.
type comparisonRecord struct {
	Event      string         `json:"event"` // "comparison"
	URL        string         `json:"url"`
	Accepted   int            `json:"accepted"` // connections with Fast Open that saved a round trip
	Outcomes   map[string]int `json:"outcomes"` // of the connections with Fast Open
	RTT        float64        `json:"rtt_ms,omitempty"`
	Fast       wayRecord      `json:"fast"`
	Plain      wayRecord      `json:"plain"`
	SavedFirst float64        `json:"saved_first_byte_ms"`
	SavedTotal float64        `json:"saved_total_ms"`
	SavedTrips float64        `json:"saved_round_trips,omitempty"` // to the first byte
}

type wayRecord struct {
	Requests  int          `json:"requests"`
	FirstByte spreadRecord `json:"first_byte_ms"`
	Total     spreadRecord `json:"total_ms"`
}

type spreadRecord struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func (c *comparison) record() comparisonRecord {
	r := comparisonRecord{
		Event:      "comparison",
		URL:        c.url,
		Accepted:   c.accepted,
		Outcomes:   map[string]int{},
		RTT:        inMillis(c.rtt),
		Fast:       wayRecord{len(c.fast), c.fastFB.record(), c.fastTot.record()},
		Plain:      wayRecord{len(c.plain), c.plainFB.record(), c.plainTo.record()},
		SavedFirst: inMillis(c.savedFirstByte),
		SavedTotal: inMillis(c.savedTotal),
	}
	for _, x := range c.fast {
		r.Outcomes[name(x.outcome.Status)]++
	}
	if c.rtt > 0 {
		r.SavedTrips = math.Round(1000*float64(c.savedFirstByte)/float64(c.rtt)) / 1000
	}
	return r
}

// name is what programs call a status.
func name(s tfo.Status) string {
	text, err := s.MarshalText()
	if err != nil {
		return s.String()
	}
	return string(text)
}

// A spread says how times are distributed.
type spread struct{ min, median, max time.Duration }

func spreadOf(list []*exchange, of func(*exchange) time.Duration) spread {
	var all []time.Duration
	for _, x := range list {
		all = append(all, of(x))
	}
	slices.Sort(all)
	n := len(all)
	return spread{all[0], (all[(n-1)/2] + all[n/2]) / 2, all[n-1]}
}

func (s spread) span() string { return millis(s.min) + " to " + millis(s.max) }

func (s spread) record() spreadRecord {
	return spreadRecord{inMillis(s.median), inMillis(s.min), inMillis(s.max)}
}

// A progress is one line on a terminal that is written anew and anew.
type progress struct {
	w     io.Writer // nil where nobody looks
	drawn bool
}

func (g *getter) newProgress() *progress {
	if g.flags.silent || !isTerminal(g.stderr) {
		return &progress{}
	}
	return &progress{w: g.stderr}
}

func (p *progress) update(format string, args ...any) {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
		p.drawn = true
	}
}

func (p *progress) clear() {
	if p.drawn {
		io.WriteString(p.w, "\r\x1b[K")
		p.drawn = false
	}
}
