package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fastopen-go/fastopen/tfo"
)

// grow makes a tree of files: a name to its contents, or to "-> TARGET".
func grow(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if target, ok := strings.CutPrefix(text, "-> "); ok && err == nil {
			err = os.Symlink(target, name)
		} else if err == nil {
			err = os.WriteFile(name, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	systemdRuns = "run/systemd/system/x"
	a           = "etc/sysctl.d/10-a.conf"
	b           = "etc/sysctl.d/20-b.conf"
)

func TestBoot(t *testing.T) {
	for _, c := range []struct {
		why             string
		files           map[string]string
		systemd, procps string // value and who says it
		troubles        []string
	}{
		{"nothing at all", nil, "1", "1", nil},
		{"one line", map[string]string{a: "net.ipv4.tcp_fastopen = 3\n"}, "3 /etc/sysctl.d/10-a.conf:1", "3 /etc/sysctl.d/10-a.conf:1", nil},
		{"slashes, octal, no newline", map[string]string{a: "net/ipv4/tcp_fastopen=03"}, "3 /etc/sysctl.d/10-a.conf:1", "3 /etc/sysctl.d/10-a.conf:1", nil},
		{"hexadecimal, written on Windows", map[string]string{a: "\r\n\tnet.ipv4.tcp_fastopen\t=\t0x403\r\n"}, "1027 /etc/sysctl.d/10-a.conf:2", "1027 /etc/sysctl.d/10-a.conf:2", nil},
		{"comments", map[string]string{a: "# net.ipv4.tcp_fastopen = 3\n ; net.ipv4.tcp_fastopen = 3\n"}, "1", "1", nil},
		{"the last line wins", map[string]string{a: "net.ipv4.tcp_fastopen = 3\nnet.ipv4.tcp_fastopen = 2\n"}, "2 /etc/sysctl.d/10-a.conf:2", "2 /etc/sysctl.d/10-a.conf:2", nil},
		{"the last name wins, in whatever directory", map[string]string{a: "net.ipv4.tcp_fastopen = 3", "usr/lib/sysctl.d/90-z.conf": "net.ipv4.tcp_fastopen = 0"},
			"0 /usr/lib/sysctl.d/90-z.conf:1", "0 /usr/lib/sysctl.d/90-z.conf:1", nil},
		{"one name in two directories", map[string]string{a: "net.ipv4.tcp_fastopen = 3", "run/sysctl.d/10-a.conf": "net.ipv4.tcp_fastopen = 0"},
			"3 /etc/sysctl.d/10-a.conf:1", "3 /etc/sysctl.d/10-a.conf:1",
			[]string{"/run/sysctl.d/10-a.conf:1: sets net.ipv4.tcp_fastopen and is not read, because /etc/sysctl.d/10-a.conf has the same name"}},
		{"hidden by a link to /dev/null", map[string]string{a: "-> /dev/null", "lib/sysctl.d/10-a.conf": "net.ipv4.tcp_fastopen = 3"}, "1", "1",
			[]string{"/lib/sysctl.d/10-a.conf:1: sets net.ipv4.tcp_fastopen and is not read, because /etc/sysctl.d/10-a.conf has the same name"}},
		{"one directory by two names", map[string]string{"lib": "-> usr/lib", "usr/lib/sysctl.d/10-a.conf": "net.ipv4.tcp_fastopen = 3"},
			"3 /usr/lib/sysctl.d/10-a.conf:1", "3 /usr/lib/sysctl.d/10-a.conf:1", nil},
		{"sysctl.conf, which systemd does not read", map[string]string{a: "net.ipv4.tcp_fastopen = 3", "etc/sysctl.conf": "net.ipv4.tcp_fastopen = 0"},
			"3 /etc/sysctl.d/10-a.conf:1", "0 /etc/sysctl.conf:1", nil},
		{"the same where systemd runs", map[string]string{"etc/sysctl.conf": "net.ipv4.tcp_fastopen = 3", systemdRuns: ""}, "1", "3 /etc/sysctl.conf:1",
			[]string{"/etc/sysctl.conf:1: sets net.ipv4.tcp_fastopen and is not read at boot, because systemd-sysctl reads only the directories: move the line to a file in /etc/sysctl.d"}},
		{"a hidden file", map[string]string{"etc/sysctl.d/.a.conf": "net.ipv4.tcp_fastopen = 3", systemdRuns: ""}, "1", "3 /etc/sysctl.d/.a.conf:1",
			[]string{"/etc/sysctl.d/.a.conf:1: sets net.ipv4.tcp_fastopen and is not read at boot, because systemd-sysctl passes over names that begin with a dot: rename the file, or remove it"}},
		{"sysctl.conf, linked to", map[string]string{"etc/sysctl.conf": "net.ipv4.tcp_fastopen = 3", "etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf", "etc/sysctl.d/99-z.conf": "net.ipv4.tcp_fastopen = 2"},
			"2 /etc/sysctl.d/99-z.conf:1", "3 /etc/sysctl.conf:1", nil},
		{"a link that begins at the root", map[string]string{"etc/sysctl.conf": "net.ipv4.tcp_fastopen = 3", "etc/sysctl.d/99-sysctl.conf": "-> /etc/sysctl.conf"},
			"3 /etc/sysctl.d/99-sysctl.conf:1 (a link to /etc/sysctl.conf)", "3 /etc/sysctl.conf:1", nil},
		{"a value that the kernel refuses", map[string]string{a: "net.ipv4.tcp_fastopen = 3", b: "net.ipv4.tcp_fastopen = yes"},
			"1", "3 /etc/sysctl.d/10-a.conf:1", nil},
		{"a name wins over a later pattern", map[string]string{a: "net.ipv4.tcp_fastopen = 3", b: "net.ipv4.tcp_fast* = 0"}, "3 /etc/sysctl.d/10-a.conf:1", "3 /etc/sysctl.d/10-a.conf:1", nil},
		{"a pattern", map[string]string{b: "net.ipv4.tcp_fastope[!x] = 0"}, "0 /etc/sysctl.d/20-b.conf:1", "0 /etc/sysctl.d/20-b.conf:1", nil},
		{"a pattern and a name that it spares", map[string]string{a: "-net.ipv4.tcp_fastopen", b: "net.ipv4.tcp_fast* = 0"}, "1", "1", nil},
		{"failures that are to be ignored", map[string]string{a: "-net.ipv4.tcp_fastopen = 3"}, "3 /etc/sysctl.d/10-a.conf:1", "3 /etc/sysctl.d/10-a.conf:1", nil},
		{"another ending", map[string]string{"etc/sysctl.d/10-a.conf.bak": "net.ipv4.tcp_fastopen = 3"}, "1", "1", nil},
		{"the kernel's command line", map[string]string{"proc/cmdline": "quiet sysctl.net.ipv4.tcp_fastopen=3 root=/dev/vda\n"}, "3 /proc/cmdline", "3 /proc/cmdline", nil},
		{"the kernel's command line and a file", map[string]string{"proc/cmdline": "sysctl/net/ipv4/tcp_fastopen=3", a: "net.ipv4.tcp_* = 2"}, "2 /etc/sysctl.d/10-a.conf:1", "2 /etc/sysctl.d/10-a.conf:1", nil},
		{"dangling", map[string]string{a: "-> /nowhere", "usr/lib/sysctl.d/10-a.conf": "net.ipv4.tcp_fastopen = 3"}, "1", "1", []string{
			"/etc/sysctl.d/10-a.conf is a link to /nowhere, which does not exist, so nothing is read there, and it hides /usr/lib/sysctl.d/10-a.conf",
			"/usr/lib/sysctl.d/10-a.conf:1: sets net.ipv4.tcp_fastopen and is not read, because /etc/sysctl.d/10-a.conf has the same name"}},
		{"a loop", map[string]string{a: "-> 20-b.conf", b: "-> 10-a.conf"}, "1", "1", []string{
			"/etc/sysctl.d/10-a.conf is a link that leads back to itself, so nothing is read there",
			"/etc/sysctl.d/20-b.conf is a link that leads back to itself, so nothing is read there"}},
		{"a directory", map[string]string{a + "/x": ""}, "1", "1", []string{"/etc/sysctl.d/10-a.conf is no regular file, so it was not read"}},
		{"huge", map[string]string{a: strings.Repeat("#\n", mostBytes/2) + "\nnet.ipv4.tcp_fastopen = 3"}, "1", "1",
			[]string{"/etc/sysctl.d/10-a.conf has more than 1048576 bytes and was not read: no file of settings is so long"}},
		{"no equals sign", map[string]string{a: "net.ipv4.tcp_fastopen 3\nnonsense\n"}, "1", "1",
			[]string{"/etc/sysctl.d/10-a.conf:1: is no assignment and is passed over: write NAME = VALUE"}},
		{"names that do not exist", map[string]string{a: "net.ipv4.tcp_fastopen_queue = 3\n/proc/sys/net/ipv4/tcp_fastopen = 3\n"}, "1", "1", []string{
			"/etc/sysctl.d/10-a.conf:1: sets net.ipv4.tcp_fastopen_queue, which is no setting of Fast Open",
			"/etc/sysctl.d/10-a.conf:2: begins with /proc/sys, which no name does, and is passed over: write net.ipv4.tcp_fastopen"}},
	} {
		p := Boot(grow(t, c.files))
		for r, want := range []string{c.systemd, c.procps} {
			o := p.FastOpen.After(Reader(r))
			got := o.Value
			if o.By != nil {
				got += " " + o.By.Where()
			}
			if got != want {
				t.Errorf("%s: %v leaves %q, want %q", c.why, Reader(r), got, want)
			}
		}
		var troubles []string
		for _, x := range p.Troubles {
			troubles = append(troubles, x.String())
		}
		if got, want := strings.Join(troubles, "\n"), strings.Join(c.troubles, "\n"); got != want {
			t.Errorf("%s: troubles\n%s\nwant\n%s", c.why, got, want)
		}
		if p.Unsure() != (c.why == "huge") {
			t.Errorf("%s: unsure: %t", c.why, p.Unsure())
		}
	}
}

// What loses is told, together with whether that matters.
func TestBootConflicts(t *testing.T) {
	p := Boot(grow(t, map[string]string{systemdRuns: "",
		a: "net.ipv4.tcp_fastopen = 3\nnet.ipv4.tcp_fastopen = yes\nnet.ipv4.tcp_* = 7\n", b: "net.ipv4.tcp_fastopen = 0x0\n", "etc/sysctl.d/30-c.conf": "net.ipv4.tcp_fastopen = 0", "etc/sysctl.conf": "net.ipv4.tcp_fastopen = 2"}))
	where := func(lines []BootLine) (list []string) {
		for _, l := range lines {
			list = append(list, filepath.Base(l.Where()))
		}
		return list
	}
	if p.Reader != Systemd || p.Bits() != 0 {
		t.Errorf("%v leaves %v, want systemd-sysctl to leave 0", p.Reader, p.Bits())
	}
	for r, want := range map[Reader]string{
		Systemd: "[10-a.conf:1 10-a.conf:2 10-a.conf:3 20-b.conf:1] [10-a.conf:1 10-a.conf:3] [10-a.conf:2]",
		Procps:  "[10-a.conf:1 10-a.conf:2 10-a.conf:3 20-b.conf:1 30-c.conf:1] [10-a.conf:1 10-a.conf:3 20-b.conf:1 30-c.conf:1] [10-a.conf:2]",
	} {
		o := p.FastOpen.After(r)
		if got := fmt.Sprint(where(o.Others), where(o.Conflicts()), where(o.Refused())); got != want {
			t.Errorf("%v: others, conflicts, refused: %s, want %s", r, got, want)
		}
	}
	if l := p.FastOpen.Lines[1]; l.Value != "yes" || l.Refused != "is no number" {
		t.Errorf("got %+v", l)
	}
}

// Keys are told by their fingerprints, and whoever else can read them.
func TestBootKeys(t *testing.T) {
	const key = "a0bf63f7-ed803d81-cd641d30-cebc4a90"
	root := grow(t, map[string]string{a: "net.ipv4.tcp_fastopen_key = " + key + "," + key + "\n", b: "net.ipv4.tcp_fastopen_key = 1-2-3\n"})
	p := Boot(root)
	o := p.Keys.After(Procps)
	if !strings.HasPrefix(o.Value, "primary:") || strings.Count(o.Value, ",backup:") != 1 || o.By == nil {
		t.Errorf("got %+v", o)
	}
	if o := p.Keys.After(Systemd); o.Value != "none" || o.By != nil || len(o.Refused()) != 1 {
		t.Errorf("got %+v", o)
	}
	said := fmt.Sprintf("%+v %#v %v", p, p, p.Troubles)
	if strings.Contains(said, "a0bf63f7") || strings.Contains(said, "1-2-3") {
		t.Errorf("a key is shown: %s", said)
	}
	if len(p.Troubles) != 2 || !strings.Contains(p.Troubles[0].String(), "its mode is 0644") {
		t.Errorf("troubles: %v", p.Troubles)
	}
	loose := Boot(grow(t, map[string]string{a: "net.ipv4.tcp_fastopen_key = 0x1-2-3-4xyz\n"}))
	if got, want := loose.Keys.After(Systemd).Value, tfo.NewKeys(tfo.Key{1, 4: 2, 8: 3, 12: 4}).Fingerprint(); got != want ||
		!strings.Contains(loose.Troubles[0].String(), "misspelt, and the kernel takes them for others than they seem: the primary key has a word, number 1, that begins with 0x") {
		t.Errorf("got %s, want %s; troubles %v", got, want, loose.Troubles)
	}
	if err := os.Chmod(filepath.Join(root, a), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := Boot(root); len(p.Troubles) != 1 {
		t.Errorf("with mode 0600: troubles %v", p.Troubles)
	}
}

func FuzzParseBoot(f *testing.F) {
	for _, s := range []string{"net.ipv4.tcp_fastopen = 3\n", "-net.ipv4.tcp_*\n", "net/ipv4/tcp_fastopen=0x3", "a.b/c=1\n#x\n;y", "=", "-", "[", "net.ipv4.tcp_fastopen[=", "*.*.*=1", "/=\x00", "proc.sys.net.ipv4.tcp_fastopen=1", "\r\n\r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		last := 0
		for _, a := range parseBoot(text, func(n int, why string) {
			if n < 1 || n > lines || why == "" {
				t.Errorf("%q: trouble %q in line %d", text, why, n)
			}
		}) {
			if a.line <= last || a.line > lines || a.key == "" || strings.HasPrefix(a.key, "/") {
				t.Errorf("%q: got %+v", text, a)
			}
			last = a.line
		}
		p := bootWith(tree{root: "/nonexistent", instead: "/etc/sysctl.d/x.conf", contents: []byte(text)})
		for _, r := range []Reader{Systemd, Procps} {
			if o := p.FastOpen.After(r); o.By != nil && o.By.Refused != "" {
				t.Errorf("%q: a line wins that the kernel refuses: %+v", text, o)
			}
		}
		_ = p.Bits()
	})
}
