package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

// An alteration changes the Fast Open queue of listeners.
type alteration struct {
	verb         string                      // attach or detach
	plan         func(l kernel.Listener) int // the queue to be
	dryRun, json bool
}

// An altered listener is what became of one.
type altered struct {
	kernel.Listener
	place kernel.Namespace
	asked int
	after int // or, in a dry run, what it would be
	err   error
}

// each alters every listener that the flags choose, and shows each before and
// after.
func (f *listenerFlags) each(cmd *cobra.Command, a alteration) error {
	places, err := f.places()
	if err != nil {
		return err
	}
	var (
		done   []altered
		found  []kernel.Listener
		hidden bool
		off    []remark
	)
	for _, place := range places {
		err := within(place, func() error {
			chosen, some, err := f.find()
			if err != nil {
				return err
			}
			found, hidden = append(found, chosen...), hidden || some
			for _, l := range chosen {
				done = append(done, a.alter(place, l))
			}
			if len(chosen) > 0 && a.verb == "attach" {
				off = append(off, f.effect(place)...)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(found) == 0 {
		return f.nobody(places[len(places)-1], hidden)
	}
	out, errs := cmd.OutOrStdout(), cmd.ErrOrStderr()
	if a.json {
		for _, d := range done {
			writeJSON(out, a.record(d, off))
		}
	} else {
		a.table(out, done)
	}
	failed := complaints(errs, cmd.CommandPath(), done)
	if missing := f.missing(found); len(missing) > 0 {
		failed = true
		complain(errs, cmd.CommandPath(), fmt.Errorf("nobody listens on %s", ports(missing)))
	}
	if !a.json {
		f.notes(errs, a, done, off)
	}
	if failed {
		return errReported
	}
	return nil
}

func (a alteration) alter(place kernel.Namespace, l kernel.Listener) altered {
	d := altered{Listener: l, place: place, asked: a.plan(l), after: l.Queue}
	switch {
	case d.asked == l.Queue: // nothing to do, and no right is needed for that
	case a.dryRun:
		d.err = kernel.Reach(l)
		if d.err == nil {
			d.after = d.asked
			if s, err := kernel.ReadSettings(); err == nil && s.Backlog > 0 {
				d.after = min(d.after, s.Backlog) // as the kernel will
			}
		}
	case d.asked == 0:
		d.err = kernel.Detach(l)
		if d.err == nil {
			d.after = 0
		}
	default:
		d.after, d.err = kernel.Attach(l, d.asked)
	}
	return d
}

// table shows every listener before and after.
func (a alteration) table(w io.Writer, done []altered) {
	p := paint(w)
	after := "AFTER"
	if a.dryRun {
		after = "WOULD BE"
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "LISTENER\tSERVER\tBACKLOG\tFAST OPEN BEFORE\t%s\n", after)
	for _, d := range done {
		now := queueWord(d.after)
		switch {
		case d.err != nil:
			now = p.red("failed")
		case d.after == d.Queue:
			now += " (as before)"
		case d.after > 0:
			now = p.green(now)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", printable(d.Listener.String()), printable(owners(d.Listener)), d.Backlog, queueWord(d.Queue), now)
	}
	t.Flush()
}

// queueWord is "off" or "queue 511".
func queueWord(n int) string {
	if n == 0 {
		return "off"
	}
	return fmt.Sprintf("on, queue %d", n)
}

// owners says who holds a listener: "nginx (pid 812 and 2 more)".
func owners(l kernel.Listener) string {
	if len(l.Owners) == 0 {
		if l.Hidden && os.Geteuid() != 0 {
			return "another user's"
		}
		return "not to be seen here"
	}
	first := l.Owners[0]
	if n := len(l.Owners) - 1; n > 0 {
		return fmt.Sprintf("%s (pid %d and %d more)", first.Name, first.PID, n)
	}
	return first.String()
}

// complaints tells why listeners could not be altered, each reason once, and
// reports whether there were any.
func complaints(w io.Writer, who string, done []altered) bool {
	var reasons []string
	where := map[string][]string{}
	for _, d := range done {
		if d.err == nil {
			continue
		}
		reason := plainText(d.err)
		var a *kernel.AttachError
		if errors.As(d.err, &a) {
			reason = a.Reason
		}
		if where[reason] == nil {
			reasons = append(reasons, reason)
		}
		where[reason] = append(where[reason], d.Listener.String())
	}
	for _, reason := range reasons {
		at := where[reason]
		if n := len(at); n > 8 {
			at = append(at[:7:7], fmt.Sprintf("%d more", n-7))
		}
		complain(w, who, fmt.Errorf("cannot change Fast Open at %s: %s", listing(at), reason))
	}
	return len(reasons) > 0
}
