// Command torture tells stories of a client that makes connections with Fast
// Open across a bad network, one for each combination of a Fast Open case, a
// network, a middlebox and a seed, and checks each of them:
//
//   - the bytes are delivered once, in order and whole, on both sides;
//   - every connection ends, and leaves no timer, buffer, pending slot or queue
//     entry behind;
//   - where the network leaves nothing to chance, no connection takes longer
//     than the same without Fast Open by more than one retransmission timeout,
//     and the same time once the client's memory knows the path.
//
// With -case it tells one story, packet by packet.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

func main() {
	n := flag.Int("n", 1_000_000, "tell stories until so many `connections` were made")
	only := flag.String("case", "", "tell one story, `fast/network/box/seed`, and print every packet")
	workers := flag.Int("workers", runtime.GOMAXPROCS(0), "stories told at a time")
	flag.Parse()
	if *only != "" {
		os.Exit(replay(*only))
	}
	seeds := (*n + perSeed() - 1) / perSeed()
	t := newTally(seeds * perSeed())
	stop := t.report(os.Stderr, 5*time.Second)
	t.run(seeds, *workers)
	stop()
	fmt.Print(t.summary())
	if t.failed > 0 {
		os.Exit(1)
	}
}

// replay tells one story and what is wrong with it.
func replay(text string) int {
	c, err := parseCase(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		return 2
	}
	s := tell(c, os.Stdout)
	wrong := s.check()
	if !c.plain {
		c.plain = true
		wrong = append(wrong, s.compare(tell(c, nil))...)
	}
	for _, w := range wrong {
		fmt.Println("WRONG:", w)
	}
	return min(len(wrong), 1)
}
