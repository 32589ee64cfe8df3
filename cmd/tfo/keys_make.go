package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/tfo"
)

const keysGenerateLong = `generate makes a random key and prints it on a line, as tfo keys set takes it,
net.ipv4.tcp_fastopen_key shows it and tfo serve --keys reads it. With --output
it goes into a new file that only its owner may read, and its fingerprint is
printed instead. Nothing is set.

Exit codes: 0 made, 1 the file could not be written, 2 the command line is
wrong.`

const keysGenerateExample = `  tfo keys generate --output new.key
  tfo keys generate | tfo keys set`

func newKeysGenerate() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "generate",
		Short:   "Make a new random key",
		Long:    keysGenerateLong,
		Example: keysGenerateExample,
		Args:    noArguments,
		RunE: verb(func(cmd *cobra.Command, _ []string) error {
			keys := tfo.GenerateKeys()
			if output == "" {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), keys.Reveal())
				return err
			}
			if err := writeSecret(output, keys.Reveal()+"\n"); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "primary  %s, in %s\n", keys.Primary().Fingerprint(), output)
			return err
		}),
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write it to a new `FILE`")
	return cmd
}

// writeSecret makes a file that only its owner may read, or leaves nothing.
func writeSecret(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and is not written over: choose another name, or move it away", name)
	}
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", name, reason(err))
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(name)
		return fmt.Errorf("cannot write %s: %w", name, reason(err))
	}
	return nil
}

const keysDeriveLong = `derive computes the keys of a fleet for now, from a main secret that all its
machines share and the time: the same as tofurkey computes from the same secret
and interval, so machines with either can be mixed. The secret is 32 random
bytes in FILE, or on stdin.

In every interval, counted from 1970, another key is the primary. The backup is
the key before in the first half of an interval, and the key to come in the
second. So clocks may differ by up to half an interval, and a cookie is good for
at least half an interval.

It prints the fingerprints, and until when they hold; --reveal prints the keys
and nothing else; --apply sets them. Run it again, as by cron, twice in each
interval or more often; to apply the same keys again does no harm.

Exit codes: 0 derived, and with --apply in use, 1 not, 2 the command line is
wrong.`

const keysDeriveExample = `  head -c 32 /dev/urandom > fleet.secret; chmod 600 fleet.secret
  tfo keys derive fleet.secret
  tfo keys derive --apply --interval 6h fleet.secret
  tfo keys derive --at 2026-12-31T23:59:00Z fleet.secret`

// keysDeriveFlags are the flags of tfo keys derive.
type keysDeriveFlags struct {
	interval  seconds
	at        moment
	apply     bool
	reveal    bool
	dry, json bool
	namespace namespaceFlags
}

func newKeysDerive() *cobra.Command {
	f := &keysDeriveFlags{interval: seconds(tfo.DefaultDeriveInterval)}
	cmd := &cobra.Command{
		Use:     "derive [FILE]",
		Short:   "Compute the keys that a fleet uses now, from its main secret",
		Long:    keysDeriveLong,
		Example: keysDeriveExample,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return usagef("%d files, and the main secret comes from one", len(args))
			case len(args) == 0 && isTerminal(os.Stdin):
				return usagef("no main secret: name a file with 32 random bytes, or send them on stdin")
			case f.reveal && (f.apply || f.json):
				return usagef("--reveal prints the keys and nothing else: use it alone, without --apply and --json")
			case f.apply && f.at.set:
				return usagef("--apply sets the keys of now, and --at computes those of another time: use one of them")
			case f.outOfRange():
				return usagef("--interval %s: choose an even number of seconds from %s to %s, the same on all machines of the fleet", &f.interval, tfo.MinDeriveInterval, tfo.MaxDeriveInterval)
			case f.dry && !f.apply:
				return usagef("--dry-run goes with --apply: without it nothing is set anyway")
			}
			return nil
		},
	}
	cmd.RunE = verb(func(cmd *cobra.Command, args []string) error {
		if err := f.namespace.check(cmd); err != nil {
			return err
		}
		if f.namespace.given && !f.apply {
			return usagef("--netns and --pid go with --apply: keys are computed without regard to namespaces")
		}
		name := "-"
		if len(args) == 1 {
			name = args[0]
		}
		return f.derive(cmd, name)
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&f.interval, "interval", "how long a key is the primary, such as 6h; the same on all machines of the fleet")
	flags.BoolVar(&f.apply, "apply", false, "make the kernel use the keys")
	flags.BoolVar(&f.reveal, "reveal", false, "print the keys themselves")
	flags.Var(&f.at, "at", "compute the keys of another `TIME`, such as 2026-12-31T23:59:00Z, or in seconds since 1970")
	flags.BoolVar(&f.dry, "dry-run", false, "with --apply: only say what would change")
	flags.BoolVar(&f.json, "json", false, "print the fingerprints as a JSON object")
	f.namespace.add(cmd)
	return cmd
}

