package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const watchLong = `watch shows what TCP Fast Open does on this host, live: how many connections
come in and go out, how many of them were opened by their first packet, what was
refused, and how full the queues of those who listen are.

On a terminal it fills the screen: q quits, the arrow keys choose a namespace.
In a pipe, or with --plain, it prints a line for each interval, the first one
with the totals so far. --json prints the same as objects.

--prometheus ADDR prints nothing and offers the counters to a Prometheus server
at http://ADDR/metrics, read anew whenever that asks.

Containers have counters of their own: --netns and --pid watch those of one of
them, --all-netns those of all. Owners of other users' listeners are shown only
to root.

Exit codes: 0 stopped as asked, 1 it could not start or go on, 2 the command line
is wrong.`

const watchExample = `  tfo watch
  tfo watch --all-netns
  tfo watch --plain --interval 10 | tee fastopen.log
  tfo watch --count 1 --json | jq .total.TCPFastOpenPassive
  tfo watch --all-netns --prometheus localhost:9413`

// watchFlags are the flags of tfo watch.
type watchFlags struct {
	namespaceFlags
	interval   seconds
	count      int
	plain      bool
	json       bool
	prometheus string
}

func newWatch() *cobra.Command {
	f := &watchFlags{interval: seconds(time.Second)}
	cmd := &cobra.Command{
		Use:     "watch",
		Short:   "Show live what Fast Open does, or export it to Prometheus",
		Long:    watchLong,
		Example: watchExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("watch looks at this host and takes no arguments, and there is %q", args[0])
			}
			return nil
		},
	}
	cmd.RunE = verb(func(cmd *cobra.Command, _ []string) error {
		if err := f.checkFlags(cmd); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		return f.run(ctx, cmd)
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&f.interval, "interval", "how long to count before the next line or picture")
	flags.IntVar(&f.count, "count", 0, "stop after `N` lines; the first has the totals (default: go on until stopped)")
	flags.BoolVar(&f.plain, "plain", false, "print lines even on a terminal")
	flags.BoolVar(&f.json, "json", false, "print a JSON object a line for each namespace and interval")
	flags.StringVar(&f.prometheus, "prometheus", "", "offer the counters at http://`ADDR`/metrics instead of printing (HOST:PORT, or :PORT for every address)")
	f.addAll(cmd)
	return cmd
}

// shortest is how often counting still tells something.
const shortest = 50 * time.Millisecond

// checkFlags finds flags that do not go together.
func (f *watchFlags) checkFlags(cmd *cobra.Command) error {
	flags := cmd.Flags()
	if f.prometheus != "" {
		for _, name := range []string{"interval", "count", "plain", "json"} {
			if flags.Changed(name) {
				return usagef("--%s is about what is printed, and --prometheus prints nothing: leave one of them out", name)
			}
		}
		return checkAddress(f.prometheus)
	}
	switch {
	case flags.Changed("prometheus"):
		return usagef("--prometheus needs an address to listen on, such as localhost:9413")
	case f.json && f.plain:
		return usagef("--json and --plain are two ways to print: use one of them")
	case f.count < 0:
		return usagef("--count %d is negative: leave it out to go on until stopped", f.count)
	case time.Duration(f.interval) < shortest:
		return usagef("--interval %v is too short: take %v or more", &f.interval, shortest)
	}
	return nil
}

func (f *watchFlags) run(ctx context.Context, cmd *cobra.Command) error {
	if err := needsLinux(cmd); err != nil {
		return err
	}
	s, err := newSampler(&f.namespaceFlags, cmd)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	switch {
	case f.prometheus != "":
		return export(ctx, s, f.prometheus, cmd.ErrOrStderr())
	case f.json:
		return f.print(ctx, s, &jsonLines{out: out})
	case f.plain || f.count > 0 || !isTerminal(out) || os.Getenv("TERM") == "dumb":
		return f.print(ctx, s, newPlainLines(out))
	}
	return watchScreen(ctx, s, time.Duration(f.interval), cmd)
}

// A printer prints a sample and how it differs from the one before, which is
// nil for the first one.
type printer interface {
	print(now sample, before *sample) error
}

// print prints samples until it is told to stop.
func (f *watchFlags) print(ctx context.Context, s *sampler, p printer) error {
	var before *sample
	tick := time.NewTicker(time.Duration(f.interval))
	defer tick.Stop()
	for n := 1; ; n++ {
		now, err := s.take(time.Now())
		if err != nil {
			return err
		}
		if err := p.print(now, before); err != nil {
			return fmt.Errorf("cannot write what was counted: %w", reason(err))
		}
		before = &now
		if n == f.count {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
