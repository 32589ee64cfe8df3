package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// bootSettings are the settings of Fast Open as the files of /proc/sys.
var bootSettings = []string{"net/ipv4/tcp_fastopen", "net/ipv4/tcp_fastopen_key", "net/ipv4/tcp_fastopen_blackhole_timeout_sec"}

// An assignment is a line that may be about Fast Open.
type assignment struct {
	line     int
	key      string // with slashes: "net/ipv4/tcp_fastopen"
	pattern  string // as written, if the key is a pattern
	value    string
	negative bool // "-name": patterns leave this alone
}

// A bootReading collects what the files say.
type bootReading struct {
	tree     tree
	found    []found
	troubles []Trouble
}

// found is an assignment and where it was.
type found struct {
	assignment
	file   string
	target string // that file is a link to
	procps bool   // Systemd does not read it
	before bool   // the kernel does it, before there is a Reader
}

func (b *bootReading) trouble(file string, line int, unsure bool, format string, args ...any) {
	b.troubles = append(b.troubles, Trouble{file, line, fmt.Sprintf(format, args...), unsure})
}

// file reads one file.
func (b *bootReading) file(f bootFile) {
	text, mode, err := b.tree.read(f)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.trouble(f.name, 0, false, "is a link to %s, which does not exist, so nothing is read there%s", f.real, f.hiding())
	case errors.Is(err, syscall.ELOOP):
		b.trouble(f.name, 0, false, "is a link that leads back to itself, so nothing is read there%s", f.hiding())
	case err == errIrregular:
		b.trouble(f.name, 0, false, "is no regular file, so it was not read%s", f.hiding())
	case err == errHuge:
		b.trouble(f.name, 0, true, "has more than %d bytes and was not read: no file of settings is so long", mostBytes)
	case errors.Is(err, fs.ErrPermission):
		b.trouble(f.name, 0, true, "cannot be read by this user, so what it sets is not known: run this as root")
	case err != nil:
		b.trouble(f.name, 0, true, "cannot be read: %v", cause(err))
	}
	b.hidden(f)
	if err != nil {
		return
	}
	target := ""
	if f.real != f.name && path.Base(f.real) != path.Base(f.name) {
		target = f.real
	}
	for _, a := range parseBoot(string(text), func(line int, text string) { b.trouble(f.name, line, false, "%s", text) }) {
		b.found = append(b.found, found{assignment: a, file: f.name, target: target, procps: f.procpsOnly})
		if a.key != bootSettings[1] || a.negative {
			continue
		}
		if _, ok := parseKeysLoosely(a.value); ok && misspelt(a.value) != "" {
			b.trouble(f.name, a.line, false, "sets keys that are misspelt, and the kernel takes them for others than they seem: %s", misspelt(a.value))
		}
		if mode.Perm()&0o044 != 0 {
			b.trouble(f.name, a.line, false, "shows the keys to every user of this host (its mode is %04o), who could make cookies with them: run chmod 600 %s, and use new keys", mode.Perm(), f.real)
		}
	}
}

// hidden tells of files that are not read because of f and would have said
// something.
func (b *bootReading) hidden(f bootFile) {
	for _, name := range f.hides {
		real, err := b.tree.resolve(name)
		text, _, err := b.tree.read(bootFile{name: name, real: real, err: err})
		if err != nil {
			continue
		}
		for _, a := range parseBoot(string(text), func(int, string) {}) {
			if !a.negative {
				b.trouble(name, a.line, false, "sets %s and is not read, because %s has the same name", dotted(a.key), f.name)
			}
		}
	}
}

func (f bootFile) hiding() string {
	if len(f.hides) == 0 {
		return ""
	}
	return ", and it hides " + strings.Join(f.hides, " and ")
}

// commandLine reads what the kernel itself sets before it starts init
// (process_sysctl_arg in fs/proc/proc_sysctl.c, since Linux 5.8).
func (b *bootReading) commandLine() {
	text, err := os.ReadFile(b.tree.path(commandLineFile))
	if err != nil {
		return // the image of a host that does not run has none
	}
	for _, word := range strings.Fields(string(text)) {
		name, value, ok := strings.Cut(strings.Trim(word, `"`), "=")
		if !ok || value == "" || !strings.HasPrefix(name, "sysctl.") && !strings.HasPrefix(name, "sysctl/") {
			continue
		}
		key := strings.ReplaceAll(name[len("sysctl."):], ".", "/")
		for _, s := range bootSettings {
			if key == s {
				b.found = append(b.found, found{assignment: assignment{key: key, value: value}, file: commandLineFile, before: true})
			}
		}
	}
}

// parseBoot returns the lines of a file that assign to Fast Open, and calls
// wrong for those that seem to be meant to and do not.
func parseBoot(text string, wrong func(line int, text string)) (list []assignment) {
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, value, assigns := strings.Cut(line, "=")
		name, minus := strings.CutPrefix(name, "-")
		name = strings.TrimSpace(name)
		a := assignment{line: n, key: normalize(name), value: strings.TrimSpace(value), negative: !assigns}
		switch {
		case !assigns && !minus:
			if strings.Contains(line, "tcp_fastopen") {
				wrong(n, "is no assignment and is passed over: write NAME = VALUE")
			}
			continue
		case strings.ContainsAny(a.key, "*?["):
			a.pattern = name
		case slices.Contains(bootSettings, strings.TrimPrefix(a.key, "proc/sys/")) && !slices.Contains(bootSettings, a.key):
			wrong(n, "begins with /proc/sys, which no name does, and is passed over: write "+dotted(strings.TrimPrefix(a.key, "proc/sys/")))
			continue
		case strings.HasPrefix(a.key, "net/ipv4/tcp_fastopen") && !slices.Contains(bootSettings, a.key):
			wrong(n, fmt.Sprintf("sets %s, which is no setting of Fast Open", dotted(a.key)))
			continue
		}
		if slices.ContainsFunc(bootSettings, a.covers) {
			list = append(list, a)
		}
	}
	return list
}

// covers reports whether a is about a setting, which a pattern may be.
func (a assignment) covers(setting string) bool {
	if a.pattern == "" {
		return a.key == setting
	}
	pattern := strings.ReplaceAll(a.key, "[!", "[^") // package path negates with ^, not with !
	ok, err := path.Match(pattern, setting)
	if !ok && err == nil && a.negative {
		// Patterns that spare settings are matched by fnmatch(3), for which
		// a slash is like any other character.
		ok, err = path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(setting, "/", "\x00"))
	}
	return ok && err == nil
}

// normalize returns a name as a file below /proc/sys. The first dot or slash
// in it says which of them divides its parts; the other stands for itself or,
// among dots, for a dot.
func normalize(name string) string {
	if i := strings.IndexAny(name, "/."); i >= 0 && name[i] == '.' {
		name = strings.NewReplacer(".", "/", "/", ".").Replace(name)
	}
	parts := strings.Split(name, "/")
	kept := parts[:0]
	for _, p := range parts {
		if p != "" && p != "." {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "/")
}

// dotted is the name as people write it.
func dotted(key string) string {
	return strings.NewReplacer("/", ".", ".", "/").Replace(key)
}
