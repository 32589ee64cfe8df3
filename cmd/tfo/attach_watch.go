package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

// A keeping is an attach --watch that runs.
type keeping struct {
	flags *attachFlags
	cmd   *cobra.Command
	place kernel.Namespace
	k     kernel.Keeper
	log   logbook
	told  bool // that the kernel has Fast Open off
}

// A keepRecord is the JSON object for a change.
type keepRecord struct {
	Event     string        `json:"event"` // start, attached, found-on, failed, turned-off, turned-on, closed, restored, ineffective, effective, stop
	Time      time.Time     `json:"time"`
	Listener  string        `json:"listener,omitempty"`
	Inode     uint64        `json:"inode,omitempty"`
	Processes []ownerRecord `json:"processes,omitempty"`
	Before    *int          `json:"before,omitempty"`
	After     *int          `json:"after,omitempty"`
	Error     string        `json:"error,omitempty"`
	Remedy    string        `json:"remedy,omitempty"`
}

// stay keeps Fast Open on until ctx is done.
func (f *attachFlags) stay(ctx context.Context, cmd *cobra.Command) error {
	places, err := f.chosen.places()
	if err != nil {
		return err
	}
	w := &keeping{flags: f, cmd: cmd, place: places[0],
		k:   kernel.Keeper{Selection: f.chosen.selection(), Queue: f.queue, Namespace: places[0]},
		log: logbook{stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr(), json: f.json},
	}
	defer w.k.Close()
	changes, err := w.look()
	if err != nil {
		return err
	}
	on, right := 0, error(nil)
	for _, c := range changes {
		if c.Err == nil {
			on++
		} else if errors.Is(c.Err, fs.ErrPermission) || errors.Is(c.Err, errors.ErrUnsupported) {
			right = c.Err
		}
	}
	if on == 0 && right != nil {
		return errReported // nothing that comes would go better
	}
	if len(changes) == 0 {
		w.say(time.Now(), "Nobody%s yet: waiting.", f.chosen.who())
	}
	if f.json {
		w.log.object(keepRecord{Event: "start", Time: time.Now()})
	}
	for err == nil && w.k.Wait(ctx, time.Duration(f.interval)) == nil {
		_, err = w.look()
	}
	if f.undo {
		changes, failed := w.k.Undo()
		w.tell(changes)
		err = cmp.Or(err, failed)
	}
	if err != nil {
		return err
	}
	if f.json {
		w.log.object(keepRecord{Event: "stop", Time: time.Now()})
	}
	return nil
}

// look finds out what has changed, and tells.
func (w *keeping) look() ([]kernel.Change, error) {
	changes, err := w.k.Look(time.Now())
	w.tell(changes)
	if err != nil {
		return nil, err
	}
	return changes, within(w.place, func() error {
		w.effect()
		return nil
	})
}

// effect tells when the kernel's own setting begins, or ceases, to be in the
// way.
func (w *keeping) effect() {
	off := w.flags.chosen.effect(w.place)
	if (len(off) > 0) == w.told {
		return
	}
	w.told = !w.told
	now := time.Now()
	if !w.told {
		w.say(now, "Fast Open is on for servers now.")
		w.object(keepRecord{Event: "effective", Time: now})
		return
	}
	w.say(now, "This has%s Turn it on with: %s", printable(off[0].text), printable(off[0].remedy))
	w.object(keepRecord{Event: "ineffective", Time: now, Remedy: off[0].remedy})
}

// tell writes a line for each change.
func (w *keeping) tell(changes []kernel.Change) {
	now := time.Now()
	for _, c := range changes {
		r := keepRecord{
			Event: strings.ReplaceAll(c.Kind.String(), " ", "-"), Time: now, Listener: c.Listener.String(), Inode: c.Listener.Inode,
			Processes: ownerRecords(c.Listener), Before: &c.Listener.Queue, After: &c.Queue,
		}
		if c.Err != nil {
			r.Error = plainText(c.Err)
		}
		w.object(r)
		if c.Err != nil {
			complain(w.cmd.ErrOrStderr(), w.cmd.CommandPath(), c.Err)
			continue
		}
		what := ""
		switch c.Kind {
		case kernel.Attached:
			what = fmt.Sprintf("turned Fast Open on (queue %d)", c.Queue)
			if c.Listener.Queue > 0 {
				what = fmt.Sprintf("changed the Fast Open queue from %d to %d", c.Listener.Queue, c.Queue)
			}
			if c.Queue < w.flags.queue {
				what += fmt.Sprintf(", as net.core.somaxconn allows no more than %d", c.Queue)
			}
		case kernel.Found:
			what = fmt.Sprintf("Fast Open is on already (queue %d)", c.Queue)
		case kernel.TurnedOff:
			what = "somebody turned Fast Open off; it is left off until the server restarts"
		case kernel.TurnedOn:
			what = fmt.Sprintf("somebody turned Fast Open on again (queue %d)", c.Queue)
		case kernel.Closed:
			what = "the socket is closed"
		case kernel.Restored:
			what = "put back to what it was: " + queueWord(c.Queue)
		}
		w.say(now, "%s  %s: %s", printable(c.Listener.String()), printable(owners(c.Listener)), what)
	}
}

// say writes a line for people.
func (w *keeping) say(now time.Time, format string, args ...any) {
	if !w.flags.json {
		w.log.line(w.log.stdout, clock(now)+"  "+format, args...)
	}
}

// object writes one for programs.
func (w *keeping) object(r keepRecord) {
	if w.flags.json {
		w.log.object(r)
	}
}

// who goes on after "nobody", and says whom the flags choose: "listens on port
// 80".
func (f *listenerFlags) who() string {
	who := " listens"
	if f.process != "" {
		who = " called " + f.process + who
	}
	if len(f.ports) > 0 {
		who += " on " + ports(f.ports)
	}
	return who
}
