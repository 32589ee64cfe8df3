package main

import (
	"flag"
	"regexp"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/sim"
)

var seeds = flag.Int("seeds", 1, "stories of each combination of Fast Open case, network and middlebox")

// Every combination, each with one seed. The command tells more of them.
func TestTorture(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	tally := newTally(*seeds * perSeed())
	tally.run(*seeds, 2)
	for _, f := range tally.failures {
		t.Error(f)
	}
	t.Log("\n" + tally.summary())
	if t.Failed() {
		t.Log("to see one packet by packet: go run ./sim/torture -case fast/network/box/seed")
	}
	if tally.made < *seeds*10000 {
		t.Errorf("only %d connections", tally.made)
	}
}

// The same case is the same story.
func TestReplay(t *testing.T) {
	for _, text := range []string{"standard/everything/nat/1", "one-pending/loss5/balancer/2", "simultaneous/jitter/rewrite/3/plain"} {
		c, err := parseCase(text)
		if err != nil || c.String() != text {
			t.Fatalf("%s: %v, %v", text, c, err)
		}
		a, b := tell(c, nil), tell(c, nil)
		for i := range a.conns {
			if a.conns[i].took() != b.conns[i].took() || a.conns[i].outcome != b.conns[i].outcome {
				t.Errorf("%v: connection %d took %v, then %v", c, i, a.conns[i].took(), b.conns[i].took())
			}
		}
		if a.net.Now() != b.net.Now() {
			t.Errorf("%v: ended at %v, then at %v", c, a.net.Now(), b.net.Now())
		}
	}
	for _, text := range []string{"", "standard/clean/none", "x/clean/none/1", "standard/x/none/1", "standard/clean/x/1", "standard/clean/none/x", "standard/clean/none/1/x"} {
		if _, err := parseCase(text); err == nil {
			t.Errorf("%q was taken for a case", text)
		}
	}
}

// What should be found is found.
func TestFinds(t *testing.T) {
	defer func(n int) { boxes = boxes[:n] }(len(boxes))
	lie := func(change func(d sim.Dir, packet []byte) []byte) box {
		return fixed(func() sim.Box {
			return func(_ time.Time, d sim.Dir, packet []byte, emit func(sim.Dir, []byte)) { emit(d, change(d, packet)) }
		})
	}
	boxes = append(boxes,
		named[box]{"swap", lie(func(_ sim.Dir, p []byte) []byte {
			if n := len(p); n > 600 { // two words change places: the checksum stays
				a, b := [2]byte(p[n-100:]), [2]byte(p[n-200:])
				copy(p[n-100:], b[:])
				copy(p[n-200:], a[:])
			}
			return p
		})},
		named[box]{"slow-syn-data", fixed(func() sim.Box { return sim.Drop(func(s sim.Seen) bool { return s.FastOpen }) })},
	)
	found := map[string]bool{}
	for seed := range uint64(40) {
		for _, b := range []string{"swap", "slow-syn-data"} {
			c := testCase{fast: "standard", net: "clean", box: b, seed: seed}
			for _, w := range tell(c, nil).check() {
				found[b+": "+regexp.MustCompile(`^connection \d: |[0-9]+ of.*|\d+`).ReplaceAllString(w, "")] = true
			}
		}
	}
	if !found["swap: client: byte "] || len(found) < 2 {
		t.Errorf("found %v", found)
	}
}
