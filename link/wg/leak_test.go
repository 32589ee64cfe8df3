package wg_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails if the tests leave goroutines, devices or sockets behind.
func TestMain(m *testing.M) {
	goroutines, files := runtime.NumGoroutine(), openFiles()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(code) // the fuzzer has goroutines of its own
	}
	for end := time.Now().Add(5 * time.Second); code == 0; runtime.Gosched() {
		if runtime.NumGoroutine() <= goroutines && openFiles() <= files {
			break
		}
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			fmt.Printf("left behind: %d goroutines, %d files\n%s\n", runtime.NumGoroutine()-goroutines, openFiles()-files, stacks[:runtime.Stack(stacks, true)])
			code = 1
		}
	}
	os.Exit(code)
}

// openFiles counts devices and sockets, where /proc tells of them.
func openFiles() (n int) {
	files, _ := os.ReadDir("/proc/self/fd")
	for _, f := range files {
		to, _ := os.Readlink("/proc/self/fd/" + f.Name())
		if strings.HasPrefix(to, "socket:") || to == "/dev/net/tun" {
			n++
		}
	}
	return n
}