// outOfRange reports whether keys cannot change so often, or so seldom.
func (f *keysDeriveFlags) outOfRange() bool {
	_, err := tfo.DerivedUntil(time.Duration(f.interval), time.Unix(1e9, 0))
	return err != nil
}

// derivedKeys is what --json prints without --apply.
type derivedKeys struct {
	fingerprints
	Until time.Time `json:"until"` // from when on they are others
}

func (f *keysDeriveFlags) derive(cmd *cobra.Command, name string) error {
	secret, err := readMainSecret(name)
	if err != nil {
		return err
	}
	now := time.Now()
	if f.at.set {
		now = f.at.time
	}
	keys, err := tfo.Derive(secret, time.Duration(f.interval), now)
	if err != nil {
		return fmt.Errorf("cannot derive keys from %s: %s", called(name), strings.TrimPrefix(err.Error(), "tfo: "))
	}
	until, err := tfo.DerivedUntil(time.Duration(f.interval), now)
	if err != nil {
		return err
	}
	out, fingerprints := cmd.OutOrStdout(), fingerprintsOf(keys)
	switch {
	case f.apply:
		err = setKeys(cmd, &f.namespace, f.dry, f.json, func(tfo.Keys) (tfo.Keys, error) { return keys, nil })
		if err != nil || f.json {
			return err
		}
		fmt.Fprintf(out, "until    %s: run this again then\n", until.UTC().Format(time.RFC3339))
	case f.reveal:
		fmt.Fprintln(out, keys.Reveal())
	case f.json:
		return printJSON(out, derivedKeys{fingerprints, until.UTC()})
	default:
		fmt.Fprintf(out, "primary  %s\nbackup   %s\nuntil    %s\n", fingerprints.Primary, fingerprints.Backup, until.UTC().Format(time.RFC3339))
	}
	return nil
}

// readMainSecret reads what keys are derived from.
func readMainSecret(name string) (*[32]byte, error) {
	const like = "32 random bytes, as head -c 32 /dev/urandom makes them"
	b, err := readSecret(name, "main secret", 32, like)
	if err != nil {
		return nil, err
	}
	if len(b) != 32 {
		return nil, fmt.Errorf("%s has %d bytes, and a main secret has 32: name a file with %s", called(name), len(b), like)
	}
	return (*[32]byte)(b), nil
}

// A moment is the value of a flag that is a time.
type moment struct {
	time time.Time
	set  bool
}

func (m *moment) Set(text string) error {
	t, err := time.Parse(time.RFC3339, text)
	if n, e := strconv.ParseInt(text, 10, 64); e == nil {
		t, err = time.Unix(n, 0), nil
	}
	if err != nil {
		return errors.New("write a time such as 2026-12-31T23:59:00Z, or seconds since 1970")
	}
	*m = moment{t, true}
	return nil
}

func (m *moment) String() string { return "" }
func (m *moment) Type() string   { return "time" }
