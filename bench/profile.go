package main

import (
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
)

// profiled runs f and writes a profile of its processor time to a file, and
// one of what it allocates to another of the same name with .allocs.
func profiled(file string, f func() (figures, error)) (figures, error) {
	p, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	a, err := os.Create(strings.TrimSuffix(file, ".pprof") + ".allocs.pprof")
	if err != nil {
		return nil, err
	}
	defer a.Close()
	runtime.MemProfileRate = 512
	if err := pprof.StartCPUProfile(p); err != nil {
		return nil, err
	}
	fig, err := f()
	pprof.StopCPUProfile()
	runtime.GC() // the profile shows what was allocated before the last one
	if werr := pprof.Lookup("allocs").WriteTo(a, 0); err == nil {
		err = werr
	}
	return fig, err
}
