package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

const checkLong = `check says whether TCP Fast Open is on here, for programs that connect (clients)
and for those that listen (servers), and what to do where it is not. Every fact
comes with what it means and the command that changes it; check itself changes
nothing.

It looks at the kernel's settings and keys, at what they will be after the next
boot, at every program that listens, at what the kernel has counted since it
started, and at the configuration of nginx and HAProxy. Without root it tells
what it can, and says what it could not see.

Containers have settings, keys and counters of their own: --netns and --pid look
at those of one of them, --all-netns at all there are.

Servers are ready when the kernel lets them use Fast Open and at least one
listener does, or nothing listens yet. --client and --server ask for one side.

Exit codes: 0 ready, 1 not ready, 2 could not tell, or the command line is wrong.`

const checkExample = `  tfo check
  sudo tfo check                        also tells who listens, and the keys
  tfo check --server && echo ready
  tfo check --pid $(pgrep -o nginx)     of the container that nginx runs in
  tfo check --json | jq -r '.namespaces[].actions[].command'`

// checkSchema describes what --json prints. https://json-schema.org
//
//go:embed check.schema.json
var checkSchema string

// checkFlags are the flags of tfo check.
type checkFlags struct {
	namespaceFlags
	client, server bool
	json, schema   bool
}

func newCheck() *cobra.Command {
	f := &checkFlags{}
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Tell whether Fast Open is on here, and what to do where it is not",
		Long:    checkLong,
		Example: checkExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("check looks at this host and takes no arguments, and there is %q", args[0])
			}
			return nil
		},
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r, err := f.run(cmd)
		var usage usageError
		switch {
		case errors.As(err, &usage):
			return err
		case err != nil:
			complain(cmd.ErrOrStderr(), cmd.CommandPath(), err)
			return exitCode(checkUnknown)
		}
		if r == nil || r.code() == exitOK {
			return nil
		}
		return exitCode(r.code())
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.client, "client", false, "ask only whether programs that connect can use Fast Open")
	flags.BoolVar(&f.server, "server", false, "ask only whether programs that listen can use Fast Open")
	f.addAll(cmd)
	flags.BoolVar(&f.json, "json", false, "print all of it as one JSON object")
	flags.BoolVar(&f.schema, "json-schema", false, "print the JSON Schema of what --json prints, and look at nothing")
	return cmd
}

// Exit codes of tfo check.
const (
	checkNotReady = 1
	checkUnknown  = 2
)

// run looks and prints. The report is nil if there was none to make.
func (f *checkFlags) run(cmd *cobra.Command) (*checkReport, error) {
	out := cmd.OutOrStdout()
	if f.schema {
		fmt.Fprint(out, checkSchema)
		return nil, nil
	}
	if err := needsLinux(cmd); err != nil {
		return nil, err
	}
	r, err := f.look(cmd)
	if err != nil {
		return nil, err
	}
	if !f.json {
		fmt.Fprint(out, r.text(paint(out)))
		return r, nil
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(r) // what cannot be written is told for all verbs alike
	return r, nil
}
