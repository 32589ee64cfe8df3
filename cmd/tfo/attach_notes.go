package main

import (
	"fmt"
	"io"

	"github.com/fastopen-go/fastopen/kernel"
)

// A remark says what else must be done, and with which command.
type remark struct {
	text   string // goes on after "This has"
	remedy string
}

// effect says what keeps Fast Open from having an effect in the calling
// thread's namespace, which place is.
func (f *listenerFlags) effect(place kernel.Namespace) []remark {
	bits, err := kernel.FastOpen()
	if err != nil || bits.Server() {
		return nil
	}
	where := "here"
	if place != (kernel.Namespace{}) {
		where = "in " + place.String()
	}
	return []remark{{
		fmt.Sprintf(" no effect yet: the kernel has Fast Open off for servers %s (%s is %v).", where, kernel.Name, bits),
		f.command(place, bits.TurnOn(kernel.ServerBit)),
	}}
}

// notes says what a person should know after the table.
func (f *listenerFlags) notes(w io.Writer, a alteration, done []altered, off []remark) {
	p := paint(w)
	cut, changed, on := altered{}, altered{}, false
	for _, d := range done {
		on = on || d.err == nil
		if d.err == nil && d.after < d.asked && d.asked > cut.asked {
			cut = d
		}
		if d.err == nil && d.after != d.Queue {
			changed = d
		}
	}
	has, cuts := "This has", "The kernel has cut"
	if a.dryRun {
		has, cuts = "This would have", "The kernel would cut"
	}
	for _, r := range off {
		if on {
			fmt.Fprintf(w, "%s Turn it on with: %s\n", p.yellow(has+printable(r.text)), p.bold(printable(r.remedy)))
		}
	}
	if cut.asked > 0 {
		fmt.Fprintf(w, "%s the queue from %d to %d, which is as much as net.core.somaxconn allows. For more: %s, and attach again.\n",
			cuts, cut.asked, cut.after, f.command(cut.place, fmt.Sprintf("sysctl -w net.core.somaxconn=%d", cut.asked)))
	}
	switch {
	case a.dryRun:
		fmt.Fprintln(w, "Nothing was changed (--dry-run).")
	case a.verb == "attach" && changed.asked > 0:
		fmt.Fprintf(w, "This lasts until the server is restarted. To keep it: add --watch%s.\n", ownSetting(changed.Listener))
	}
}

// ownSetting is how a server turns Fast Open on itself, "" if that is not
// known.
func ownSetting(l kernel.Listener) string {
	for _, o := range l.Owners {
		switch o.Name {
		case "nginx":
			return ", or fastopen=256 to one listen line for each address in nginx's configuration"
		case "haproxy":
			return ", or tfo to the bind lines of haproxy's configuration"
		}
	}
	return ""
}

// An alteredRecord is the JSON object for a listener.
type alteredRecord struct {
	Event     string        `json:"event"` // "attach" or "detach"
	Listener  string        `json:"listener"`
	Namespace string        `json:"namespace,omitempty"` // if it is another one
	Inode     uint64        `json:"inode"`
	MPTCP     bool          `json:"mptcp"`
	Processes []ownerRecord `json:"processes"`
	Backlog   int           `json:"backlog"`
	Before    int           `json:"before"` // the Fast Open queue, 0 where it is off
	After     int           `json:"after"`
	Asked     int           `json:"asked"`
	DryRun    bool          `json:"dry_run,omitempty"`
	Effective *bool         `json:"effective,omitempty"` // for attach: the kernel has Fast Open on for servers
	Remedy    string        `json:"remedy,omitempty"`    // the command that makes it effective
	Error     string        `json:"error,omitempty"`
}

type ownerRecord struct {
	PID     int      `json:"pid"`
	Name    string   `json:"name"`
	Command []string `json:"command,omitempty"`
	FDs     []int    `json:"fds"`
}

func (a alteration) record(d altered, off []remark) alteredRecord {
	r := alteredRecord{
		Event: a.verb, Listener: d.Listener.String(), Inode: d.Inode, MPTCP: d.MPTCP, Processes: ownerRecords(d.Listener),
		Backlog: d.Backlog, Before: d.Queue, After: d.after, Asked: d.asked, DryRun: a.dryRun,
	}
	if d.place != (kernel.Namespace{}) {
		r.Namespace = d.place.String()
	}
	if d.err != nil {
		r.Error = plainText(d.err)
	}
	if a.verb == "attach" {
		effective := len(off) == 0
		r.Effective = &effective
		if !effective {
			r.Remedy = off[0].remedy
		}
	}
	return r
}

func ownerRecords(l kernel.Listener) []ownerRecord {
	list := []ownerRecord{}
	for _, o := range l.Owners {
		list = append(list, ownerRecord(o))
	}
	return list
}
