package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func sizeWorkloads() []workload {
	return []workload{{
		Name: "size", Title: "a minimal echo server, stripped: what it has more than one that uses package net",
		Stacks: []string{ours, gvisor}, Cores: []int{2}, Once: true,
		Metrics: []metric{
			{Key: "added MB", Digits: 2, Goals: []goal{{ours, "", 1, 0}}},
			{Key: "modules", Goals: []goal{{ours, "", 2, 0}}},
			{Key: "packages"},
		},
		Run: size,
	}}
}

// size builds the programs under testdata.
func size(stack string) (figures, error) {
	dir, err := os.MkdirTemp("", "bench-size")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	base, _, _, err := build(dir, "net")
	if err != nil {
		return nil, err
	}
	bytes, modules, packages, err := build(dir, stack)
	if err != nil {
		return nil, err
	}
	return figures{"added MB": float64(bytes-base) / 1e6, "modules": float64(modules), "packages": float64(packages)}, nil
}

// build builds one of the programs and counts what is in it that is neither its
// own nor the standard library's: modules other than the stack's own as well.
func build(dir, program string) (bytes int64, modules, packages int, err error) {
	out, folder := filepath.Join(dir, program), "./size/"+program
	if _, err = golang("build", "-trimpath", "-ldflags=-s -w", "-o", out, folder); err != nil {
		return 0, 0, 0, err
	}
	info, err := os.Stat(out)
	if err != nil {
		return 0, 0, 0, err
	}
	list, err := golang("list", "-deps", "-f", "{{if .Module}}{{.Module.Path}}{{end}}", folder)
	if err != nil {
		return 0, 0, 0, err
	}
	seen := map[string]bool{"github.com/fastopen-go/fastopen/bench": true}
	for m := range strings.FieldsSeq(list) {
		packages++
		if !seen[m] {
			seen[m] = true
			modules++
		}
	}
	return info.Size(), modules, packages - 1, nil
}

func golang(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = moduleFolder()
	b, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return string(b), nil
}
