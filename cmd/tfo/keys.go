package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

const keysLong = `keys shows, sets and makes the keys that the kernel makes Fast Open cookies
from. The primary makes new cookies; cookies of the backup are accepted as well,
and answered with new ones. All listeners of a network namespace share them,
save those that brought their own.

Machines that answer for one address must have the same keys, or each refuses
the cookies of the others. Left alone, every machine, and every container, makes
up a random key of its own.

Keys are shown by fingerprint: ten digits that tell keys apart and give nothing
away. Whoever has a key can make cookies for any client, so keys are taken from
files and from stdin and never from the command line, which everybody on the
machine can see.`

const keysExample = `  tfo keys show                              fingerprints, to be compared between machines
  tfo keys generate --output new.key         a new key in a file
  tfo keys set new.key                       use it
  tfo keys derive --apply fleet.secret       the keys of a fleet, for now`

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys",
		Short:   "Show, set, generate and derive the keys that cookies are made from",
		Long:    keysLong,
		Example: keysExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if looksLikeKey(args[0]) {
				return errKeyTyped
			}
			return usagef("keys knows show, set, generate and derive, and not %q", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKeysShow(), newKeysSet(), newKeysGenerate(), newKeysDerive())
	return cmd
}

// fingerprints is how keys are printed.
type fingerprints struct {
	None    bool   `json:"none"` // there are none yet
	Primary string `json:"primary,omitempty"`
	Backup  string `json:"backup,omitempty"`
}

func fingerprintsOf(k tfo.Keys) fingerprints {
	if k.IsZero() {
		return fingerprints{None: true}
	}
	f := fingerprints{Primary: k.Primary().Fingerprint()}
	if b := k.Backups(); len(b) > 0 {
		f.Backup = b[0].Fingerprint()
	}
	return f
}

// String is a list for people: "primary 7ad0ac1a8b, backup 5f90c3f4e2".
func (f fingerprints) String() string {
	switch {
	case f.None:
		return "none"
	case f.Backup == "":
		return "primary " + f.Primary + ", no backup"
	}
	return "primary " + f.Primary + ", backup " + f.Backup
}

// printJSON prints v on a line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

const keysShowLong = `show prints the fingerprints of the kernel's keys. Machines whose fingerprints
agree accept each other's cookies; where the backup of one is the primary of the
other, they do so half-way.

"none yet" means that the kernel will make up a random key when the first
listener asks for Fast Open.

--reveal prints the keys themselves and nothing else, as tfo keys set takes
them. The kernel shows the keys to root alone.

Exit codes: 0 shown, 1 they could not be read, or there is none to reveal, 2 the
command line is wrong.`

const keysShowExample = `  tfo keys show
  tfo keys show --pid 4711
  tfo keys show --reveal | ssh other.example sudo tfo keys set`

func newKeysShow() *cobra.Command {
	var reveal, asJSON bool
	var namespace namespaceFlags
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show the kernel's keys by their fingerprints",
		Long:    keysShowLong,
		Example: keysShowExample,
		Args:    noArguments,
	}
	cmd.RunE = verb(func(cmd *cobra.Command, _ []string) error {
		if reveal && asJSON {
			return usagef("--json shows fingerprints, and --reveal prints keys: use one of them")
		}
		var keys tfo.Keys
		err := namespace.do(cmd, func() (err error) {
			keys, err = kernel.Keys()
			return err
		})
		if err != nil {
			return advise(cmd, err)
		}
		out := cmd.OutOrStdout()
		switch f := fingerprintsOf(keys); {
		case asJSON:
			return printJSON(out, f)
		case reveal && f.None:
			return fmt.Errorf("there is no key to reveal yet: the kernel makes one when the first listener asks for Fast Open, and tfo keys set sets one")
		case reveal:
			fmt.Fprintln(out, keys.Reveal())
		case f.None:
			fmt.Fprintln(out, "none yet: the kernel makes up a random key when the first listener asks for Fast Open")
		default:
			fmt.Fprintln(out, "primary ", f.Primary)
			if f.Backup != "" {
				fmt.Fprintln(out, "backup  ", f.Backup)
			} else {
				fmt.Fprintln(out, "backup   none")
			}
		}
		return nil
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&reveal, "reveal", false, "print the keys themselves")
	flags.BoolVar(&asJSON, "json", false, "print the fingerprints as a JSON object")
	namespace.add(cmd)
	return cmd
}

// noArguments lets nothing but flags follow a verb.
func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case looksLikeKey(args[0]):
		return errKeyTyped
	}
	return usagef("%s takes flags only, and there is %q", cmd.Name(), args[0])
}
