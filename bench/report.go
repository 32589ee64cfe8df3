package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A report is everything that was measured.
type report struct {
	Machine string
	Note    string `json:",omitempty"`
	Began   time.Time
	Took    string
	Load    string // of the machine, before and after
	Rounds  int
	Results []result
}

// A result is a workload on some number of cores.
type result struct {
	Name, Title string
	Cores       int
	Stacks      []string
	Runs        map[string][]figures // by stack, in the order of the rounds
	Errors      map[string]string    `json:",omitempty"`
	Metrics     []metric             `json:"-"`
}

// measureAll makes every measurement so many times; the stacks take turns.
func measureAll(ctx context.Context, r *report, all []workload, cores int, profile string) error {
	r.Began = time.Now().UTC().Truncate(time.Second)
	before := loadAverage()
	show := term.IsTerminal(int(os.Stderr.Fd()))
	for i, w := range all {
		for _, n := range w.Cores {
			if cores != 0 && n != cores {
				continue
			}
			rounds := r.Rounds
			if w.Once {
				rounds = min(rounds, 3)
			}
			res := result{Name: w.Name, Title: w.Title, Cores: n, Stacks: w.Stacks, Metrics: w.Metrics,
				Runs: make(map[string][]figures), Errors: make(map[string]string)}
			for round := range rounds {
				for k := range w.Stacks {
					stack := w.Stacks[(k+round)%len(w.Stacks)] // nobody is always the first
					if show {
						fmt.Fprintf(os.Stderr, "\r\x1b[K%d of %d: %s, %d cores, round %d of %d, %s", i+1, len(all), w.Name, n, round+1, rounds, stack)
					}
					f, err := one(ctx, w, stack, n, profile)
					if ctx.Err() != nil {
						return fmt.Errorf("interrupted after %v", time.Since(r.Began).Round(time.Second))
					}
					if err != nil {
						res.Errors[stack] = err.Error()
						continue
					}
					res.Runs[stack] = append(res.Runs[stack], f)
				}
			}
			r.Results = append(r.Results, res)
		}
	}
	if show {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	r.Took = time.Since(r.Began).Round(time.Second).String()
	r.Load = fmt.Sprintf("load average %s before, %s after", before, loadAverage())
	return nil
}

// A spread is the median of some runs with the least and the most.
type spread struct{ median, least, most float64 }

// spread of a figure over the rounds; false if a stack does not have it.
func (r *result) spread(stack, key string) (s spread, ok bool) {
	var all []float64
	for _, f := range r.Runs[stack] {
		if v, ok := f[key]; ok {
			all = append(all, v)
		}
	}
	if len(all) == 0 {
		return s, false
	}
	slices.Sort(all)
	n := len(all)
	return spread{(all[(n-1)/2] + all[n/2]) / 2, all[0], all[n-1]}, true
}

// A verdict is whether a goal was reached.
type verdict struct {
	goal
	text string
	ok   bool
}

// judge holds a result against a goal; false if there is nothing to compare.
func (r *result) judge(m metric, g goal) (v verdict, ok bool) {
	if g.Core != 0 && g.Core != r.Cores {
		return v, false
	}
	mine, ok := r.spread(g.Stack, m.Key)
	if !ok {
		return v, false
	}
	sign, value, unit := "≤", mine.median, ""
	if m.Higher {
		sign = "≥"
	}
	if g.Of != "" {
		theirs, ok := r.spread(g.Of, m.Key)
		if !ok || theirs.median == 0 {
			return v, false
		}
		value, unit = mine.median/theirs.median, " × "+g.Of
	}
	v = verdict{goal: g, ok: m.Higher && value >= g.Times || !m.Higher && value <= g.Times}
	word := "MISSED"
	if v.ok {
		word = "ok"
	}
	v.text = fmt.Sprintf("%s %.3g%s, to be %s %.3g: %s", g.Stack, value, unit, sign, g.Times, word)
	return v, true
}

// text is the report for people.
func (r *report) text() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n%s, %d rounds, took %s; %s\n", r.Machine, r.Began.Format("2006-01-02 15:04 UTC"), r.Rounds, r.Took, r.Load)
	if r.Note != "" {
		fmt.Fprintln(&b, r.Note)
	}
	fmt.Fprintln(&b, "Each figure: median [least–most] of the rounds.")
	reached, missed := 0, 0
	for i := range r.Results {
		res := &r.Results[i]
		fmt.Fprintf(&b, "\n%s (%s, %d core(s))\n", res.Title, res.Name, res.Cores)
		fmt.Fprintf(&b, "  %-14s", "")
		for _, s := range res.Stacks {
			fmt.Fprintf(&b, " %-27s", s)
		}
		fmt.Fprintln(&b)
		for _, m := range res.Metrics {
			var cells, verdicts []string
			any := false
			for _, s := range res.Stacks {
				cell := "–"
				if v, ok := res.spread(s, m.Key); ok {
					cell, any = fmt.Sprintf("%.*f [%.*f–%.*f]", m.Digits, v.median, m.Digits, v.least, m.Digits, v.most), true
				}
				cells = append(cells, pad(cell, 27))
			}
			for _, g := range m.Goals {
				if v, ok := res.judge(m, g); ok {
					verdicts = append(verdicts, v.text)
					if v.ok {
						reached++
					} else {
						missed++
					}
				}
			}
			if any {
				fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("  %s %s %s", pad(m.Key, 14), strings.Join(cells, " "), strings.Join(verdicts, "; ")), " "))
			}
		}
		for _, s := range res.Stacks {
			if e := res.Errors[s]; e != "" {
				fmt.Fprintf(&b, "  %s failed: %s\n", s, strings.ReplaceAll(e, "\n", " "))
			}
		}
	}
	fmt.Fprintf(&b, "\n%d goals reached, %d missed.\n", reached, missed)
	return b.String()
}

// pad is s with blanks up to n characters.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-len([]rune(s))))
}

// describeMachine says what the figures are of.
func describeMachine() string {
	model := "processor unknown"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	var u unix.Utsname
	_ = unix.Uname(&u)
	return fmt.Sprintf("%d × %s, Linux %s, %s, gVisor %s", runtime.NumCPU(), model, unix.ByteSliceToString(u.Release[:]), runtime.Version(), gvisorVersion())
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:1], " ")
}

// moduleFolder is where go.mod of the benchmark is.
func moduleFolder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}
