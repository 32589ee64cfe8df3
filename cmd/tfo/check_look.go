package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/internal/servers"
	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

// A finding is what was found in one network namespace. What could not be had
// has an error.
type finding struct {
	name string
	id   kernel.NamespaceID
	at   place
	root bool // who looked may do all

	settings     kernel.Settings
	settingsErr  error
	listeners    []kernel.Listener
	listenersErr error
	counters     kernel.Counters
	countersErr  error

	configs       []servers.Line
	configsFailed []error

	boot   *kernel.BootPlan // nil if the namespace does not outlive a boot
	shared []string         // namespaces with the same keys
}

// A place tells how to reach a namespace from where tfo runs: with which flag
// of tfo, with which of tfo attach, where --pid means something else, and with
// which words before any other command.
type place struct{ flag, attach, prefix string }

// placeOf finds the shortest way to n. The one where tfo runs needs none.
func placeOf(n, here kernel.Namespace) place {
	if n.ID() == here.ID() {
		return place{}
	}
	if name, ok := strings.CutPrefix(n.Path(), "/run/netns/"); ok {
		flag := " --netns " + name
		return place{flag, flag, "ip netns exec " + name + " "}
	}
	if rest, ok := strings.CutPrefix(n.Path(), "/proc/"); ok {
		pid, _, _ := strings.Cut(rest, "/")
		if _, err := strconv.Atoi(pid); err == nil {
			return place{" --pid " + pid, " --netns " + n.Path(), "nsenter -t " + pid + " -n "}
		}
	}
	flag := " --netns " + n.Path()
	return place{flag, flag, "nsenter --net=" + n.Path() + " "}
}

// look finds out about every namespace that was chosen.
func (f *checkFlags) look(cmd *cobra.Command) (*checkReport, error) {
	chosen, hidden, err := f.list(cmd)
	if err != nil {
		return nil, err
	}
	here, err := kernel.CurrentNamespace()
	if err != nil {
		return nil, err
	}
	var found []finding
	for _, n := range chosen {
		x := finding{name: n.String(), id: n.ID(), at: placeOf(n, here), root: os.Geteuid() == 0}
		err := n.Do(func() error {
			x.here()
			return nil
		})
		if err != nil {
			if !f.all {
				return nil, err
			}
			x.settingsErr, x.listenersErr, x.countersErr = err, err, err
		}
		if n.ID() == here.ID() && (here.String() == "this host" || here.String() == inContainer) {
			x.name = here.String()
			x.configs, x.configsFailed = servers.Scan("/")
			if x.name != inContainer {
				plan := kernel.Boot("")
				x.boot = &plan
			}
		} else if root := rootOf(f.pid); root != "" {
			x.configs, x.configsFailed = servers.Scan(root)
		}
		found = append(found, x)
	}
	shareKeys(found)
	return f.report(found, hidden), nil
}

// rootOf returns where the files of a container are seen from here, "" if the
// process has those of the host.
func rootOf(pid int) string {
	root := fmt.Sprintf("/proc/%d/root", pid)
	own, err := os.Stat("/")
	if err != nil {
		return ""
	}
	if its, err := os.Stat(root); err != nil || os.SameFile(own, its) {
		return ""
	}
	return root
}

// here finds out about the namespace of the calling thread.
func (x *finding) here() {
	x.settings, x.settingsErr = kernel.ReadSettings()
	x.listeners, x.listenersErr = kernel.Listeners()
	x.counters, x.countersErr = kernel.ReadCounters()
}

// shareKeys notes which namespaces have the same keys: they accept each
// other's cookies, which random keys never do.
func shareKeys(found []finding) {
	for i := range found {
		for j := range found {
			if i != j && sameKeys(found[i].settings.Keys, found[j].settings.Keys) {
				found[i].shared = append(found[i].shared, found[j].name)
			}
		}
	}
}

func sameKeys(a, b tfo.Keys) bool { return !a.IsZero() && a.Equal(b) }
