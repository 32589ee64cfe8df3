package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
)

const (
	persistName = "etc/sysctl.d/30-tcp_fastopen.conf"
	z           = "etc/sysctl.d/99-z.conf"
	blockOf3    = "# begin tfo\n" + blockNote + "\nnet.ipv4.tcp_fastopen = 3\n# end tfo\n"
	madeOf3     = "# begin tfo, in a file of its own\n" + blockNote + "\nnet.ipv4.tcp_fastopen = 3\n# end tfo\n"
)

// harvest is the opposite of grow. The mode and the owner of a file come with
// its contents.
func harvest(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		info, err := d.Info()
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t)
		files[rel] = fmt.Sprintf("%v %d:%d ", info.Mode(), owner.Uid, owner.Gid)
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(name)
			files[rel] += string(text)
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			files[rel] += "-> " + target
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPersist(t *testing.T) {
	for _, c := range []struct {
		why           string
		files         map[string]string
		on, off       Bits
		before, after Bits
		text          string // of the file afterwards, "" if it is as it was
		winner        string
	}{
		{"a new file", map[string]string{a: ""}, 2, 0, 1, 3, madeOf3, ""},
		{"no directory", map[string]string{"etc/x": ""}, 2, 0, 1, 3, madeOf3, ""},
		{"so by default", map[string]string{a: ""}, 1, 0, 1, 1, "", ""},
		{"so by another file", map[string]string{a: "net.ipv4.tcp_fastopen=3"}, 3, 0, 3, 3, "", ""},
		{"other bits of another file are kept", map[string]string{a: "net.ipv4.tcp_fastopen=0x402"}, 1, 0, 0x402, 0x403, strings.ReplaceAll(madeOf3, "3", "1027"), ""},
		{"other people's lines are kept", map[string]string{persistName: others}, 2, 0, 1, 3, others + blockOf3, ""},
		{"a line without an end", map[string]string{persistName: "a=1"}, 2, 0, 1, 3, "a=1\n# begin tfo, after a line without an end" + strings.TrimPrefix(blockOf3, "# begin tfo"), ""},
		{"once more", map[string]string{persistName: madeOf3}, 2, 0, 3, 3, "", ""},
		{"one more bit", map[string]string{persistName: others + strings.ReplaceAll(blockOf3, "3", "0")}, 3, 0, 0, 3, others + blockOf3, ""},
		{"off", map[string]string{a: "net.ipv4.tcp_fastopen=7"}, 0, 3, 7, 4, strings.ReplaceAll(madeOf3, "3", "4"), ""},
		{"off again, and the file is gone", map[string]string{persistName: madeOf3}, 0, 2, 3, 1, "gone", ""},
		{"off again, and other people's lines stay", map[string]string{persistName: others + blockOf3}, 0, 2, 3, 1, others, ""},
		{"a later file wins", map[string]string{z: "net.ipv4.tcp_fastopen=1"}, 2, 0, 1, 1, madeOf3, "/etc/sysctl.d/99-z.conf:1"},
		{"a later file is nonsense, which sysctl --system passes over", map[string]string{z: "net.ipv4.tcp_fastopen=yes"}, 2, 0, 1, 3, madeOf3, ""},
		{"a later file is nonsense, which systemd-sysctl takes", map[string]string{z: "net.ipv4.tcp_fastopen=yes", "run/systemd/system/x": ""}, 2, 0, 1, 1, madeOf3, "/etc/sysctl.d/99-z.conf:1"},
		{"a later file wins, and what was asked for before is not forgotten", map[string]string{z: "net.ipv4.tcp_fastopen=0", persistName: strings.ReplaceAll(madeOf3, "3", "2")}, 1, 0, 0, 0, madeOf3, "/etc/sysctl.d/99-z.conf:1"},
		{"sysctl.conf wins", map[string]string{"etc/sysctl.conf": "#\nnet.ipv4.tcp_fastopen=1"}, 2, 0, 1, 1, madeOf3, "/etc/sysctl.conf:2"},
		{"sysctl.conf does not where systemd runs", map[string]string{"etc/sysctl.conf": "net.ipv4.tcp_fastopen=1", systemdRuns: ""}, 2, 0, 1, 3, madeOf3, ""},
		{"a later file says the same", map[string]string{z: "net.ipv4.tcp_fastopen=3", a: ""}, 2, 0, 3, 3, "", ""},
	} {
		root := grow(t, c.files)
		was := harvest(t, root)
		dry, dryErr := Persist(root, c.on, c.off, true)
		if dryErr != nil || !maps.Equal(was, harvest(t, root)) {
			t.Errorf("%s: dry: %v", c.why, dryErr)
		}
		got, err := Persist(root, c.on, c.off, false)
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		winner := ""
		if got.Winner != nil {
			winner = got.Winner.Where()
		}
		if got.Before != c.before || got.After != c.after || winner != c.winner || got.Want&^c.off|c.on != got.Want {
			t.Errorf("%s: got %d to %d, wanted %d, winner %q; want %d to %d, winner %q", c.why, got.Before, got.After, got.Want, winner, c.before, c.after, c.winner)
		}
		if got.Wrote != (c.text != "" && c.text != "gone") || got.Removed != (c.text == "gone") {
			t.Errorf("%s: wrote %t, removed %t", c.why, got.Wrote, got.Removed)
		}
		if dry.Before != got.Before || dry.After != got.After || dry.Wrote != got.Wrote || dry.Removed != got.Removed || dry.Want != got.Want {
			t.Errorf("%s: dry said %+v, then came %+v", c.why, dry, got)
		}
		if now := Boot(root).Bits(); now != c.after {
			t.Errorf("%s: the next boot sets %d, want %d", c.why, now, c.after)
		}
		want := maps.Clone(was)
		switch c.text {
		case "":
		case "gone":
			delete(want, persistName)
		default:
			head := fmt.Sprintf("-rw-r--r-- %d:%d ", os.Getuid(), os.Getgid())
			want[persistName] = head + c.text
			want["etc/sysctl.d"] = strings.Replace(head, "-rw-r--r--", "drwxr-xr-x", 1)
		}
		if now := harvest(t, root); !maps.Equal(now, want) {
			t.Errorf("%s: got\n%q\nwant\n%q", c.why, now, want)
		}
	}
}

