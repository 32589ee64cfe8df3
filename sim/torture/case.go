package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A testCase is one story: how client and server use Fast Open, what the network
// does to packets, which middlebox is in the way, and the seed of everything
// that is left to chance.
type testCase struct {
	fast, net, box string
	seed           uint64
	plain          bool // the same story without Fast Open
}

// String is what the flag -case takes.
func (c testCase) String() string {
	s := fmt.Sprintf("%s/%s/%s/%d", c.fast, c.net, c.box, c.seed)
	if c.plain {
		s += "/plain"
	}
	return s
}

// parseCase reads what String writes.
func parseCase(s string) (c testCase, err error) {
	f := strings.Split(s, "/")
	if len(f) == 5 && f[4] == "plain" {
		c.plain = true
		f = f[:4]
	}
	if len(f) != 4 {
		return c, fmt.Errorf("case %q: want fast/network/box/seed, perhaps with /plain after it", s)
	}
	c.fast, c.net, c.box = f[0], f[1], f[2]
	if c.seed, err = strconv.ParseUint(f[3], 10, 64); err != nil {
		return c, fmt.Errorf("case %q: the seed %q is not a number", s, f[3])
	}
	for _, x := range []struct {
		what, name string
		known      []string
	}{{"Fast Open case", c.fast, names(fasts)}, {"network", c.net, names(networks)}, {"box", c.box, names(boxes)}} {
		if !slices.Contains(x.known, x.name) {
			return c, fmt.Errorf("case %q: no %s %q; there are %s", s, x.what, x.name, strings.Join(x.known, ", "))
		}
	}
	return c, nil
}

// cases yields the product of everything, with the given number of seeds each.
func cases(seeds int) func(yield func(testCase) bool) {
	return func(yield func(testCase) bool) {
		for k := range seeds {
			for f := range fasts {
				for n := range networks {
					for b := range boxes {
						cell := uint64((f*len(networks)+n)*len(boxes) + b)
						c := testCase{fast: fasts[f].name, net: networks[n].name, box: boxes[b].name, seed: cell*1000 + uint64(k) + 1}
						// Two ends that dial each other need each
						// other's address.
						if fasts[f].v.both && (boxes[b].v.servers > 0 || c.box == "nat") {
							continue
						}
						if !yield(c) {
							return
						}
					}
				}
			}
		}
	}
}

// named is a row of one of the tables.
type named[T any] struct {
	name string
	v    T
}

func names[T any](table []named[T]) (all []string) {
	for _, x := range table {
		all = append(all, x.name)
	}
	return all
}

func find[T any](table []named[T], name string) (v T) {
	for _, x := range table {
		if x.name == name {
			return x.v
		}
	}
	return v
}

func prefixed(prefix string, all []string) (with []string) {
	for _, s := range all {
		with = append(with, prefix+s)
	}
	return with
}

// sorted is the keys of m in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
