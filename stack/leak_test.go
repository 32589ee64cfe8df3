package stack_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails if the tests leave goroutines behind. (Those in bubbles cannot, and
// buffers are counted where stacks are closed.)
func TestMain(m *testing.M) {
	goroutines := runtime.NumGoroutine()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(code) // fuzzing itself waits for signals to the end
	}
	for end := time.Now().Add(5 * time.Second); code == 0 && runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			fmt.Printf("left behind: %d goroutines\n%s\n", runtime.NumGoroutine()-goroutines, stacks[:runtime.Stack(stacks, true)])
			code = 1
		}
	}
	os.Exit(code)
}
