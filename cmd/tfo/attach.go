package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

const attachLong = `attach turns TCP Fast Open on in servers that run already, whatever program
they are: at once, with no restart, no rebuild and no change of their settings.
It borrows each listening socket from its server (pidfd_getfd) and sets the
socket's option TCP_FASTOPEN, as the server could have done itself. Clients see
no difference until they ask for Fast Open. tfo detach takes it back.

The table shows each socket: its backlog, which is how many connections may wait
for the server to take them, and Fast Open's queue, which is how many of those
may have sent data without having finished their handshake.

The kernel must have Fast Open on for servers, too (net.ipv4.tcp_fastopen);
attach says so if it has not. A restarted server opens new sockets, in which it
is off again: with --watch, attach stays and turns it on in those as well. It
leaves alone what somebody turns off meanwhile. For systemd:

  tfo attach --print-unit | sudo tee /etc/systemd/system/tfo-attach@.service
  sudo systemctl enable --now tfo-attach@443

keeps it on at port 443, and stopping the unit takes it back.

A request that comes with the SYN can, in rare cases, reach the server twice. So
choose servers that bear it: any that speak TLS first, DNS, or web servers whose
GETs change nothing. Linux 5.6 and the right to trace the server are needed: root.

Exit codes: 0 Fast Open is on in every listener chosen, 1 it is not, 2 the
command line is wrong.`

const attachExample = `  sudo tfo attach --port 443                   whoever listens there
  sudo tfo attach --process nginx --dry-run    show what would be done
  sudo tfo attach --process nginx --queue 1024
  sudo tfo attach --port 80,443 --watch        stay, for restarts
  sudo tfo attach --port 443 --netns web       in the namespace that ip netns calls web
  sudo tfo detach --port 443                   take it back`

// attachUnit runs attach --watch under systemd.
//
//go:embed tfo-attach@.service
var attachUnit string

// attachFlags are the flags of tfo attach.
type attachFlags struct {
	chosen    listenerFlags
	queue     int
	watch     bool
	interval  seconds
	undo      bool
	dryRun    bool
	json      bool
	printUnit bool
}

func newAttach() *cobra.Command {
	f := &attachFlags{interval: seconds(time.Second)}
	cmd := &cobra.Command{
		Use:     "attach {--port N | --pid P | --process NAME | --all}",
		Short:   "Turn Fast Open on in a server that runs already",
		Long:    attachLong,
		Example: attachExample,
		Args:    flagsOnly,
	}
	cmd.RunE = verb(func(cmd *cobra.Command, _ []string) error { return f.run(cmd) })
	flags := cmd.Flags()
	flags.SortFlags = false
	f.chosen.add(cmd)
	flags.IntVar(&f.queue, "queue", 0, "at most `N` connections may have sent data and not finished their handshake; by default as many as may wait in the server's backlog")
	flags.BoolVar(&f.watch, "watch", false, "stay, and turn it on again when the server restarts, until SIGTERM or Ctrl-C")
	flags.Var(&f.interval, "interval", "with --watch, how often to look for new sockets")
	flags.BoolVar(&f.undo, "detach-on-exit", false, "with --watch, take it back at the end")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be done, and whether it may be done")
	flags.BoolVar(&f.json, "json", false, "print a JSON object for each listener on a line of stdout")
	flags.BoolVar(&f.printUnit, "print-unit", false, "print a unit file for systemd that keeps it on at a port, with --queue and --interval as given, and end")
	return cmd
}

func (f *attachFlags) run(cmd *cobra.Command) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	if f.printUnit {
		return f.unit(cmd)
	}
	if f.watch {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return f.stay(ctx, cmd)
	}
	return f.chosen.each(cmd, alteration{
		verb: "attach", dryRun: f.dryRun, json: f.json,
		plan: func(l kernel.Listener) int {
			switch {
			case f.queue > 0:
				return f.queue
			case l.Queue > 0: // whoever turned it on knew why
				return l.Queue
			}
			return max(l.Backlog, 1)
		},
	})
}

// check finds flags that contradict each other.
func (f *attachFlags) check(cmd *cobra.Command) error {
	flags := cmd.Flags()
	if f.printUnit {
		for _, name := range []string{"process", "pid", "all", "netns", "dry-run", "json"} {
			if flags.Changed(name) {
				return usagef("--print-unit prints a unit for any port, which is named when it is started, as in tfo-attach@443: leave --%s out", name)
			}
		}
	} else if err := f.chosen.check(cmd); err != nil {
		return err
	}
	switch {
	case flags.Changed("queue") && f.queue <= 0:
		return usagef("--queue %d lets nothing in: use 1 or more, or tfo detach to turn Fast Open off", f.queue)
	case f.queue > 1<<31-1:
		return usagef("--queue %d is too large: use 4096, which is as much as most kernels allow (net.core.somaxconn)", f.queue)
	case f.watch && f.dryRun:
		return usagef("--dry-run ends at once and --watch stays: use one of them")
	case f.watch && flags.Changed("pid"):
		return usagef("--watch outlives a process, so --pid does not go with it: choose by --port or --process")
	case !f.watch && !f.printUnit && flags.Changed("interval"):
		return usagef("--interval is for --watch")
	case !f.watch && !f.printUnit && f.undo:
		return usagef("--detach-on-exit is for --watch: without it, use tfo detach")
	case time.Duration(f.interval) < 10*time.Millisecond || time.Duration(f.interval) > time.Hour:
		return usagef("--interval %v is out of range: use 10ms to 1h", time.Duration(f.interval))
	}
	return nil
}

// unit prints the unit file, with this program as it was called, and with what
// it was told of the queue and the interval.
func (f *attachFlags) unit(cmd *cobra.Command) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot tell where this program is: %w", err)
	}
	unit := strings.ReplaceAll(attachUnit, "/usr/local/bin/tfo", unitWord(program))
	for _, name := range []string{"queue", "interval"} {
		if flag := cmd.Flags().Lookup(name); flag.Changed {
			unit = strings.Replace(unit, " --watch", fmt.Sprintf(" --%s %s --watch", name, flag.Value), 1)
		}
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), unit)
	return err
}

// unitWord is a word as systemd reads it in a command line: systemd.service(5).
func unitWord(s string) string {
	s = strings.NewReplacer("%", "%%", "$", "$$").Replace(s)
	if strings.ContainsAny(s, " \t\"'\\;") {
		s = strconv.Quote(s)
	}
	return s
}

// flagsOnly lets nothing but flags follow a verb.
func flagsOnly(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%q is one word too many: %s takes flags only, such as --port 443", args[0], cmd.Name())
	}
	return nil
}
