package main

import (
	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

const detachLong = `detach turns TCP Fast Open off in servers that run, at once and without a
restart, whoever turned it on: tfo attach, or the server's own settings.
Connections that are there go on, and clients fall back to plain TCP by
themselves. A restarted server has again what its settings say.

Linux 5.6 and the right to trace the server are needed: root.

Exit codes: 0 Fast Open is off in every listener chosen, 1 it is not, 2 the
command line is wrong.`

const detachExample = `  sudo tfo detach --port 443
  sudo tfo detach --process nginx --dry-run`

func newDetach() *cobra.Command {
	var (
		chosen       listenerFlags
		dryRun, json bool
	)
	cmd := &cobra.Command{
		Use:     "detach {--port N | --pid P | --process NAME | --all}",
		Short:   "Turn Fast Open off in a server that runs",
		Long:    detachLong,
		Example: detachExample,
		Args:    flagsOnly,
	}
	cmd.RunE = verb(func(cmd *cobra.Command, _ []string) error {
		if err := chosen.check(cmd); err != nil {
			return err
		}
		return chosen.each(cmd, alteration{
			verb: "detach", dryRun: dryRun, json: json,
			plan: func(kernel.Listener) int { return 0 },
		})
	})
	flags := cmd.Flags()
	flags.SortFlags = false
	chosen.add(cmd)
	flags.BoolVar(&dryRun, "dry-run", false, "show what would be done, and whether it may be done")
	flags.BoolVar(&json, "json", false, "print a JSON object for each listener on a line of stdout")
	return cmd
}
