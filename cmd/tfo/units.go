package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// millis prints a time in milliseconds with no more digits than it is worth.
func millis(d time.Duration) string {
	ms := inMillis(d)
	switch {
	case ms >= 10 || ms <= -10:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	case ms >= 1 || ms <= -1:
		return strconv.FormatFloat(ms, 'f', 2, 64)
	}
	return strconv.FormatFloat(ms, 'f', 3, 64)
}

// inMillis returns d in milliseconds, to the microsecond.
func inMillis(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// size prints a number of bytes.
func size(n int64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// plural returns "1 thing" or "n things".
func plural[N int | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// asRoot is a command as the present user has to type it to run it as root.
func asRoot(command string) string {
	if os.Geteuid() == 0 {
		return command
	}
	return "sudo " + command
}