// Undoing restores every byte, mode and owner.
func TestUnpersist(t *testing.T) {
	for _, text := range []string{"", others, "net.ipv4.tcp_fastopen = 0", "none"} {
		files := map[string]string{a: "net.ipv4.tcp_fastopen=0x401\n", persistName: text}
		if text == "none" {
			delete(files, persistName)
		}
		root := grow(t, files)
		if text != "none" {
			if err := os.Chmod(filepath.Join(root, persistName), 0o640); err != nil {
				t.Fatal(err)
			}
			if os.Getuid() == 0 {
				if err := os.Chown(filepath.Join(root, persistName), 12, 34); err != nil {
					t.Fatal(err)
				}
			}
		}
		was := harvest(t, root)
		before := Boot(root).Bits()
		for _, step := range [][2]Bits{{2, 0}, {0, 1}, {4, 0}} {
			if _, err := Persist(root, step[0], step[1], false); err != nil {
				t.Fatal(err)
			}
		}
		// Of one bit at first, then of all.
		p, err := Unpersist(root, 1, false)
		if want := before | 6; err != nil || p.After != want || Boot(root).Bits() != want {
			t.Errorf("%q: bit 1 undone: got %+v, %v; want %d", text, p, err, want)
		}
		if p, err := Unpersist(root, ^Bits(0), true); err != nil || p.After != before || Boot(root).Bits() != before|6 {
			t.Errorf("%q: dry: got %+v, %v", text, p, err)
		}
		p, err = Unpersist(root, ^Bits(0), false)
		if err != nil || p.After != before || p.Removed != (text == "none") {
			t.Errorf("%q: undone: got %+v, %v; want %d", text, p, err, before)
		}
		if now := harvest(t, root); !maps.Equal(now, was) {
			t.Errorf("%q: got\n%q\nwant\n%q", text, now, was)
		}
		if p, err := Unpersist(root, ^Bits(0), false); err != nil || p.Wrote || p.Removed {
			t.Errorf("%q: undone twice: got %+v, %v", text, p, err)
		}
	}
}

