package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A meter says what happened since it was started: time, the process's
// processor time, and what it has allocated.
type meter struct {
	at   time.Time
	cpu  time.Duration
	heap runtime.MemStats
}

func startMeter() *meter {
	m := new(meter)
	runtime.ReadMemStats(&m.heap)
	m.cpu, m.at = cpuTime(), time.Now()
	return m
}

// spent is what a meter has measured.
type spent struct {
	wall, cpu     time.Duration
	allocs, bytes float64
}

func (m *meter) stop() (s spent) {
	s.wall, s.cpu = time.Since(m.at), cpuTime()-m.cpu
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	s.allocs, s.bytes = float64(now.Mallocs-m.heap.Mallocs), float64(now.TotalAlloc-m.heap.TotalAlloc)
	return s
}

// cpuTime is what the process has used so far, in user mode and in the kernel.
func cpuTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // it cannot fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// micros is a duration in µs.
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
