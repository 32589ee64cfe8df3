package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fastopen-go/fastopen/kernel"
)

// report says what changed. Its error says what will not be as asked: after the
// next boot, or, of a dry run, at all.
func (s *switching) report() error {
	out := s.cmd.OutOrStdout()
	if s.flags.json {
		if err := s.writeJSON(out); err != nil {
			return err
		}
	} else {
		s.writeText(out)
	}
	if s.forgetful != nil && s.after != s.before {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "%s %v, so tfo disable --undo cannot put back the running value: to do so, run sysctl -w %s=%d\n",
			paint(s.cmd.ErrOrStderr()).yellow("note:"), strings.TrimPrefix(s.forgetful.Error(), "kernel: "), kernel.Name, int32(s.before))
	}
	if s.obstacle != nil {
		return advise(s.cmd, s.obstacle)
	}
	if b := s.boot; b != nil && b.Winner != nil && !s.flags.undo {
		why := ""
		if b.Winner.Refused != "" {
			why = fmt.Sprintf(" and its value, %s, %s, which the kernel refuses", printable(b.Winner.Value), b.Winner.Refused)
		}
		return fmt.Errorf("the next boot will set %s to %d, because %s wins over %s%s: change that line to %s = %d",
			kernel.Name, int32(b.After), b.Winner.Where(), kernel.PersistFile, why, kernel.Name, int32(b.Want))
	}
	if b := s.boot; b != nil && !s.flags.undo && b.Boot.Unsure() {
		return errors.New("it is not sure what the next boot will do: " + b.Boot.Doubt())
	}
	return nil
}

func (s *switching) writeText(out io.Writer) {
	p := paint(out)
	s.line(out, "running", s.before, s.after, "")
	switch b := s.boot; {
	case b != nil && (b.Wrote || b.Removed || s.flags.persist || s.flags.undo):
		s.line(out, "next boot", b.Before, b.After, s.file())
	case s.after != s.before && !s.elsewhere() && !s.flags.undo:
		if boot := kernel.Boot("").Bits(); boot != s.after {
			s.line(out, "next boot", boot, boot, "--persist makes it stay")
		}
	}
	changed := s.after != s.before || s.boot != nil && (s.boot.Wrote || s.boot.Removed)
	switch {
	case s.flags.dry:
		fmt.Fprintln(out, p.faint("Nothing was changed: this was a dry run."))
	case s.flags.undo && !changed:
		fmt.Fprintln(out, p.faint("There was nothing to undo."))
	case s.flags.undo || !changed:
	default:
		if s.after.Server() && !s.before.Server() {
			fmt.Fprintln(out, p.faint("Servers that ask for Fast Open have it from now on; tfo attach gives it to those that do not ask."))
		}
		if s.forgetful == nil {
			fmt.Fprintln(out, p.faint("To put it back: tfo disable --undo"+s.where()))
		}
	}
}

// where are the flags that choose the namespace, as they were given.
func (s *switching) where() string {
	f := &s.flags.namespace
	switch {
	case f.netns != "":
		return " --netns " + f.netns
	case f.pid != 0:
		return fmt.Sprintf(" --pid %d", f.pid)
	}
	return ""
}

// line prints a value before and after, and a remark.
func (s *switching) line(out io.Writer, what string, before, after kernel.Bits, remark string) {
	p := paint(out)
	value, meaning, _ := strings.Cut(after.String(), ": ")
	change := value + " (as it was)"
	if before != after {
		change = fmt.Sprintf("%d -> %s", int32(before), value)
		if s.flags.dry {
			change += " (would be)"
		}
	}
	text := fmt.Sprintf("%-10s %s", what, p.bold(change)+": "+meaning)
	if remark != "" {
		text += "; " + remark
	}
	fmt.Fprintln(out, text)
}

// file says what was done to the file.
func (s *switching) file() string {
	would := func(did, would string) string {
		if s.flags.dry {
			return kernel.PersistFile + " would be " + would
		}
		return kernel.PersistFile + " was " + did
	}
	switch b := s.boot; {
	case b.Removed:
		return would("removed", "removed")
	case b.Wrote:
		return would("written", "written")
	}
	return "no file had to be changed"
}

// switchReport is what --json prints.
type switchReport struct {
	DryRun  bool        `json:"dry_run"`
	Running valueReport `json:"running"`
	Boot    *bootChange `json:"boot,omitempty"` // with --persist and --undo
}

type valueReport struct {
	Before  int32  `json:"before"`
	After   int32  `json:"after"`
	Meaning string `json:"meaning"` // of after
}

type bootChange struct {
	valueReport
	Wanted int32  `json:"wanted"` // another than after if winner is
	File   string `json:"file"`
	Action string `json:"action"`           // on the file: "written", "removed" or "none"
	Winner string `json:"winner,omitempty"` // the line, FILE:LINE, that wins over the file
	Reader string `json:"reader"`           // the program that reads the file at boot
}

func newValueReport(before, after kernel.Bits) valueReport {
	_, meaning, _ := strings.Cut(after.String(), ": ")
	return valueReport{int32(before), int32(after), meaning}
}

func (s *switching) writeJSON(out io.Writer) error {
	r := switchReport{DryRun: s.flags.dry, Running: newValueReport(s.before, s.after)}
	if b := s.boot; b != nil {
		r.Boot = &bootChange{newValueReport(b.Before, b.After), int32(b.Want), kernel.PersistFile, "none", "", b.Boot.Reader.String()}
		switch {
		case b.Removed:
			r.Boot.Action = "removed"
		case b.Wrote:
			r.Boot.Action = "written"
		}
		if b.Winner != nil {
			r.Boot.Winner = b.Winner.Where()
		}
	}
	return printJSON(out, r)
}
