package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fastopen-go/fastopen/kernel"
)

// A view is what tfo watch shows on a terminal. It knows neither clock nor
// terminal.
type view struct {
	interval time.Duration
	unicode  bool // the terminal shows more than ASCII
	first    sample
	before   *sample
	now      sample
	history  map[kernel.NamespaceID][]rate // the newest last, at most remembered
	chosen   kernel.NamespaceID
}

// remembered is how many intervals the small diagrams can show: a minute, with
// the default interval.
const remembered = 60

// add takes in a sample.
func (v *view) add(now sample) {
	if v.history == nil {
		v.history = map[kernel.NamespaceID][]rate{}
		v.first = now
	} else {
		before := v.now
		v.before = &before
	}
	v.now = now
	for id := range v.history {
		if _, ok := now.find(id); !ok {
			delete(v.history, id)
		}
	}
	for _, n := range now.namespaces {
		if r := rateOf(now, n, v.before); r.over > 0 {
			h := append(v.history[n.id], r)
			v.history[n.id] = h[max(len(h)-remembered, 0):]
		}
	}
	if _, ok := now.find(v.chosen); !ok && len(now.namespaces) > 0 {
		v.chosen = now.namespaces[0].id
	}
}

// move chooses the namespace by places further down the list.
func (v *view) move(by int) {
	list := v.now.namespaces
	if len(list) == 0 {
		return
	}
	i := slices.IndexFunc(list, func(n namespaceSample) bool { return n.id == v.chosen })
	v.chosen = list[min(max(i+by, 0), len(list)-1)].id
}

// A row is a line of the screen and its colour.
type row struct {
	text  string
	style func(string) string // nil for none
}

// gauges are the lines of the main table.
var gauges = []struct {
	label   string
	trouble bool
	value   func(kernel.Counters) uint64
}{
	{"In: all connections accepted", false, func(c kernel.Counters) uint64 { return c.PassiveOpens }},
	{"  opened by Fast Open", false, func(c kernel.Counters) uint64 { return c.Passive }},
	{"  asked for a cookie", false, func(c kernel.Counters) uint64 { return c.CookieReqd }},
	{"  cookie of the backup key", false, func(c kernel.Counters) uint64 { return c.PassiveAltKey }},
	{"  cookie of no key here", true, func(c kernel.Counters) uint64 { return c.PassiveFail }},
	{"  Fast Open queue was full", true, func(c kernel.Counters) uint64 { return c.QueueOverflow }},
	{"  accept queue was full", true, func(c kernel.Counters) uint64 { return c.AcceptOverflow }},
	{"Out: all connections opened", false, func(c kernel.Counters) uint64 { return c.ActiveOpens }},
	{"  opened by Fast Open", false, func(c kernel.Counters) uint64 { return c.Active }},
	{"  Fast Open failed", true, func(c kernel.Counters) uint64 { return c.ActiveFail }},
	{"  paused for a black hole", true, func(c kernel.Counters) uint64 { return c.Blackhole }},
}

// render draws the screen: at most height lines of at most width characters.
func (v *view) render(width, height int, p palette) []string {
	n, ok := v.now.find(v.chosen)
	rows := []row{{v.title(n, width), p.bold}}
	if ok {
		rows = append(rows, v.state(n, p), row{})
		rows = append(rows, v.overview(p)...)
		rows = append(rows, v.table(n, width, p)...)
		rows = append(rows, row{})
		rows = append(rows, listenerRows(n, p)...)
	}
	foot := row{"q quit", p.faint}
	if len(v.now.namespaces) > 1 {
		foot.text += "   up, down: another namespace"
	}
	if len(rows) > max(height-1, 0) {
		rows = rows[:max(height-1, 0)]
		foot.text += "   (the window is too small for all)"
	}
	if height > 0 {
		rows = append(rows, foot)
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		text := clip(r.text, width)
		if r.style != nil && text != "" {
			text = r.style(text)
		}
		lines[i] = text
	}
	return lines
}

func (v *view) title(n namespaceSample, width int) string {
	left := "tfo watch  " + printable(n.name)
	right := fmt.Sprintf("every %v  %s", v.interval, v.now.at.Format(time.TimeOnly))
	gap := width - utf8.RuneCountInString(left) - utf8.RuneCountInString(right)
	return left + strings.Repeat(" ", max(gap, 2)) + right
}

func (v *view) state(n namespaceSample, p palette) row {
	switch {
	case n.bitsErr != nil:
		return row{"Whether Fast Open is on could not be told.", p.yellow}
	case n.bits.Client() && n.bits.Server():
		return row{"Fast Open is on for clients and for servers.", p.green}
	case n.bits.Client():
		return row{"Fast Open is on for clients, and off for servers.", p.yellow}
	case n.bits.Server():
		return row{"Fast Open is off for clients, and on for servers.", p.yellow}
	}
	return row{"Fast Open is off.", p.red}
}

// overview has a line for each namespace, if there are several: as many as
// there is room for, round the chosen one.
func (v *view) overview(p palette) []row {
	const most = 6
	list := v.now.namespaces
	if len(list) < 2 {
		return nil
	}
	rows := []row{{fmt.Sprintf("  %-30s %11s %9s %11s %9s", "connections a second", "in by TFO", "of all", "out by TFO", "of all"), p.faint}}
	i := slices.IndexFunc(list, func(n namespaceSample) bool { return n.id == v.chosen })
	from := min(max(i-most/2, 0), max(len(list)-most, 0))
	for _, n := range list[from:min(from+most, len(list))] {
		r := rateOf(v.now, n, v.before)
		mark, style := "  ", p.plain
		if n.id == v.chosen {
			mark, style = "> ", p.bold
		}
		rows = append(rows, row{fmt.Sprintf("%s%-30s %11s %9s %11s %9s", mark, clip(printable(n.name), 30),
			short(r.perSecond(r.since.Passive)), short(r.perSecond(r.since.PassiveOpens)),
			short(r.perSecond(r.since.Active)), short(r.perSecond(r.since.ActiveOpens))), style})
	}
	if len(list) > most {
		rows = append(rows, row{fmt.Sprintf("  %d of %d namespaces", most, len(list)), p.faint})
	}
	return append(rows, row{})
}