// A fault at any step leaves all as it was, and nothing beside it.
func TestPersistFaults(t *testing.T) {
	fault := errors.New("the disk is on fire")
	for _, c := range []struct {
		why   string
		files map[string]string
		off   Bits
		steps []string
	}{
		{"a new file", map[string]string{a: ""}, 0, []string{stepOpen, stepCreate, stepWrite, stepMode, stepSync, stepRename, stepSyncDir}},
		{"a new directory", map[string]string{"etc/x": ""}, 0, []string{stepOpen, stepCreate, stepWrite, stepMode, stepSync, stepRename, stepSyncDir}},
		{"a file", map[string]string{persistName: others}, 0, []string{stepOpen, stepCreate, stepWrite, stepOwner, stepMode, stepSync, stepBackup, stepRename, stepSyncDir}},
		{"a file that is removed", map[string]string{persistName: madeOf3}, 2, []string{stepOpen, stepBackup, stepRename, stepSyncDir}},
	} {
		root := grow(t, c.files)
		was := harvest(t, root)
		change := func(fail func(step string) error) error {
			_, err := persisting{tree: tree{root: root}, fault: fail}.do(false, func(d dropIn, without, now Bits) dropIn {
				if c.off != 0 {
					return d.without()
				}
				return d.with(3)
			})
			return err
		}
		for _, step := range c.steps {
			asked := false
			err := change(func(s string) error {
				if s == step {
					asked = true
					return fault
				}
				return nil
			})
			if !asked || !errors.Is(err, fault) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "all is as it was") {
				t.Errorf("%s: fault at %q: asked %t, error %v", c.why, step, asked, err)
			}
			if now := harvest(t, root); !maps.Equal(now, was) {
				t.Errorf("%s: fault at %q: got\n%q\nwant\n%q", c.why, step, now, was)
			}
		}
		var steps []string
		if err := change(func(s string) error { steps = append(steps, s); return nil }); err != nil {
			t.Errorf("%s: without a fault: %v", c.why, err)
		}
		if got, want := strings.Join(steps, ", "), strings.Join(c.steps, ", "); got != want {
			t.Errorf("%s: steps %s, want %s", c.why, got, want)
		}
		for name := range harvest(t, root) {
			if strings.HasPrefix(filepath.Base(name), ".") && name != "." {
				t.Errorf("%s: left %s", c.why, name)
			}
		}
	}
}

// Where a file can have only one name, it is copied in order to be kept.
func TestPersistWithoutLinks(t *testing.T) {
	root := grow(t, map[string]string{persistName: others})
	if err := os.Chmod(filepath.Join(root, persistName), 0o640); err != nil {
		t.Fatal(err)
	}
	was := harvest(t, root)
	for _, broken := range []bool{true, false} {
		p := persisting{tree: tree{root: root}, fault: func(step string) error {
			switch {
			case step == stepBackup:
				return syscall.EOPNOTSUPP
			case step == stepSyncDir && broken:
				return syscall.EIO
			}
			return nil
		}}
		_, err := p.do(false, func(d dropIn, _, _ Bits) dropIn { return d.with(3) })
		if broken != errors.Is(err, syscall.EIO) || !broken && err != nil {
			t.Errorf("broken %t: %v", broken, err)
		}
		want := maps.Clone(was)
		if !broken {
			want[persistName] += blockOf3
		}
		if now := harvest(t, root); !maps.Equal(now, want) {
			t.Errorf("broken %t: got\n%q\nwant\n%q", broken, now, want)
		}
	}
}

