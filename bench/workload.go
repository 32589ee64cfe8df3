package main

import (
	"os"
	"slices"
	"time"
)

// The stacks that are measured.
const (
	ours     = "ours"
	lending  = "lending" // ours, by ReadFrom and WriteTo
	fast     = "fast"    // ours, with Fast Open
	gvisor   = "gvisor"
	kernel   = "kernel"
	fastKern = "kernel-fast" // the kernel, with Fast Open
)

// A workload is one thing that is measured, of several stacks.
type workload struct {
	Name, Title string
	Stacks      []string
	Cores       []int // with how many; GOMAXPROCS, and pinned if it crosses the kernel
	Once        bool  // the figure is exact: three rounds do
	Netns       bool  // wants network namespaces of its own, for every stack
	Metrics     []metric
	Run         func(stack string) (figures, error)
}

// A metric is one figure of a workload.
type metric struct {
	Key    string
	Higher bool // is better
	Digits int
	// Goals say what a stack's figure has to be, next to gVisor's or by
	// itself.
	Goals []goal
}

// A goal holds a figure of Stack against Of: at least Times it if the metric's
// Higher is set, at most otherwise. Without Of, Times is the limit itself. Core
// restricts it to runs with so many cores.
type goal struct {
	Stack, Of string
	Times     float64
	Core      int
}

// figures are what one run has measured, by the key of the metric.
type figures map[string]float64

// span is how long a measurement by time takes, after a warm-up. The processes
// that measure are told by the environment.
var span = spanOr(os.Getenv(spanVariable), time.Second)

const (
	spanVariable = "FASTOPEN_BENCH_SPAN"
	warmUp       = 200 * time.Millisecond
)

func spanOr(s string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d
	}
	return otherwise
}

// workloads are all there are, in the order of the report.
func workloads() []workload {
	return slices.Concat(bulkWorkloads(), connectWorkloads(), pingWorkloads(), idleWorkloads(),
		pathWorkloads(), sizeWorkloads(), tunWorkloads(), packetWorkloads(), floodWorkloads())
}
