package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fastopen-go/fastopen/tfo"
)

// A ladder draws exchanges for a terminal, 80 columns wide.
type ladder struct {
	palette
	pen
}

// A pen is the characters to draw with.
type pen struct{ line, right, left, post, cross, mark, dots string }

var (
	fine   = pen{line: "─", right: "▶", left: "◀", post: "│", cross: "╳", mark: "◆", dots: "⋮"}
	coarse = pen{line: "-", right: ">", left: "<", post: "|", cross: "x", mark: "#", dots: ":"}
)

const (
	ladderTime  = 8  // columns of a time
	ladderArrow = 58 // columns between the posts
	ladderWidth = ladderTime + 2 + ladderArrow + 2 + ladderTime
	ladderSteps = 24 // at most
)

// draw returns the whole demonstration.
func (l ladder) draw(d *demo) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", l.bold("A client asks a server "+shortMillis(d.rtt)+" away, there and back, for a page"))
	if d.loss > 0 {
		fmt.Fprintf(&b, "%s of the packets get lost, chosen by the seed %d\n", percent(d.loss), d.seed)
	}
	for i, x := range d.exchanges[:3] {
		fmt.Fprintf(&b, "\n%s\n", l.bold(fmt.Sprintf("%d  %s", i+1, x.title)))
		if i == 2 && x.box.name != "none" {
			fmt.Fprintf(&b, "   %s: %s\n", x.box.name, x.box.what)
		}
		l.rungs(&b, x)
		l.verdict(&b, x)
	}
	if next := d.exchanges[3]; d.box.name != "none" {
		fmt.Fprintf(&b, "\n   %s\n", l.bold(next.title))
		l.verdict(&b, next)
	}
	fmt.Fprintf(&b, "\n%s\n", l.faint("Try --rtt 250ms, --loss 5 or --middlebox strip-both; tfo demo --help lists more."))
	return b.String()
}

// rungs draws the packets of an exchange.
func (l ladder) rungs(b *strings.Builder, x *shown) {
	pad := strings.Repeat(" ", ladderArrow-len("client")-len("server"))
	fmt.Fprintf(b, "%s  %s\n", l.faint(strings.Repeat(" ", ladderTime-2)+"ms"), l.faint("client"+pad+"server  ms"))
	steps := x.visible()
	skip := len(steps) - ladderSteps
	last := time.Duration(0)
	for i, st := range steps {
		if skip > 0 && i >= ladderSteps-4 && i < ladderSteps-4+skip {
			if i == ladderSteps-4 {
				l.between(b, "and "+plural(skip, "packet")+" more")
			}
			last = st.sent
			continue
		}
		if st.sent-last > x.rtt*6/5 {
			l.between(b, shortMillis(st.sent-last)+" of silence")
		}
		last = st.sent
		l.rung(b, st)
	}
}

// between says what happens while nothing does.
func (l ladder) between(b *strings.Builder, what string) {
	left := (ladderArrow - len(what)) / 2
	fmt.Fprintf(b, "%*s %s%s%s%s%s\n", ladderTime, "", l.faint(l.dots), strings.Repeat(" ", left), l.faint(what), strings.Repeat(" ", ladderArrow-left-len(what)), l.faint(l.dots))
}

// rung draws a packet.
func (l ladder) rung(b *strings.Builder, st step) {
	sent, arrived := fixedMillis(st.sent), ""
	if st.fromBox {
		sent = ""
	}
	if st.arrived >= 0 {
		arrived = fixedMillis(st.arrived)
	}
	left, right := sent, arrived
	if !st.toServer {
		left, right = arrived, sent
	}
	if right != "" {
		right = " " + right
	}
	fmt.Fprintf(b, "%*s %s %s %s%s\n", ladderTime, left, l.faint(l.post), l.arrow(st), l.faint(l.post), right)
}

