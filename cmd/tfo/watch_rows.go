package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fastopen-go/fastopen/kernel"
)

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
