// Command throughput prints what part of a path's rate a transfer between two
// hosts of package tcp reaches, over paths of many kinds, on a virtual clock.
// The tests compare it with the table in testdata, and with what Linux reached
// on the same paths.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
)

func main() {
	cells := slices.Concat(clean(), lossy(), measured())
	shares, err := means(cells, runtime.GOMAXPROCS(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "throughput:", err)
		os.Exit(1)
	}
	for i, c := range cells {
		fmt.Println(row(c, shares[i]))
	}
}
