package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/sim"
)

const demoLong = `demo shows what TCP Fast Open does, on a network that is only calculated: two
hosts of this project's own TCP, 100 ms apart, on a clock that takes no time.
Nothing is installed, nothing is sent, and no privileges are needed.

A client asks a server for something three times: at the first contact, on a
later visit, and with something on the way that does not like Fast Open. Every
packet is drawn where it is sent and where it arrives, with the time at both
ends, and each exchange is compared with plain TCP on the same path.

--middlebox chooses what is on the way of the third one:
`

const demoExample = `  tfo demo
  tfo demo --rtt 250ms                        across an ocean
  tfo demo --middlebox strip-both             one that takes the option out
  tfo demo --loss 5 --seed 3                  on a bad day
  tfo demo --svg demo.svg --pcap demo.pcap    a drawing, and the packets for Wireshark`

// demoFlags are the flags of tfo demo.
type demoFlags struct {
	rtt       seconds
	loss      percentage
	seed      uint64
	middlebox string
	pcap      string
	svg       string
	plain     bool
	json      bool
}

func newDemo() *cobra.Command {
	f := &demoFlags{rtt: seconds(100 * time.Millisecond)}
	long := demoLong + "\n"
	for _, b := range middleboxes {
		long += fmt.Sprintf("  %-20s  %s\n", b.name, b.what)
	}
	long += "\nExit codes: 0 it was shown, 1 a file could not be written, 2 the command line is\nwrong."
	cmd := &cobra.Command{
		Use:               "demo",
		Short:             "Show what Fast Open does, packet by packet, on a calculated network",
		Long:              long,
		Example:           demoExample,
		ValidArgsFunction: cobra.NoFileCompletions,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("demo takes no arguments, and %q is one: see its flags", args[0])
			}
			return nil
		},
	}
	cmd.RunE = verb(func(cmd *cobra.Command, _ []string) error { return f.run(cmd.OutOrStdout()) })
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(&f.rtt, "rtt", "how long a packet takes to the server and back")
	flags.Var(&f.loss, "loss", "how many packets of a hundred get lost")
	flags.Uint64Var(&f.seed, "seed", 1, "another number `N` loses other packets")
	flags.StringVar(&f.middlebox, "middlebox", "drop-syn-data", "what is on the way of the third exchange, by `NAME`")
	flags.StringVar(&f.pcap, "pcap", "", "also write the packets to `FILE`, as the client sees them, for Wireshark or tcpdump")
	flags.StringVar(&f.svg, "svg", "", "also draw the exchanges into `FILE`, as a picture for web pages (SVG)")
	flags.BoolVar(&f.plain, "plain", false, "draw with ASCII characters and without colours")
	flags.BoolVar(&f.json, "json", false, "print a JSON object for each exchange instead of drawing it")
	cmd.RegisterFlagCompletionFunc("middlebox", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, b := range middleboxes {
			names = append(names, b.name+"\t"+b.what)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// run calculates the exchanges and shows them.
func (f *demoFlags) run(stdout io.Writer) error {
	d, err := f.demo()
	if err != nil {
		return err
	}
	if err := f.save(f.pcap, "the packets", func(w io.Writer) error {
		if f.pcap != "" {
			d.pcap = sim.NewPcap(w)
		}
		d.run()
		if d.pcap != nil {
			return d.pcap.Err()
		}
		return nil
	}); err != nil {
		return err
	}
	if err := f.save(f.svg, "the drawing", d.svg); err != nil {
		return err
	}
	if f.json {
		for _, x := range d.exchanges {
			b, err := json.Marshal(x.record())
			if err != nil {
				return err
			}
			fmt.Fprintf(stdout, "%s\n", b)
		}
		return nil
	}
	l := ladder{palette: paint(stdout), pen: fine}
	if f.plain {
		l = ladder{pen: coarse}
	}
	_, err = io.WriteString(stdout, l.draw(d))
	return err
}

// demo checks the flags.
func (f *demoFlags) demo() (*demo, error) {
	rtt := time.Duration(f.rtt)
	if rtt < time.Millisecond || rtt > 10*time.Second {
		return nil, usagef("--rtt %v is out of range: use 1ms to 10s", rtt)
	}
	i := slices.IndexFunc(middleboxes, func(b middlebox) bool { return b.name == f.middlebox })
	if i < 0 {
		return nil, usagef("there is no middlebox %q: use %s", f.middlebox, strings.Join(boxNames(), ", "))
	}
	if f.svg != "" && f.svg == f.pcap {
		return nil, usagef("--svg and --pcap name the same file: give each one of its own")
	}
	if f.svg == "-" || f.pcap == "-" {
		return nil, usagef("--svg and --pcap write to files, not to stdout: name one")
	}
	return newDemonstration(rtt, float64(f.loss)/100, f.seed, middleboxes[i]), nil
}

// save calls write with a file that appears when it is written as a whole.
func (f *demoFlags) save(name, what string, write func(io.Writer) error) error {
	if name == "" {
		return write(io.Discard)
	}
	out, err := openFile(name, what)
	if err != nil {
		return err
	}
	if err := write(out); err != nil {
		out.abort()
		return fmt.Errorf("cannot write %s to %s: %w", what, name, reason(err))
	}
	return out.commit()
}