// tableWidth is what a line of the table takes up without its diagram.
const tableWidth = 30 + 1 + 10 + 1 + 11 + 2

func (v *view) table(n namespaceSample, width int, p palette) []row {
	r := rateOf(v.now, n, v.before)
	diagram := min(max(width-tableWidth, 0), remembered)
	over := time.Duration(min(diagram, remembered)) * v.interval
	head := fmt.Sprintf("%-30s %10s %11s", "", "a second", "total")
	if diagram >= 8 {
		head += "  last " + span(over)
	}
	rows := []row{{head, p.faint}}
	for _, g := range gauges {
		second := "-"
		if r.over > 0 {
			second = short(r.perSecond(g.value(r.since)))
		}
		text := fmt.Sprintf("%-30s %10s %11d", g.label, second, g.value(n.counters))
		if diagram >= 8 {
			var values []float64
			for _, h := range v.history[n.id] {
				values = append(values, h.perSecond(g.value(h.since)))
			}
			text = strings.TrimRight(text+"  "+sparkline(values, diagram, v.unicode), " ")
		}
		style := p.plain
		switch {
		case g.trouble && g.value(r.since) > 0:
			style = p.yellow
		case g.value(n.counters) == 0:
			style = p.faint
		}
		rows = append(rows, row{text, style})
	}
	return rows
}

// span is a time for the head of a column.
func span(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.Round(time.Second / 10).String()
}

// sparkline draws the newest of values, at most width, the newest one last.
// The highest of them fills the line.
func sparkline(values []float64, width int, unicode bool) string {
	steps := []rune("▁▂▃▄▅▆▇█")
	zero := '·'
	if !unicode {
		steps, zero = []rune(".:-=+*%#"), ' '
	}
	values = values[max(len(values)-width, 0):]
	top := 0.0
	for _, x := range values {
		top = max(top, x)
	}
	if top == 0 {
		return ""
	}
	line := make([]rune, len(values))
	for i, x := range values {
		line[i] = zero
		if x > 0 {
			line[i] = steps[min(int(x/top*float64(len(steps))), len(steps)-1)]
		}
	}
	return string(line)
}

// listenerRows have those with Fast Open first, and those where more wait.
func listenerRows(n namespaceSample, p palette) []row {
	if n.listenersErr != nil {
		return []row{{"Who listens could not be told: " + printable(strings.TrimPrefix(n.listenersErr.Error(), "kernel: ")), p.yellow}}
	}
	if len(n.listeners) == 0 {
		return []row{{"No program listens here.", p.faint}}
	}
	list := n.joints()
	slices.SortStableFunc(list, func(a, b joint) int {
		return cmp.Or(cmp.Compare(btoi(b.queue > 0), btoi(a.queue > 0)), cmp.Compare(b.pending, a.pending), cmp.Compare(b.waiting, a.waiting))
	})
	width := len("listener")
	for _, l := range list {
		width = max(width, min(len(l.address), 46))
	}
	rows := []row{{fmt.Sprintf("%-*s %12s %12s  %s", width, "listener", "TFO queue", "accept queue", "process"), p.faint}}
	for _, l := range list {
		queue, style := fmt.Sprintf("%d/%d", l.pending, l.queue), p.plain
		switch {
		case l.queue == 0:
			queue, style = "off", p.faint
		case n.pending == nil:
			queue = strconv.Itoa(l.queue)
		case l.pending >= l.queue:
			style = p.red
		}
		if l.waiting > l.backlog {
			style = p.red
		}
		text := fmt.Sprintf("%-*s %12s %12s  %s", width, l.address, queue, fmt.Sprintf("%d/%d", l.waiting, l.backlog), printable(l.who()))
		rows = append(rows, row{strings.TrimRight(text, " "), style})
	}
	return rows
}

// who names who has the sockets.
func (j joint) who() string {
	if len(j.owners) == 0 {
		return ""
	}
	s := j.owners[0].String()
	if more := len(j.owners) - 1; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	if j.sockets > 1 {
		s += fmt.Sprintf(", %d sockets", j.sockets)
	}
	return s
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// summary says what was counted while one watched, for after the screen is
// gone.
func (v *view) summary() string {
	over := v.now.at.Sub(v.first.at).Round(time.Second / 10)
	if over <= 0 {
		return ""
	}
	var b strings.Builder
	for _, n := range v.now.namespaces {
		earlier, ok := v.first.find(n.id)
		if !ok {
			continue
		}
		in := ""
		if len(v.now.namespaces) > 1 {
			in = printable(n.name) + ": "
		}
		for _, r := range n.counters.Sub(earlier.counters).Remarks() {
			fmt.Fprintf(&b, "  %s%s\n", in, r.Text)
		}
	}
	if b.Len() == 0 {
		return fmt.Sprintf("In %v Fast Open was not used.\n", over)
	}
	return fmt.Sprintf("In %v:\n%s", over, b.String())
}
