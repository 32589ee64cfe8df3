package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long one measurement may take.
const patience = 3 * time.Minute

// one makes one measurement in a process of its own, so that no stack sees
// another's heap, and the processor time is all of that stack.
func one(ctx context.Context, w workload, stack string, cores int, profile string) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "run-one", w.Name, stack, strconv.Itoa(cores))
	if profile != "" {
		name := fmt.Sprintf("%s.%s.%d.pprof", strings.ReplaceAll(w.Name, "/", "-"), stack, cores)
		cmd.Args = append(cmd.Args, filepath.Join(profile, name))
	}
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(cores))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if w.Netns || isKernel(stack) {
		cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNET
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s of %s on %d cores: %w: %s", w.Name, stack, cores, err, tail(errs.String()))
	}
	f := make(figures)
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		return nil, fmt.Errorf("%s of %s: result %q: %w", w.Name, stack, out.String(), err)
	}
	return f, nil
}

func isKernel(stack string) bool { return stack == kernel || stack == fastKern }

func tail(s string) string {
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-2000):]
}

// runOne is the process that one starts: its arguments are the workload, the
// stack, the number of cores, and a file for a profile if there is to be one.
func runOne(args []string) {
	f, err := func() (figures, error) {
		if len(args) < 3 {
			return nil, fmt.Errorf("run-one is for the benchmark itself")
		}
		for _, w := range workloads() {
			if w.Name != args[0] {
				continue
			}
			if args[2] == "1" && (w.Netns || isKernel(args[1])) {
				if err := pin(0); err != nil {
					return nil, err
				}
			}
			run := func() (figures, error) { return w.Run(args[1]) }
			if len(args) > 3 {
				return profiled(args[3], run)
			}
			return run()
		}
		return nil, fmt.Errorf("no workload is called %q", args[0])
	}()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pin keeps every thread of the process, and its children, on one processor.
func pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("pin to processor %d: %w", cpu, err)
		}
	}
	return nil
}
