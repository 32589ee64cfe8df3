package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/probe"
)

// A probeOutput shows findings: as rows of a table, one by one at length, or
// as JSON.
type probeOutput struct {
	out, errs io.Writer
	who       string
	json      bool
	explain   bool
	bar       bool // on a terminal
	hosts     int
	done      int
	rows      int
	verdicts  map[probe.Verdict]int
	failed    int // hosts that were not probed at all
}

func newProbeOutput(cmd *cobra.Command, json, explain bool, hosts int) *probeOutput {
	return &probeOutput{
		out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr(), who: cmd.CommandPath(), json: json, explain: explain, hosts: hosts,
		bar:      hosts > 1 && isTerminal(cmd.ErrOrStderr()) && os.Getenv("TERM") != "dumb",
		verdicts: map[probe.Verdict]int{},
	}
}

// one shows what came of one address.
func (o *probeOutput) one(f probed) {
	o.clear()
	switch {
	case f.err != nil:
		o.failed++
		if o.json {
			o.line(f.host, struct {
				Error string `json:"error"`
			}{f.err.Error()})
			return
		}
		complain(o.errs, o.who, f.err)
		return
	case o.json:
		o.line(f.host, f.report)
	case o.explain:
		o.atLength(f)
	default:
		o.row(f)
	}
	o.verdicts[f.report.Verdict]++
}

// line prints an object with the host first.
func (o *probeOutput) line(h host, rest any) {
	b, err := json.Marshal(rest)
	if err == nil {
		var first []byte
		if first, err = json.Marshal(h.text); err == nil {
			fmt.Fprintf(o.out, "{\"host\":%s,%s\n", first, b[1:])
		}
	}
	if err != nil { // nothing in a report can do that
		complain(o.errs, o.who, err)
	}
}

// row prints a row of the table. What can be long stands last.
func (o *probeOutput) row(f probed) {
	const format = "%-16s %8s %6s %5s %6s  %-22s %s\n"
	if o.rows == 0 {
		fmt.Fprint(o.out, paint(o.out).faint(fmt.Sprintf(format, "VERDICT", "RTT ms", "DATA", "KEYS", "SAVED", "ADDRESS", "HOST")))
	}
	o.rows++
	r := f.report
	rtt, data, keys, saved := "-", "-", "-", "-"
	if r.RTT > 0 {
		rtt = millis(r.RTT)
	}
	if r.Sent > 0 {
		data = fmt.Sprintf("%d/%d", r.Accepted, r.Sent)
	}
	if r.Cookies > 0 {
		keys = fmt.Sprint(r.Cookies)
	}
	if r.Saved > 0 {
		saved = "1"
		if r.Measured {
			saved = fmt.Sprintf("%.2f", r.Saved)
		}
	}
	text := fmt.Sprintf(format, r.Verdict, rtt, data, keys, saved, r.Target, printable(f.host.text))
	name := r.Verdict.String()
	fmt.Fprint(o.out, o.colour(r.Verdict, name)+text[len(name):])
}

// atLength tells all that is known of an address.
func (o *probeOutput) atLength(f probed) {
	if o.rows > 0 {
		fmt.Fprintln(o.out)
	}
	o.rows++
	r, p := f.report, paint(o.out)
	title := r.Target.String()
	if f.host.serverName() != "" {
		title = f.host.name + "  " + title
	}
	fmt.Fprintf(o.out, "%s  %s\n", p.bold(printable(title)), o.colour(r.Verdict, r.Verdict.String()))
	for _, text := range []string{r.Summary(), r.Advice()} {
		if text == "" {
			continue
		}
		for _, line := range fold(sentenceCase(text), 78) {
			fmt.Fprintln(o.out, "  "+line)
		}
	}
	by := "raw packets"
	if r.Mode == probe.Kernel {
		by = "this host's own Fast Open"
	}
	fmt.Fprintln(o.out, p.faint(fmt.Sprintf("  %s by %s; ms since the start:", plural(len(r.Events), "SYN"), by)))
	for _, e := range r.Events {
		fmt.Fprintf(o.out, "  %9s  %s\n", millis(e.At), printable(e.String()))
	}
}

func (o *probeOutput) colour(v probe.Verdict, text string) string {
	p := paint(o.out)
	switch {
	case v.Good():
		return p.green(text)
	case v.Harmful():
		return p.red(text)
	case v.Known():
		return p.yellow(text)
	}
	return p.faint(text)
}

// progress says that n more hosts are done.
func (o *probeOutput) progress(n int) {
	o.done += n
	if !o.bar || o.done == o.hosts {
		o.clear()
		return
	}
	const width = 40
	full := width * o.done / o.hosts
	fmt.Fprintf(o.errs, "\r[%s%s] %d of %d hosts", strings.Repeat("#", full), strings.Repeat(".", width-full), o.done, o.hosts)
}

// clear takes the bar away.
func (o *probeOutput) clear() {
	if o.bar {
		fmt.Fprint(o.errs, "\r\x1b[K")
	}
}

// end sums up, and returns the exit code.
func (o *probeOutput) end() int {
	total, good, bad := 0, 0, 0
	var parts []string
	for _, v := range probe.Verdicts() {
		n := o.verdicts[v]
		total += n
		if n == 0 {
			continue
		}
		parts = append(parts, fmt.Sprintf("%d %v", n, v))
		switch {
		case v.Good():
			good += n
		case v.Known():
			bad += n
		}
	}
	if o.rows > 1 && !o.explain && !o.json {
		fmt.Fprintf(o.errs, "%s: %s; --explain says more\n", addressCount(total), strings.Join(parts, ", "))
	}
	switch {
	case bad > 0:
		return exitFailed
	case good < total || o.failed > 0:
		return exitUnsure
	}
	return exitOK
}

func addressCount(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}
