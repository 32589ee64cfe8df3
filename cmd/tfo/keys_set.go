package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

const keysSetLong = `set makes the kernel use the keys in FILE, or on stdin: one line as
net.ipv4.tcp_fastopen_key shows it, the primary and perhaps, after a comma, the
backup. It takes both places of the keys in use, and cookies made from any other
key are refused from then on: such a connection falls back to the usual way, and
gets a new cookie.

To change the key of several machines without that, go three times round them:

  tfo keys set --backup new.key    every machine knows the new key
  tfo keys set --primary new.key   every machine uses it, and still knows the old
  tfo keys set new.key             later, the old one is forgotten

--backup keeps the primary in use and takes the key in FILE as backup. --primary
takes it as primary and keeps the one in use as backup.

What is set holds until the next boot. What the kernel made of it is read back.

Exit codes: 0 the kernel uses the keys, 1 it does not, 2 the command line is
wrong.`

const keysSetExample = `  tfo keys set fleet.key
  tfo keys generate | tfo keys set
  tfo keys set --backup new.key --pid 4711`

// keysSetFlags are the flags of tfo keys set.
type keysSetFlags struct {
	primary, backup bool
	dry, json       bool
	namespace       namespaceFlags
}

func newKeysSet() *cobra.Command {
	f := &keysSetFlags{}
	cmd := &cobra.Command{
		Use:     "set [FILE]",
		Short:   "Make the kernel use the keys in a file or on stdin",
		Long:    keysSetLong,
		Example: keysSetExample,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 0 && looksLikeKey(args[0]):
				return errKeyTyped
			case len(args) > 1:
				return usagef("%d files, and the keys come from one: put the primary and the backup on one line with a comma between them", len(args))
			case f.primary && f.backup:
				return usagef("--primary and --backup say where the key in the file goes: use one of them, or neither for the whole set")
			case len(args) == 0 && isTerminal(os.Stdin):
				return usagef("no keys to set: name a file, or send them on stdin, as in tfo keys generate | tfo keys set")
			}
			return nil
		},
	}
	cmd.RunE = verb(func(cmd *cobra.Command, args []string) error {
		if err := f.namespace.check(cmd); err != nil {
			return err
		}
		name := "-"
		if len(args) == 1 {
			name = args[0]
		}
		given, err := readKeys(name)
		if err != nil {
			return err
		}
		if (f.primary || f.backup) && len(given.Backups()) > 0 {
			return fmt.Errorf("%s has two keys, and with --primary or --backup it is to have one: leave out the other, or the flag", called(name))
		}
		return setKeys(cmd, &f.namespace, f.dry, f.json, func(now tfo.Keys) (tfo.Keys, error) {
			return f.combine(now, given)
		})
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.backup, "backup", false, "keep the primary in use; FILE has the backup")
	flags.BoolVar(&f.primary, "primary", false, "keep the primary in use as backup; FILE has the new primary")
	flags.BoolVar(&f.dry, "dry-run", false, "only say what would change")
	flags.BoolVar(&f.json, "json", false, "print the fingerprints before and after as a JSON object")
	f.namespace.add(cmd)
	return cmd
}

// combine returns the keys to be set.
func (f *keysSetFlags) combine(now, given tfo.Keys) (tfo.Keys, error) {
	switch {
	case !f.primary && !f.backup:
		return given, nil
	case now.IsZero():
		return tfo.Keys{}, fmt.Errorf("the kernel has no key yet that could be kept: leave out --primary and --backup")
	case f.backup && given.Primary() == now.Primary():
		return tfo.Keys{}, fmt.Errorf("the key is the primary already, so it cannot be the backup of it: take a new one, as tfo keys generate makes it")
	case f.backup:
		return tfo.NewKeys(now.Primary(), given.Primary()), nil
	case given.Primary() == now.Primary():
		return now, nil // it was done before
	}
	return tfo.NewKeys(given.Primary(), now.Primary()), nil
}

// keysChange is what --json prints of a change.
type keysChange struct {
	DryRun bool         `json:"dry_run"`
	Before fingerprints `json:"before"`
	After  fingerprints `json:"after"`
}

// setKeys sets what choose makes of the keys in use, and says so.
func setKeys(cmd *cobra.Command, namespace *namespaceFlags, dry, asJSON bool, choose func(now tfo.Keys) (tfo.Keys, error)) error {
	var now, next tfo.Keys
	err := namespace.do(cmd, func() (err error) {
		if now, err = kernel.Keys(); err != nil {
			return err
		}
		if next, err = choose(now); err != nil || dry || next.Equal(now) {
			return err
		}
		return kernel.SetKeys(next)
	})
	if err != nil {
		return advise(cmd, err)
	}
	out := cmd.OutOrStdout()
	change := keysChange{dry, fingerprintsOf(now), fingerprintsOf(next)}
	if asJSON {
		return printJSON(out, change)
	}
	if next.Equal(now) {
		fmt.Fprintln(out, "now     ", change.After.String()+", as it was")
		return nil
	}
	p := paint(out)
	fmt.Fprintln(out, "before  ", change.Before)
	if dry {
		fmt.Fprintln(out, "would be", p.bold(change.After.String()))
		fmt.Fprintln(out, p.faint("Nothing was changed: this was a dry run."))
		return nil
	}
	fmt.Fprintln(out, "now     ", p.bold(change.After.String()))
	return nil
}

// errKeyTyped is the refusal of a key on the command line.
var errKeyTyped = usageError{fmt.Errorf("that looks like a key, and keys do not belong on the command line, where everybody on this machine can see them: put it in a file that only you can read, and take a new one if this machine has other users")}

// looksLikeKey reports whether somebody typed a key where a file's name
// belongs.
func looksLikeKey(arg string) bool {
	if _, err := os.Stat(arg); err == nil || strings.ContainsAny(arg, "/.") {
		return false
	}
	_, err := tfo.ParseKeys(arg)
	return err == nil
}
