package main

import "runtime/debug"

// gvisorVersion is the version of gVisor that is measured.
func gvisorVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "gvisor.dev/gvisor" {
				return m.Version
			}
		}
	}
	return "of unknown version"
}
