package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "run-one" {
		runOne(os.Args[2:])
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "far-end" {
		farEnd(os.Args[2:])
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

// bench measures what the arguments ask for and reports it.
func bench(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "Bench measures fastopen's TCP stack beside gVisor's and the Linux kernel's.\n\nUsage: go run . [flags]\n\n")
		flags.PrintDefaults()
	}
	rounds := flags.Int("rounds", 7, "how often each measurement is made, the stacks taking turns")
	only := flags.String("only", "", "measure only cases whose `name` has this in it; several with commas between")
	cores := flags.Int("cores", 0, "measure only with so many `cores`, 1 or 2 (default both)")
	asJSON := flags.Bool("json", false, "print everything as JSON, each round included")
	html := flags.String("html", "", "write a report with plots to this `file`")
	note := flags.String("note", "", "a `sentence` about the circumstances, for the head of the results")
	list := flags.Bool("list", false, "list the cases and end")
	long := flags.Duration("span", span, "how long each measurement by time takes")
	from := flags.String("from", "", "measure nothing, and show the results that --json has written to this `file`")
	profile := flags.String("profile", "", "write CPU profiles of every measurement into this `folder`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not a flag: choose cases with --only", flags.Arg(0))
	}
	if *rounds < 1 {
		return fmt.Errorf("--rounds %d makes no measurement: say 1 or more", *rounds)
	}
	if *long <= 0 {
		return fmt.Errorf("--span %v is no time: say something like 1s", *long)
	}
	if err := os.Setenv(spanVariable, long.String()); err != nil {
		return err
	}
	if *from != "" {
		r, err := readReport(*from)
		if err != nil {
			return err
		}
		return show(r, *html, *asJSON)
	}
	chosen, err := choose(*only, *cores)
	if err != nil {
		return err
	}
	if *list {
		for _, c := range chosen {
			fmt.Printf("%-24s %s\n", c.Name, c.Title)
		}
		return nil
	}
	r := &report{Machine: describeMachine(), Rounds: *rounds, Note: *note}
	if *profile != "" {
		if err := os.MkdirAll(*profile, 0o755); err != nil {
			return err
		}
	}
	if err := measureAll(ctx, r, chosen, *cores, *profile); err != nil {
		return err
	}
	return show(r, *html, *asJSON)
}

// show writes the report in the ways that were asked for.
func show(r *report, html string, asJSON bool) error {
	if html != "" {
		if err := os.WriteFile(html, r.html(), 0o644); err != nil {
			return err
		}
	}
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", " ")
		return e.Encode(r)
	}
	_, err := fmt.Print(r.text())
	return err
}

// readReport reads what --json has written.
func readReport(file string) (*report, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s has no results of this benchmark in it: %w", file, err)
	}
	for i := range r.Results {
		for _, w := range workloads() {
			if w.Name == r.Results[i].Name {
				r.Results[i].Metrics = w.Metrics
			}
		}
	}
	return r, nil
}

// choose returns the cases that --only and --cores leave.
func choose(only string, cores int) ([]workload, error) {
	if cores < 0 || cores > 2 {
		return nil, fmt.Errorf("--cores %d: say 1 or 2", cores)
	}
	var chosen []workload
	for _, c := range workloads() {
		for part := range strings.SplitSeq(only, ",") {
			if strings.Contains(c.Name, part) {
				chosen = append(chosen, c)
				break
			}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no case has %q in its name: --list shows them", only)
	}
	return chosen, nil
}
