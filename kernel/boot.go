package kernel

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// A Reader is a program that reads the files with settings at boot. Both read
// the *.conf files of /etc/sysctl.d, /run/sysctl.d, /usr/local/lib/sysctl.d,
// /usr/lib/sysctl.d and /lib/sysctl.d, in the order of their names whatever the
// directory, and of two with one name only that of the first directory. They
// differ in three things:
//
//   - /etc/sysctl.conf: Procps reads it after all others, Systemd not at all,
//     unless a link in one of the directories leads there.
//   - Files whose name begins with a dot: Procps reads them, Systemd does not.
//   - A name that is assigned twice: Procps sets both in turn, so the first
//     stands where the kernel refuses the second. Systemd sets the last alone.
type Reader uint8

const (
	// Systemd is systemd-sysctl of systemd. It is the zero value.
	Systemd Reader = iota
	// Procps is sysctl --system of procps-ng, on hosts without systemd.
	Procps
)

// String returns the name of the program.
func (r Reader) String() string {
	if r == Procps {
		return "sysctl --system"
	}
	return "systemd-sysctl"
}

// A BootPlan says what the settings of the host's own network namespace will
// be after the next boot. Other namespaces, those of containers among them,
// start from the kernel's defaults.
type BootPlan struct {
	Reader    Reader // that runs on this host, as far as can be told
	FastOpen  BootSetting
	Keys      BootSetting
	Blackhole BootSetting
	Troubles  []Trouble // in the order in which they were found
}

// Bits returns the value of net.ipv4.tcp_fastopen after the next boot.
func (p BootPlan) Bits() Bits {
	n, err := strconv.ParseInt(p.FastOpen.After(p.Reader).Value, 10, 32)
	if err != nil {
		panic("kernel: an outcome that is no number: " + err.Error()) // Boot makes none
	}
	return Bits(n)
}

// Unsure reports whether something could not be read that may change the
// outcome.
func (p BootPlan) Unsure() bool { return p.Doubt() != "" }

// Doubt returns the first trouble that makes the outcome unsure, as one
// sentence without the full stop; "" if there is none.
func (p BootPlan) Doubt() string {
	for _, t := range p.Troubles {
		if t.Unsure {
			return t.String()
		}
	}
	return ""
}

// A BootSetting is one setting and all that is said about it.
type BootSetting struct {
	Name  string
	Lines []BootLine // in the order in which they are read: later ones win, save that a Pattern never wins over a name

	after [2]Outcome // by Reader
}

// After returns what a Reader makes of it.
func (s BootSetting) After(r Reader) Outcome { return s.after[r] }

// A BootLine is a line that assigns a value to a setting.
type BootLine struct {
	File       string // where it was found: "/etc/sysctl.d/30-tcp_fastopen.conf", "/proc/cmdline" for the kernel's command line
	Target     string // the file that File is a link to, "" if it is none
	Line       int    // from 1, or 0 if File has no lines
	Pattern    string // the name as written, if that is a pattern such as net.ipv4.tcp_*
	Value      string // as written; of keys the fingerprints
	Refused    string // why the kernel refuses the value, as in "is no number"; "" if it does not
	ProcpsOnly bool   // it stands in /etc/sysctl.conf, or in a file whose name begins with a dot, which systemd-sysctl does not read

	shown string // the value as the kernel will show it
}

// Where returns the file and the line.
func (l BootLine) Where() string {
	s := l.File
	if l.Line > 0 {
		s += ":" + strconv.Itoa(l.Line)
	}
	if l.Target != "" {
		s += " (a link to " + l.Target + ")"
	}
	return s
}

// An Outcome is what a setting will be, and why.
type Outcome struct {
	Value  string     // as the kernel will show it, of keys the fingerprints; the kernel's default if By is nil
	By     *BootLine  // the line that wins; nil if none sets it
	Others []BootLine // the lines that do not win, in the order in which they are read

	last *BootLine // the line that is carried out last; another than By if the kernel refuses its value
}

// inTheWay returns the line that keeps those before it from winning. That can
// be one whose value the kernel refuses: systemd-sysctl keeps one value for a
// name, and if that is refused it sets none.
func (o Outcome) inTheWay(r Reader) *BootLine {
	if r == Systemd && o.last != nil && o.last.Refused != "" {
		return o.last
	}
	return o.By
}

// Conflicts returns the lines that say something else than the outcome, and
// would have been taken.
func (o Outcome) Conflicts() []BootLine {
	return slices.DeleteFunc(slices.Clone(o.Others), func(l BootLine) bool { return l.Refused != "" || l.shown == o.Value })
}

// Refused returns the lines whose value the kernel refuses.
func (o Outcome) Refused() []BootLine {
	return slices.DeleteFunc(slices.Clone(o.Others), func(l BootLine) bool { return l.Refused == "" })
}

// A Trouble is something in the files that is not as its author meant it.
type Trouble struct {
	File   string
	Line   int    // from 1; 0 if it is about the whole file
	Text   string // goes on after the file and the line: "is no assignment"
	Unsure bool   // it may change the outcome
}

// String returns one sentence without the full stop.
func (t Trouble) String() string {
	if t.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", t.File, t.Line, t.Text)
	}
	return t.File + " " + t.Text
}

// Boot reads every file below the directory root that sets anything of TCP
// Fast Open at boot. root is "" for this host; of another tree absolute links
// lead to files of that tree.
//
// It reads as much as it can. What it could not make sense of, or not read, is
// among the Troubles.
func Boot(root string) BootPlan {
	return bootWith(tree{root: root})
}

func bootWith(t tree) BootPlan {
	b := &bootReading{tree: t}
	b.commandLine()
	for _, f := range b.files() {
		b.file(f)
	}
	p := BootPlan{
		Reader:    t.reader(),
		FastOpen:  b.setting(Name, strconv.Itoa(int(ClientBit)), bitsValue),
		Keys:      b.setting(KeyName, "none", keysValue),
		Blackhole: b.setting(BlackholeName, "0", secondsValue),
	}
	p.Troubles = b.troubles
	for _, s := range []BootSetting{p.FastOpen, p.Keys, p.Blackhole} {
		for _, l := range s.Lines {
			if l.ProcpsOnly && p.Reader == Systemd {
				why := "reads only the directories: move the line to a file in /etc/sysctl.d"
				if l.File != sysctlConf {
					why = "passes over names that begin with a dot: rename the file, or remove it"
				}
				p.Troubles = append(p.Troubles, Trouble{File: l.File, Line: l.Line,
					Text: fmt.Sprintf("sets %s and is not read at boot, because systemd-sysctl %s", s.Name, why)})
			}
		}
	}
	slices.SortStableFunc(p.Troubles, func(a, b Trouble) int {
		if a.File != b.File {
			return 0 // in the order in which they were read
		}
		return cmp.Compare(a.Line, b.Line)
	})
	return p
}
