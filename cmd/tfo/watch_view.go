package main

import (
	"fmt"
	"slices"
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
