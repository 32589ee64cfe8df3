package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

// advise makes an error about a setting one that names the command to run, and
// where. Every other error it returns as it is.
func advise(cmd *cobra.Command, err error) error {
	var e *kernel.SettingError
	if !errors.As(err, &e) {
		return err
	}
	verb, line, here := "read", commandLine(cmd, false), commandLine(cmd, true)
	if e.Write {
		verb, here = "set", strings.Replace(here, " --dry-run", "", 1) // which goes without the right
	}
	const there = "PID being the number that a process of this container has there"
	switch {
	case e.Obstacle == kernel.NotPermitted && os.Geteuid() != 0:
		return fmt.Errorf("cannot %s %s: that takes root: run sudo %s", verb, e.Name, here)
	case e.Obstacle == kernel.NotPermitted:
		return fmt.Errorf("cannot %s %s: to be root is not enough here, it takes the capability CAP_NET_ADMIN over this network namespace, which containers seldom have: on the host, run %s --pid PID, %s", verb, e.Name, line, there)
	case e.Obstacle == kernel.ReadOnly:
		return fmt.Errorf("cannot %s %s: /proc/sys is mounted read-only, as it is in most containers: on the host, run %s --pid PID, %s", verb, e.Name, line, there)
	case e.Obstacle == kernel.NoProc:
		return fmt.Errorf("cannot %s %s: there is no /proc/sys/net here, because /proc is not mounted or this container hides it: on the host, run %s --pid PID, %s", verb, e.Name, line, there)
	}
	return err
}

// commandLine is the command as it was typed, to be run on this host by another
// user, or else on the host of a container: there without what chooses a
// namespace, and what is about the boot that a container does not have.
func commandLine(cmd *cobra.Command, here bool) string {
	line := cmd.CommandPath()
	names := []string{"client", "server", "undo", "reveal", "primary", "backup", "apply", "interval", "json"}
	if here {
		names = append(names, "persist", "dry-run", "netns", "pid")
	}
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			line += " --" + name
			if f.Value.Type() != "bool" {
				line += " " + f.Value.String()
			}
		}
	}
	for _, arg := range cmd.Flags().Args() {
		line += " " + arg
	}
	return line
}