// What stands in the place of the file is not touched.
func TestPersistRefusals(t *testing.T) {
	for _, c := range []struct{ why, text, says string }{
		{"a link", "-> /etc/passwd", "is a link to /etc/passwd and was left alone"},
		{"a mask", "-> /dev/null", "is a link to /dev/null and was left alone"},
		{"a directory", "/", "is no regular file and was left alone"},
		{"huge", strings.Repeat("#\n", mostBytes), "has more than 1048576 bytes and was left alone"},
		{"half a block", "# begin tfo\n", "none that says # end tfo, so it was left alone"},
	} {
		files := map[string]string{persistName: c.text}
		if c.text == "/" {
			files = map[string]string{persistName + "/x": ""}
		}
		root := grow(t, files)
		was := harvest(t, root)
		for _, dry := range []bool{true, false} {
			_, err := Persist(root, 2, 0, dry)
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, dry %t: got %v, want %q", c.why, dry, err, c.says)
			}
		}
		if now := harvest(t, root); !maps.Equal(now, was) {
			t.Errorf("%s: got\n%q\nwant\n%q", c.why, now, was)
		}
	}
}

// A link that takes the place of the file while it is being replaced is
// replaced itself; what it leads to is not written to.
func TestPersistSurprise(t *testing.T) {
	root := grow(t, map[string]string{persistName: others, "precious": "gold"})
	name := filepath.Join(root, persistName)
	p := persisting{tree: tree{root: root}, fault: func(step string) error {
		if step == stepRename {
			if err := errors.Join(os.Remove(name), os.Symlink(filepath.Join(root, "precious"), name)); err != nil {
				t.Error(err)
			}
		}
		return nil
	}}
	if _, err := p.do(false, func(d dropIn, _, _ Bits) dropIn { return d.with(3) }); err != nil {
		t.Error(err)
	}
	now := harvest(t, root)
	if !strings.HasSuffix(now["precious"], "gold") || !strings.HasSuffix(now[persistName], others+blockOf3) {
		t.Errorf("got %q", now)
	}
}

// The disk is really full.
func TestPersistDiskFull(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	apart(t, func() {
		root := t.TempDir()
		if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=64k"); err != nil {
			t.Errorf("mount: %v", err)
			return
		}
		dir := filepath.Join(root, "etc/sysctl.d")
		filler := filepath.Join(root, "filler")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Error(err)
			return
		}
		if err := os.WriteFile(filepath.Join(root, persistName), []byte(others), 0o600); err != nil {
			t.Error(err)
			return
		}
		if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("the disk is not full: %v", err)
		}
		was := harvest(t, root)
		_, err := Persist(root, 2, 0, false)
		if !errors.Is(err, syscall.ENOSPC) || !strings.HasSuffix(err.Error(), "no space left on device; make room and try again") {
			t.Errorf("got %v", err)
		}
		if now := harvest(t, root); !maps.Equal(now, was) {
			t.Errorf("got\n%q\nwant\n%q", now, was)
		}
		if err := os.Remove(filler); err != nil {
			t.Error(err)
		}
		if _, err := Persist(root, 2, 0, false); err != nil {
			t.Errorf("with room: %v", err)
		}
	})
}

// Each namespace has its own memory, and forgets.
func TestRemember(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	other := netns.New(t, "other")
	root := t.TempDir()
	want := BitChange{3, 1}
	if err := Remember(root, want); err != nil {
		t.Fatal(err)
	}
	if got, ok, err := Remembered(root); err != nil || !ok || got != want {
		t.Errorf("got %v, %t, %v; want %v", got, ok, err, want)
	}
	other.Do(func() {
		if got, ok, err := Remembered(root); err != nil || ok || got != (BitChange{}) {
			t.Errorf("in the other namespace: got %v, %t, %v; want none", got, ok, err)
		}
		if err := Forget(root); err != nil {
			t.Errorf("in the other namespace: forget nothing: %v", err)
		}
	})
	if err := Remember(root, BitChange{}); err != nil {
		t.Error(err)
	}
	if got, ok, err := Remembered(root); err != nil || !ok || got != (BitChange{}) {
		t.Errorf("nothing: got %v, %t, %v", got, ok, err)
	}
	if err := Forget(root); err != nil {
		t.Error(err)
	}
	if got, ok, err := Remembered(root); err != nil || ok || got != (BitChange{}) {
		t.Errorf("forgotten: got %v, %t, %v", got, ok, err)
	}
	if left := harvest(t, filepath.Join(root, rememberDir)); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}
