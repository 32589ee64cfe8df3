package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is a report of a workload that there is.
func sample() *report {
	return &report{Machine: "a <machine>", Rounds: 3, Results: []result{{
		Name: "ping", Title: "there & back", Cores: 2, Stacks: []string{ours, gvisor, kernel},
		Runs: map[string][]figures{
			ours:   {{"p50 µs": 9}, {"p50 µs": 3}, {"p50 µs": 4}},
			gvisor: {{"p50 µs": 10}, {"p50 µs": 20}},
		},
		Errors:  map[string]string{kernel: "no <namespace>"},
		Metrics: pingWorkloads()[0].Metrics,
	}}}
}

func TestSpread(t *testing.T) {
	r := &sample().Results[0]
	if s, ok := r.spread(ours, "p50 µs"); !ok || s != (spread{4, 3, 9}) {
		t.Errorf("of three runs: %v, %v", s, ok)
	}
	if s, ok := r.spread(gvisor, "p50 µs"); !ok || s != (spread{15, 10, 20}) {
		t.Errorf("of two runs: %v, %v", s, ok)
	}
	if _, ok := r.spread(kernel, "p50 µs"); ok {
		t.Error("of none, there is a median")
	}
}

func TestJudge(t *testing.T) {
	r := &sample().Results[0]
	for _, x := range []struct {
		metric metric
		goal   goal
		held   bool
		ok     bool
	}{
		{metric{Key: "p50 µs"}, goal{ours, gvisor, 0.5, 0}, true, true},                // 4/15
		{metric{Key: "p50 µs"}, goal{ours, gvisor, 0.25, 0}, true, false},              //
		{metric{Key: "p50 µs"}, goal{ours, gvisor, 0.25, 1}, false, false},             // for one core only
		{metric{Key: "p50 µs", Higher: true}, goal{ours, gvisor, 0.5, 0}, true, false}, //
		{metric{Key: "p50 µs"}, goal{ours, "", 4, 0}, true, true},
		{metric{Key: "p50 µs"}, goal{ours, kernel, 1, 0}, false, false}, // which has failed
	} {
		v, held := r.judge(x.metric, x.goal)
		if held != x.held || v.ok != x.ok {
			t.Errorf("%+v of %+v: held %v, reached %v", x.goal, x.metric, held, v.ok)
		}
	}
}

// What was saved is shown as it was.
func TestReadReport(t *testing.T) {
	r := sample()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := readReport(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := again.text(), r.text(); got != want {
		t.Errorf("shown as\n%s\nand not\n%s", got, want)
	}
	page := string(again.html())
	for _, want := range []string{"a &lt;machine&gt;", "no &lt;namespace&gt;", "<rect", "</svg>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// Every workload can be chosen by its name, and measures gVisor or says why not
// by leaving it out.
func TestWorkloads(t *testing.T) {
	seen := make(map[string]bool)
	for _, w := range workloads() {
		if seen[w.Name] {
			t.Errorf("two workloads are called %s", w.Name)
		}
		seen[w.Name] = true
		if w.Run == nil || len(w.Cores) == 0 || len(w.Metrics) == 0 || len(w.Stacks) < 2 {
			t.Errorf("%s is not whole", w.Name)
		}
		for _, m := range w.Metrics {
			for _, g := range m.Goals {
				if g.Times < 0 {
					t.Errorf("%s: goal %+v", w.Name, g)
				}
			}
		}
	}
	if _, err := choose("nothing like this", 0); err == nil {
		t.Error("a name that nothing has is taken")
	}
}
