package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

// namespaceFlags are the flags that choose whose settings a verb is about: the
// network namespace that tfo is started in, or another one.
type namespaceFlags struct {
	netns string
	pid   int
	all   bool
	given bool // one of the flags was
}

// add gives cmd the flags --netns and --pid.
func (f *namespaceFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.netns, "netns", "", "look at the network namespace `NAME`, as ip netns calls it, or at the one of a file such as /proc/PID/ns/net")
	flags.IntVar(&f.pid, "pid", 0, "look at the network namespace that process `PID` is in, such as that of a container")
}

// addAll gives cmd the flag --all-netns as well.
func (f *namespaceFlags) addAll(cmd *cobra.Command) {
	f.add(cmd)
	cmd.Flags().BoolVar(&f.all, "all-netns", false, "look at every network namespace of this machine, also those of containers")
}

// one returns the namespace that was chosen, by default the present one.
func (f *namespaceFlags) one(cmd *cobra.Command) (kernel.Namespace, error) {
	if err := f.check(cmd); err != nil {
		return kernel.Namespace{}, err
	}
	switch {
	case strings.ContainsRune(f.netns, '/'):
		return kernel.NamespaceAt(f.netns)
	case f.netns != "":
		return kernel.NamedNamespace(f.netns)
	case f.pid != 0:
		return kernel.NamespaceOf(f.pid)
	}
	return kernel.CurrentNamespace()
}

// list returns all the namespaces that were chosen, at least one. Hidden is
// the number of processes whose namespace one may not look at.
func (f *namespaceFlags) list(cmd *cobra.Command) (chosen []kernel.Namespace, hidden int, err error) {
	if err := f.check(cmd); err != nil {
		return nil, 0, err
	}
	if f.all {
		return kernel.Namespaces()
	}
	n, err := f.one(cmd)
	return []kernel.Namespace{n}, 0, err
}

// do runs act in the namespace that was chosen. Without any flag it needs
// neither rights nor namespaces.
func (f *namespaceFlags) do(cmd *cobra.Command, act func() error) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	if !f.given {
		return act()
	}
	n, err := f.one(cmd)
	if err != nil {
		return err
	}
	return n.Do(act)
}

// needsLinux says why a verb has nothing to ask on another system.
func needsLinux(cmd *cobra.Command) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%s asks the Linux kernel, and this is %s", cmd.Name(), runtime.GOOS)
	}
	return nil
}

// check finds flags that do not go together.
func (f *namespaceFlags) check(cmd *cobra.Command) error {
	flags, given := cmd.Flags(), 0
	for _, name := range []string{"netns", "pid", "all-netns"} {
		if flag := flags.Lookup(name); flag != nil && flag.Changed {
			given++
		}
	}
	f.given = given > 0
	switch {
	case given > 1:
		return usagef("--netns, --pid and --all-netns each choose what to look at: use one of them")
	case flags.Changed("netns") && f.netns == "":
		return usagef("--netns names no namespace: list those that have a name with ip netns")
	case flags.Changed("pid") && f.pid <= 0:
		return usagef("--pid %d is no number of a process: find it with ps or pgrep", f.pid)
	}
	return nil
}
