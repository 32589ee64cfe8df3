package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/probe"
)

const probeLong = `probe finds out what hosts, and the paths to them, do with TCP Fast Open, and
says how it knows. Every address of a name is probed, IPv4 and IPv6. Without
a port it is 443. With - as HOST, or with nothing and a pipe, the hosts are read
from stdin, one a line; what follows # is ignored.

A probe makes some ten short connections to an address, within a second or a few:
plain ones, ones that ask for a cookie, and ones with that cookie and data in
their SYN. It leaves none of them open. What gets no answer is tried again, next
to plain connections, so one lost packet is no verdict. Several connections
with one cookie tell whether all the servers behind the address have the same key.

The data is a message that does nothing: a TLS hello on port 443 (and 853, 8443),
HEAD / on port 80 (8000, 8080), a DNS query on port 53, an empty line on others.
--data-file takes another one, which the server may get any number of times.

With --mode raw, for which one has to be root, probe makes the packets itself and
sees exactly what comes back. With --mode kernel anybody can probe: this host's
own Fast Open opens the connections and tells what came of them, which is a
little less. The default, auto, is raw where that is permitted.

Verdicts:
  works             data in the SYN is accepted: a round trip is saved
  legacy-only       the same, but only with the option of before 2014
  cookieless        data is accepted without a cookie, and none are granted
  no-fast-open      the option is not answered
  option-stripped   … and there are traces of it having been taken out
  keys-differ       servers behind the address refuse each other's cookies
  cookie-refused    a cookie is granted, and then the data is refused
  varies            it works on some connections and not on others
  option-dropped    SYNs with the option disappear
  cookie-dropped    SYNs with a cookie disappear
  data-dropped      SYNs with data disappear
  blocked           after a SYN with data, everything disappears
  reset             SYNs with the option or with data are answered by a RST
  black-hole        data is accepted, and then the connection is dead
  refused, silent, unreachable, unclear
                    nothing is known of Fast Open there

With --json each address is an object on a line: host, address, verdict, summary,
advice, mode, rtt_ms, data (connections with data in the SYN: sent, accepted,
refused, reset, lost), cookies (different ones, one for each key),
saved_round_trips, events (SYN by SYN) and more. A host that cannot be probed
has host and error.

Exit codes: 0 it works at every address, 1 at some it does not, 2 at some it
could not be told (and none are known where it does not), or the command line
is wrong.`

const probeExample = `  tfo probe example.com
  tfo probe 192.0.2.1:80 [2001:db8::1]:443
  tfo probe --explain www.example.com mail.example.com:993
  tfo probe --json --rate 5 - < hosts.txt | jq -r '[.verdict, .address] | @tsv'`

// probeFlags are the flags of tfo probe.
type probeFlags struct {
	port     uint16
	ip4, ip6 bool
	mode     probe.Mode
	dataFile string
	repeat   int
	tries    int
	wait     seconds
	timeout  seconds
	jobs     int
	rate     float64
	explain  bool
	json     bool
}

