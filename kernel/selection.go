package kernel

import (
	"path"
	"slices"
	"strings"
)

// A Selection chooses listeners. The zero value chooses all of them; of the
// fields that are set, all have to hold.
type Selection struct {
	Ports   []uint16 // listens on one of these
	PID     int      // held by this process
	Process string   // held by a process of this name, or whose program is called so
}

// Includes reports whether l is chosen.
func (s Selection) Includes(l Listener) bool {
	if !s.mayInclude(l) {
		return false
	}
	if s.PID == 0 && s.Process == "" {
		return true
	}
	return slices.ContainsFunc(l.Owners, func(p Process) bool {
		return (s.PID == 0 || p.PID == s.PID) && (s.Process == "" || p.named(s.Process))
	})
}

// mayInclude is Includes for a listener whose owners are not known.
func (s Selection) mayInclude(l Listener) bool {
	return len(s.Ports) == 0 || slices.Contains(s.Ports, l.Local.Port())
}

// named reports whether p goes by that name. What the kernel shows ends after
// 15 bytes, and differs from the program's where that has renamed itself.
func (p Process) named(name string) bool {
	if p.Name == name || len(name) > 15 && p.Name == name[:15] {
		return true
	}
	if len(p.Command) == 0 {
		return false
	}
	program, _, _ := strings.Cut(p.Command[0], ":") // "nginx: worker process"
	return path.Base(program) == name
}
