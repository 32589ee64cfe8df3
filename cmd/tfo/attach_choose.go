package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

// listenerFlags are the flags that choose listeners.
type listenerFlags struct {
	ports   []int
	pid     int
	process string
	all     bool
	netns   string
}

func (f *listenerFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntSliceVar(&f.ports, "port", nil, "whoever listens on port `N`; several with commas")
	flags.IntVar(&f.pid, "pid", 0, "whatever process `P` listens on, also in another network namespace")
	flags.StringVar(&f.process, "process", "", "whatever processes called `NAME` listen on, such as nginx")
	flags.BoolVar(&f.all, "all", false, "every listener of this network namespace")
	flags.StringVar(&f.netns, "netns", "", "look in the network namespace `NAME`, as ip netns calls it, or in the one of a file such as /proc/PID/ns/net")
}

// check finds flags that choose nothing, or contradict each other.
func (f *listenerFlags) check(cmd *cobra.Command) error {
	changed := cmd.Flags().Changed
	some := changed("port") || changed("pid") || changed("process")
	switch {
	case !some && !f.all:
		return usagef("say which servers: --port N, --pid P, --process NAME, or --all")
	case some && f.all:
		return usagef("--all takes every listener, so it does not go with --port, --pid or --process")
	case changed("pid") && f.pid <= 0:
		return usagef("--pid %d is no number of a process: find it with ps or pgrep", f.pid)
	case changed("process") && f.process == "":
		return usagef("--process names no process: write a name such as nginx")
	case changed("netns") && f.netns == "":
		return usagef("--netns names no namespace: list those that have a name with ip netns")
	}
	for _, p := range f.ports {
		if p < 1 || p > 65535 {
			return usagef("--port %d is no port: use 1 to 65535", p)
		}
	}
	return nil
}

func (f *listenerFlags) selection() kernel.Selection {
	s := kernel.Selection{PID: f.pid, Process: f.process}
	for _, p := range f.ports {
		s.Ports = append(s.Ports, uint16(p))
	}
	return s
}

// places returns the namespaces to look in. The zero value is the present one.
func (f *listenerFlags) places() ([]kernel.Namespace, error) {
	switch {
	case strings.ContainsRune(f.netns, '/'):
		n, err := kernel.NamespaceAt(f.netns)
		return []kernel.Namespace{n}, err
	case f.netns != "":
		n, err := kernel.NamedNamespace(f.netns)
		return []kernel.Namespace{n}, err
	case f.pid != 0:
		// A process can hold sockets of any namespace. Those that it may
		// have come from its own, or from whoever started it.
		n, err := kernel.NamespaceOf(f.pid)
		if err != nil {
			return nil, err
		}
		if here, err := kernel.CurrentNamespace(); err == nil && here.ID() == n.ID() {
			return []kernel.Namespace{{}}, nil
		}
		return []kernel.Namespace{{}, n}, nil
	}
	return []kernel.Namespace{{}}, nil
}

// within runs act in a namespace that places returned.
func within(n kernel.Namespace, act func() error) error {
	if n == (kernel.Namespace{}) {
		return act()
	}
	return n.Do(act)
}

// command is what one types to run a command of the kernel's settings in the
// namespace that was chosen.
func (f *listenerFlags) command(place kernel.Namespace, command string) string {
	switch {
	case place == (kernel.Namespace{}):
	case strings.ContainsRune(f.netns, '/'):
		command = "nsenter --net=" + f.netns + " " + command
	case f.netns != "":
		command = "ip netns exec " + f.netns + " " + command
	case f.pid != 0:
		command = fmt.Sprintf("nsenter -t %d -n %s", f.pid, command)
	}
	return asRoot(command)
}

// find returns the chosen ones of the listeners in the calling thread's
// namespace.
func (f *listenerFlags) find() (chosen []kernel.Listener, hidden bool, err error) {
	all, err := kernel.Listeners()
	if err != nil {
		return nil, false, err
	}
	s := f.selection()
	for _, l := range all {
		hidden = hidden || l.Hidden
		if s.Includes(l) {
			chosen = append(chosen, l)
		}
	}
	return chosen, hidden, nil
}

// nobody says that there is no listener as chosen.
func (f *listenerFlags) nobody(place kernel.Namespace, hidden bool) error {
	where := "here"
	if place != (kernel.Namespace{}) {
		where = "in " + place.String()
	}
	how := "see who does with: ss -ltnp"
	if hidden && os.Geteuid() != 0 && (f.pid != 0 || f.process != "") {
		how = "what processes of other users listen on is seen by root only, so run it as root"
	} else if place == (kernel.Namespace{}) && f.pid == 0 {
		how += "; a container has listeners of its own, which --pid or --netns find"
	}
	on := ""
	if len(f.ports) > 0 {
		on = " on " + ports(f.ports)
	}
	switch {
	case f.pid != 0:
		return fmt.Errorf("process %d does not listen%s: %s", f.pid, on, how)
	case f.process != "":
		return fmt.Errorf("no process called %s listens%s %s: %s", f.process, on, where, how)
	case len(f.ports) > 0:
		return fmt.Errorf("nobody listens%s %s: %s", on, where, how)
	}
	return fmt.Errorf("nobody listens %s: start the server first", where)
}

// ports is "port 80" or "ports 80 and 443".
func ports(list []int) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = fmt.Sprint(p)
	}
	if len(words) == 1 {
		return "port " + words[0]
	}
	return "ports " + listing(words)
}

// listing is "a, b and c".
func listing(words []string) string {
	n := len(words)
	if n < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
}

// missing returns the ports that were asked for and that nobody listens on.
func (f *listenerFlags) missing(chosen []kernel.Listener) (missing []int) {
	for _, p := range f.ports {
		if !slices.ContainsFunc(chosen, func(l kernel.Listener) bool { return int(l.Local.Port()) == p }) {
			missing = append(missing, p)
		}
	}
	return missing
}