func newProbe() *cobra.Command {
	f := &probeFlags{wait: seconds(time.Second), timeout: seconds(20 * time.Second)}
	cmd := &cobra.Command{
		Use:     "probe HOST[:PORT]...",
		Short:   "Find out what a host and the path to it do with Fast Open",
		Long:    probeLong,
		Example: probeExample,
	}
	cmd.RunE = verb(func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return f.run(ctx, cmd, args)
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Uint16VarP(&f.port, "port", "p", 443, "the `PORT` of hosts that are given without")
	flags.BoolVarP(&f.ip4, "ipv4", "4", false, "probe IPv4 addresses only")
	flags.BoolVarP(&f.ip6, "ipv6", "6", false, "probe IPv6 addresses only")
	flags.TextVar(&f.mode, "mode", probe.Auto, "`MODE` is raw, kernel or auto")
	flags.StringVar(&f.dataFile, "data-file", "", "put the contents of `FILE` into SYNs, - for stdin; what does not fit is left out")
	flags.IntVar(&f.repeat, "repeat", 6, "make `N` connections with a cookie and data")
	flags.IntVar(&f.tries, "tries", 3, "`N` SYNs in a row without answer, next to plain ones with, count as dropped")
	flags.Var(&f.wait, "wait", "how long to wait for an answer, as long as the round-trip time is not known")
	flags.Var(&f.timeout, "timeout", "how long an address may take")
	flags.IntVar(&f.jobs, "jobs", 8, "probe at most `N` addresses at the same time")
	flags.Float64Var(&f.rate, "rate", 10, "begin with at most `N` addresses a second")
	flags.BoolVarP(&f.explain, "explain", "e", false, "say of each address what was found, what to do and how it is known, as for a single host")
	flags.BoolVar(&f.json, "json", false, "print a JSON object for each address")
	_ = cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]cobra.Completion{
		"auto\traw where that is permitted", "raw\tpackets of its own, as root", "kernel\tthis host's own Fast Open",
	}, cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// run probes all hosts, whatever becomes of each.
func (f *probeFlags) run(ctx context.Context, cmd *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	hosts, err := f.hosts(args, cmd.InOrStdin())
	if err != nil {
		return err
	}
	p := probe.Prober{Mode: f.mode, Repeat: f.repeat, Tries: f.tries, Wait: time.Duration(f.wait), Timeout: time.Duration(f.timeout)}
	if f.dataFile != "" {
		if p.Payload, err = readPayload(f.dataFile, cmd.InOrStdin()); err != nil {
			return err
		}
	}
	s := &survey{
		prober: p, family: f.family(), jobs: f.jobs, pace: newPace(f.rate),
		show: newProbeOutput(cmd, f.json, f.explain || len(args) == 1 && len(hosts) == 1 && args[0] != "-", len(hosts)),
	}
	if err := s.run(ctx, hosts); err != nil {
		complain(cmd.ErrOrStderr(), cmd.CommandPath(), err)
		return exitCode(exitUnsure)
	}
	if code := s.show.end(); code != exitOK {
		return exitCode(code)
	}
	return nil
}

// check finds flags that contradict each other or make no sense.
func (f *probeFlags) check() error {
	switch {
	case f.ip4 && f.ip6:
		return usagef("-4 and -6 exclude each other: leave both out to probe both")
	case f.port == 0:
		return usagef("--port 0 is no port: use 1 to 65535")
	case f.repeat < 1 || f.repeat > 1000:
		return usagef("--repeat %d is out of range: use 1 to 1000", f.repeat)
	case f.tries < 2 || f.tries > 100:
		return usagef("--tries %d is out of range: use 2 to 100", f.tries)
	case f.wait <= 0 || f.timeout <= 0:
		return usagef("--wait and --timeout are times longer than 0, such as 2 or 500ms")
	case f.jobs < 1 || f.jobs > 1000:
		return usagef("--jobs %d is out of range: use 1 to 1000", f.jobs)
	case !(f.rate > 0 && f.rate <= 10000):
		return usagef("--rate %v is out of range: use more than 0, and 10000 at most", f.rate)
	case f.json && f.explain:
		return usagef("--explain is for people and --json for programs, which holds the same: use one of them")
	}
	return nil
}

// family is what the resolver is asked for.
func (f *probeFlags) family() string {
	switch {
	case f.ip4:
		return "ip4"
	case f.ip6:
		return "ip6"
	}
	return "ip"
}

func readPayload(name string, stdin io.Reader) ([]byte, error) {
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(stdin)
	} else {
		b, err = os.ReadFile(name)
	}
	switch {
	case err != nil:
		return nil, usagef("cannot read --data-file %s: %w", name, reason(err))
	case len(b) == 0:
		return nil, usagef("--data-file %s is empty: there has to be something to put into a SYN", name)
	}
	return b, nil
}
