package main

import (
	"fmt"
	"strings"
)

// textWidth is what every terminal has.
const textWidth = 80

// text is the report for people: the verdict and what to do about it first,
// then everything else.
func (r *checkReport) text(p palette) string {
	t := &checkText{p: p}
	if len(r.Namespaces) > 1 {
		t.overview(r.Namespaces)
	}
	for i := range r.Namespaces {
		if i > 0 {
			t.line("")
		}
		t.namespace(&r.Namespaces[i])
	}
	if r.Hidden > 0 {
		t.line("")
		t.wrap("", fmt.Sprintf("The namespaces of %d processes could not be looked at, so there may be more than these: run this as root, outside of containers.", r.Hidden))
	}
	return t.String()
}

// A checkText collects lines.
type checkText struct {
	strings.Builder
	p palette
}

func (t *checkText) namespace(n *namespaceReport) {
	head := n.Name
	if s := n.Settings; s != nil && s.Release != "" {
		head += ", Linux " + s.Release
	}
	t.line(t.p.bold(printable(head)))
	t.line(t.verdicts(n))
	t.line("")
	for _, side := range []*sideReport{n.Client, n.Server} {
		if side != nil {
			t.wrap("", side.Text)
		}
	}
	t.actions(n)
	t.unknown(n)
	t.settings(n)
	t.keys(n)
	t.boot(n)
	t.listeners(n)
	t.configs(n)
	t.counters(n)
}

// overview has a line for each namespace.
func (t *checkText) overview(list []namespaceReport) {
	t.line(t.p.bold(fmt.Sprintf("%d network namespaces", len(list))))
	for i := range list {
		n := &list[i]
		t.line(fmt.Sprintf("  %-24s  %s", clip(printable(n.Name), 24), t.verdicts(n)))
	}
	t.line("")
}

// verdicts are the answer in a few words.
func (t *checkText) verdicts(n *namespaceReport) string {
	var list []string
	for _, side := range []struct {
		who string
		*sideReport
	}{{"Clients", n.Client}, {"Servers", n.Server}} {
		if side.sideReport != nil {
			list = append(list, t.judge(side.Verdict, side.who+": "+side.Short+"."))
		}
	}
	return strings.Join(list, " ")
}

func (t *checkText) actions(n *namespaceReport) {
	if len(n.Actions) == 0 {
		return
	}
	t.head("What to do", "")
	for _, a := range n.Actions {
		t.wrap("  ", a.Text)
		t.line("    " + t.p.bold(printable(a.Command)))
	}
}

func (t *checkText) unknown(n *namespaceReport) {
	if len(n.Unknown) == 0 {
		return
	}
	t.head("Could not be told", "")
	for _, u := range n.Unknown {
		t.wrap("  ", sentenceCase(u))
	}
}

func (t *checkText) judge(v verdict, s string) string {
	switch v {
	case ready:
		return t.p.green(s)
	case notReady:
		return t.p.red(s)
	}
	return t.p.yellow(s)
}

// head begins a section.
func (t *checkText) head(name, rest string) {
	t.line("")
	s := t.p.bold(name)
	if rest != "" {
		s += "  " + printable(rest)
	}
	t.line(s)
}

func (t *checkText) line(s string) { t.WriteString(s + "\n") }

// wrap writes text in lines no longer than the width, each after indent.
func (t *checkText) wrap(indent, text string) { t.hang(indent, len(indent), text) }

// hang writes text in lines no longer than the width: the first one after
// lead, which takes up in columns, the others after as many spaces.
func (t *checkText) hang(lead string, in int, text string) {
	for i, line := range fold(printable(text), textWidth-in) {
		if i > 0 {
			lead = strings.Repeat(" ", in)
		}
		t.line(lead + line)
	}
}
