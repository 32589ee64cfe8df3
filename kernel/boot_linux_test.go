package kernel

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// Boot foretells what the programs that read the files really do, on random
// files. Each program that the machine does not have is left out.
func TestBootAsTheReaders(t *testing.T) {
	programs := map[Reader]string{}
	for r, names := range map[Reader][]string{
		Systemd: {"/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl"},
		Procps:  {"/usr/sbin/sysctl", "/sbin/sysctl"},
	} {
		for _, name := range names {
			out, err := exec.Command(name, "--version").Output()
			if err == nil && (r == Systemd || strings.Contains(string(out), "procps-ng 4")) {
				programs[r] = name
			}
		}
	}
	if len(programs) == 0 {
		t.Skip("there is neither systemd-sysctl nor sysctl of procps-ng 4")
	}
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	apart(t, func() {
		for _, dir := range []string{"/run", "/usr/local/lib", "/usr/lib/sysctl.d", "/etc/sysctl.d"} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Error(err)
				return
			}
			mount(t, "tmpfs", dir, "tmpfs", 0)
		}
		conf := filepath.Join(t.TempDir(), "sysctl.conf")
		if err := os.WriteFile(conf, nil, 0o644); err != nil {
			t.Error(err)
			return
		}
		mount(t, conf, "/etc/sysctl.conf", "", 0x1000) // bind
		changed, outcomes := 0, 0
		for round := range 150 {
			text := randomBoot(r)
			if err := plant(text); err != nil {
				t.Errorf("%v (seed %d)", err, seed)
				return
			}
			plan := Boot("")
			for reader, program := range programs {
				if err := SetFastOpen(ClientBit); err != nil {
					t.Error(err)
				}
				self.Sysctl(t, BlackholeName, "0")
				args := []string{}
				if reader == Procps {
					args = []string{"-q", "--system"}
				}
				out, failed := exec.Command(program, args...).CombinedOutput() // it fails where a value is refused
				for _, s := range []BootSetting{plan.FastOpen, plan.Blackhole} {
					got, err := readSetting(s.Name)
					if err != nil {
						t.Error(err)
					}
					if got = strings.TrimSpace(got); got != s.After(reader).Value {
						t.Errorf("round %d, seed %d: %v leaves %s at %s, and Boot says %s: %+v\n%s\n%s%v", round, seed, reader, s.Name, got, s.After(reader).Value, s.After(reader).By, text, out, failed)
						return
					}
					outcomes++
					if s.After(reader).By != nil {
						changed++
					}
				}
			}
		}
		t.Logf("%d of %d outcomes were set by a line; programs %v", changed, outcomes, programs)
		if changed < outcomes/10 {
			t.Errorf("only %d outcomes were set by a line, so this shows little", changed)
		}
	})
}

// randomBoot returns files, each a line with its name, or with "NAME -> TARGET"
// for a link, and then its lines, indented.
func randomBoot(r *rand.Rand) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var b strings.Builder
	used := map[string]bool{}
	for range r.IntN(7) {
		name := pick("/etc/sysctl.d/", "/run/sysctl.d/", "/usr/local/lib/sysctl.d/", "/usr/lib/sysctl.d/") + pick("10-a.conf", "30-tcp_fastopen.conf", "50-b.conf", "99-z.conf", "zz.conf", "no.txt", "B.conf", ".h.conf")
		if r.IntN(8) == 0 {
			name = sysctlConf
		}
		if used[name] {
			continue
		}
		used[name] = true
		if r.IntN(6) == 0 && name != sysctlConf {
			fmt.Fprintf(&b, "%s -> %s\n", name, pick("/dev/null", "/nowhere", "../sysctl.conf", "/etc/sysctl.conf", filepath.Base(name), "/etc/sysctl.d", "10-a.conf"))
			continue
		}
		fmt.Fprintf(&b, "%s\n", name)
		for range r.IntN(4) {
			key := pick("net.ipv4.tcp_fastopen", "net.ipv4.tcp_fastopen", "net.ipv4.tcp_fastopen", "net/ipv4/tcp_fastopen", "net.ipv4.tcp_fastopen_blackhole_timeout_sec",
				"net.ipv4.tcp_fastopen_blackhole_timeout_s*", "net.ipv4.tcp_fastope?", "net.ipv4.tcp_fastop[!x]n", "net.*.tcp_fastopen", "net/ipv4/tcp_fastopen_b*", "*.ipv4.tcp_fastopen", "net.ipv4.tcp_fastopenn")
			value := pick("0", "1", "2", "3", "0x403", "017", "1027", "yes", "-1", "3 4", "", "5 # both", "\t7\t")
			fmt.Fprintf(&b, "\t%s%s%s%s\n", pick("", "", "", " ", "# ", ";"), pick("", "", "", "-"), key, pick(" = ", "=", "= ", "\t=\t", " =")+value)
			switch r.IntN(12) {
			case 0:
				// Not a pattern, which procps-ng 4.0.2 passes over, by mistake.
				fmt.Fprintf(&b, "\t-%s\n", pick("net.ipv4.tcp_fastopen", "net/ipv4/tcp_fastopen_blackhole_timeout_sec", "net.ipv4.tcp_fastopenn"))
			case 1:
				fmt.Fprintf(&b, "\t%s %s\n", key, value)
			}
		}
	}
	return b.String()
}

// plant makes these files be all that there are.
func plant(text string) error {
	for _, dir := range bootDirs[:4] {
		os.MkdirAll(dir, 0o755)
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.WriteFile(sysctlConf, nil, 0o644); err != nil {
		return err
	}
	var name string
	files := map[string]string{}
	for line := range strings.Lines(text) {
		if l, ok := strings.CutPrefix(line, "\t"); ok {
			files[name] += l
			continue
		}
		name = strings.TrimSpace(line)
		if link, target, ok := strings.Cut(name, " -> "); ok {
			if err := os.Symlink(target, link); err != nil {
				return err
			}
			continue
		}
		files[name] += ""
	}
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return fmt.Errorf("%s: %w", strconv.Quote(name), err)
		}
	}
	return nil
}

// What this user cannot read makes the outcome unsure.
func TestBootUnreadable(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	root := grow(t, map[string]string{a: "net.ipv4.tcp_fastopen = 3", b: "net.ipv4.tcp_fastopen = 2"})
	for name, mode := range map[string]os.FileMode{filepath.Join(root, b): 0, root: 0o755, filepath.Dir(root): 0o755} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	apart(t, func() {
		if !becomeNobody(t) {
			return
		}
		p := Boot(root)
		want := "/etc/sysctl.d/20-b.conf cannot be read by this user, so what it sets is not known: run this as root"
		if !p.Unsure() || len(p.Troubles) != 1 || p.Troubles[0].String() != want || p.Bits() != 3 {
			t.Errorf("got %v, unsure %t, troubles %v", p.Bits(), p.Unsure(), p.Troubles)
		}
	})
}
