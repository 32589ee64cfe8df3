package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/fastopen-go/fastopen/kernel"
)

// lineColumns are what a line shows, in this order.
var lineColumns = []struct {
	head  string
	width int
	value func(kernel.Counters) uint64
}{
	{"asked", 8, func(c kernel.Counters) uint64 { return c.CookieReqd }},
	{"fast", 8, func(c kernel.Counters) uint64 { return c.Passive }},
	{"of all", 8, func(c kernel.Counters) uint64 { return c.PassiveOpens }},
	{"bad", 5, func(c kernel.Counters) uint64 { return c.PassiveFail }},
	{"full", 5, func(c kernel.Counters) uint64 { return c.QueueOverflow }},
	{"fast", 8, func(c kernel.Counters) uint64 { return c.Active }},
	{"of all", 8, func(c kernel.Counters) uint64 { return c.ActiveOpens }},
	{"failed", 6, func(c kernel.Counters) uint64 { return c.ActiveFail }},
}

const plainHelp = `Connections a second. In: asked for a cookie, opened fast by Fast Open, of all
that were accepted; bad cookies; SYNs that found the Fast Open queue full. Out:
opened fast, of all that were opened; Fast Open failed. The first line has
the totals so far.
`

// headEvery is after how many lines the heads of the columns come again.
const headEvery = 20

// plainLines prints a line for each namespace and interval.
type plainLines struct {
	out   io.Writer
	p     palette
	lines int
}

func newPlainLines(out io.Writer) *plainLines { return &plainLines{out: out, p: paint(out)} }

func (l *plainLines) print(now sample, before *sample) error {
	var b strings.Builder
	for _, n := range now.namespaces {
		if l.lines == 0 {
			b.WriteString(l.p.faint(plainHelp))
		}
		if l.lines%headEvery == 0 {
			b.WriteString(heads(l.p))
		}
		l.lines++
		b.WriteString(line(now, n, before) + "\n")
	}
	_, err := io.WriteString(l.out, b.String())
	return err
}

func heads(p palette) string {
	in, out := fmt.Sprintf("%-8s %-38s", "", "     -- in "), "  -- out"
	s := fmt.Sprintf("%-8s", "time")
	for _, c := range lineColumns {
		s += fmt.Sprintf(" %*s", c.width, c.head)
	}
	return p.bold(strings.TrimRight(in+out, " ")) + "\n" + p.bold(s+"  namespace") + "\n"
}

func line(now sample, n namespaceSample, before *sample) string {
	r := rateOf(now, n, before)
	s := now.at.Format(time.TimeOnly)
	if r.over == 0 {
		s = fmt.Sprintf("%-8s", "total")
	}
	for _, c := range lineColumns {
		text := strconv.FormatUint(c.value(n.counters), 10)
		if r.over > 0 {
			text = short(r.perSecond(c.value(r.since)))
		}
		s += fmt.Sprintf(" %*s", c.width, text)
	}
	return s + "  " + printable(n.name)
}

// short prints a number of things a second: whole ones where that says enough.
func short(n float64) string {
	switch {
	case n == 0:
		return "0"
	case n < 10:
		return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0")
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

// jsonLines prints a JSON object for each namespace and interval.
type jsonLines struct{ out io.Writer }

// A sampleRecord is such an object.
type sampleRecord struct {
	Event     string             `json:"event"` // "sample"
	Time      time.Time          `json:"time"`
	Namespace string             `json:"namespace"`
	Inode     uint64             `json:"inode"` // of the namespace, as lsns shows it
	FastOpen  *int32             `json:"tcp_fastopen,omitempty"`
	Seconds   float64            `json:"seconds,omitempty"`    // since the sample before; missing in the first one
	PerSecond map[string]float64 `json:"per_second,omitempty"` // what was counted since, by the kernel's names
	Total     map[string]uint64  `json:"total"`
	Listeners []listenerRecord   `json:"listeners,omitempty"` // missing if there is none, or they could not be told
}

// A listenerRecord is about one socket that listens.
type listenerRecord struct {
	Address   string   `json:"address"`
	Queue     int      `json:"queue"` // Fast Open connections that may be pending; 0: off
	Backlog   int      `json:"backlog"`
	Waiting   int      `json:"waiting"`
	Pending   *int     `json:"pending,omitempty"` // Fast Open connections whose handshake is not done; missing if it could not be told
	Processes []string `json:"processes"`
}

func (l *jsonLines) print(now sample, before *sample) error {
	for _, n := range now.namespaces {
		r := sampleRecord{Event: "sample", Time: now.at, Namespace: n.name, Inode: n.id.Inode,
			Total: map[string]uint64{}}
		for _, c := range n.counters.All() {
			r.Total[c.Name] = c.Value
		}
		if rate := rateOf(now, n, before); rate.over > 0 {
			r.Seconds, r.PerSecond = rate.over.Seconds(), map[string]float64{}
			for _, c := range rate.since.All() {
				r.PerSecond[c.Name] = rate.perSecond(c.Value)
			}
		}
		if n.bitsErr == nil {
			value := int32(n.bits)
			r.FastOpen = &value
		}
		for i, x := range n.listeners {
			o := listenerRecord{Address: x.String(), Queue: x.Queue, Backlog: x.Backlog, Waiting: x.Waiting, Processes: []string{}}
			if n.pending != nil {
				o.Pending = &n.pending[i]
			}
			for _, p := range x.Owners {
				o.Processes = append(o.Processes, p.String())
			}
			r.Listeners = append(r.Listeners, o)
		}
		e := json.NewEncoder(l.out)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}
