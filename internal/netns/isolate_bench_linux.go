package netns

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// IsolateBenchmark is [Isolate] for a benchmark: in the parent it prints the
// child's figures in place of its own and returns true. Call it first in a
// top-level benchmark.
func IsolateBenchmark(b *testing.B) bool {
	b.Helper()
	if isolated(b) {
		loopbackUp(b)
		return false
	}
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		noNamespace(b, err)
	}
	program, err := os.Executable()
	if err != nil {
		b.Fatalf("run the benchmark again in a network namespace: %v", err)
	}
	chosen := "^" + b.Name() + "$"
	if _, parts, ok := strings.Cut(flag.Lookup("test.bench").Value.String(), "/"); ok {
		chosen += "/" + parts
	}
	args := []string{"-test.run=^$", "-test.bench=" + chosen, fmt.Sprintf("-test.cpu=%d", runtime.GOMAXPROCS(0))}
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "test.benchtime" || f.Name == "test.benchmem" || f.Name == "test.timeout" {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), marker+"="+here+" "+b.Name())
	cmd.SysProcAttr = freshNamespace()
	runtime.LockOSThread() // as Isolate
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if len(out) == 0 && err != nil {
		noNamespace(b, err)
	}
	for line := range bytes.Lines(out) {
		if bytes.HasPrefix(line, []byte("Benchmark")) {
			os.Stdout.Write(line)
		}
	}
	if err != nil {
		b.Fatalf("%s in its own network namespace: %v\n%s", b.Name(), err, out)
	}
	return true
}