// arrow draws what is between the posts, ladderArrow-2 columns wide: parts in
// the order in which the packet meets them, and so the other way round for one
// that goes to the left.
func (l ladder) arrow(st step) string {
	const width = ladderArrow - 2
	type part struct {
		text  string
		paint func(string) string
	}
	size := utf8.RuneCountInString
	label := " " + st.label + " "
	head, dim := l.right, l.faint
	if !st.toServer {
		head = l.left
	}
	line := func(n int) part { return part{strings.Repeat(l.line, max(n, 1)), dim} }
	space := func(n int) part { return part{strings.Repeat(" ", max(n, 0)), dim} }
	word := func(s string) part { return part{s, dim} }
	name := part{label, l.colour(st)}
	free := width - 2 - size(label) // behind the label
	var parts []part
	switch {
	case st.fromBox:
		dim = l.yellow
		half := width / 2
		parts = []part{space(half - 2), word(l.mark), line(1), name, line(width - half - 1 - size(label)), word(head)}
	case st.arrived < 0:
		// It gets half way, unless its name is longer than that.
		dim = l.red
		fate := "lost"
		if st.eaten {
			fate = "dropped"
		}
		n := max(width/2-2-size(label), 1)
		parts = []part{line(2), name, line(n), word(l.cross), word(" "), word(fate), space(free - n - 2 - size(fate))}
	case st.changed != "":
		dim = l.yellow
		n := free - size(st.changed) - 6
		parts = []part{line(2), name, line(n), word(l.mark), word(" "), word(st.changed), word(" "), line(2), word(head)}
	default:
		parts = []part{line(2), name, line(free - 1), word(head)}
	}
	if !st.toServer {
		slices.Reverse(parts)
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.paint(p.text))
	}
	return b.String()
}

func (l ladder) colour(st step) func(string) string {
	switch {
	case st.bare:
		return l.faint
	case st.bytes > 0:
		return l.green
	}
	return func(s string) string { return s }
}

// verdict says what an exchange has come to.
func (l ladder) verdict(b *strings.Builder, x *shown) {
	saved, known := x.saved()
	var s string
	colour := func(s string) string { return s }
	switch {
	case !known && x.answer >= 0:
		s = fmt.Sprintf("The answer is there after %s; over plain TCP it did not come at all.", shortMillis(x.answer))
	case !known:
		s, colour = fmt.Sprintf("No answer came in %v.", demoPatience), l.red
		if x.failure != nil {
			s = fmt.Sprintf("The connection failed after %s, with no answer.", shortMillis(x.lasted))
		}
		if x.plain >= 0 {
			s += fmt.Sprintf(" Over plain TCP it came after %s.", shortMillis(x.plain))
		}
	case saved > 0:
		s, colour = fmt.Sprintf("The answer is there after %s instead of %s: %s saved.", shortMillis(x.answer), shortMillis(x.plain), shortMillis(saved)), l.green
	case saved < 0:
		s, colour = fmt.Sprintf("The answer is there after %s instead of %s: %s lost.", shortMillis(x.answer), shortMillis(x.plain), shortMillis(-saved)), l.yellow
	default:
		s = fmt.Sprintf("The answer is there after %s, as over plain TCP.", shortMillis(x.answer))
	}
	for _, line := range wrap(s, ladderWidth-4) {
		fmt.Fprintf(b, "   %s\n", colour(line))
	}
	for _, line := range wrap(x.sentence(), ladderWidth-4) {
		fmt.Fprintf(b, "   %s\n", line)
	}
}

// sentence says what Fast Open did.
func (x *shown) sentence() string {
	o := x.outcome
	if o.Cause == tfo.Avoided {
		return fmt.Sprintf("Fast Open was not tried: it has failed on this path (%v), which is remembered for %.0f minutes.",
			o.Avoid.Cause, o.Avoid.Until.Sub(o.Avoid.Since).Minutes())
	}
	if x.answer < 0 && o.Status == tfo.DataAccepted {
		return "The server accepted the request in the SYN, and after that nothing came through. A client that only waits cannot tell this from a server that is slow."
	}
	o.RTT = 0
	return o.String()
}

// visible are the steps up to the answer.
func (x *shown) visible() []step {
	return slices.DeleteFunc(slices.Clone(x.steps), func(s step) bool { return x.answer >= 0 && s.sent >= x.answer })
}

// wrap breaks text into lines of at most width columns.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// fixedMillis prints a time with one digit behind the point.
func fixedMillis(d time.Duration) string { return strconv.FormatFloat(inMillis(d), 'f', 1, 64) }

// shortMillis prints a time with its unit, and no digit that is a zero.
func shortMillis(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Round(100*time.Microsecond))/1e6, 'f', -1, 64) + " ms"
}

func percent(p float64) string { return strconv.FormatFloat(100*p, 'f', -1, 64) + " %" }
