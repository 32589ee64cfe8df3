package main

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fastopen-go/fastopen/internal/servers"
	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

// bootOfFiles is the plan of a host with these files.
func bootOfFiles(t *testing.T, files map[string]string) *kernel.BootPlan {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	plan := kernel.Boot(root)
	return &plan
}

func key(first byte) tfo.Key { return tfo.Key{first, 1, 2, 3} }

func listener(address string, queue int, owners ...kernel.Process) kernel.Listener {
	return kernel.Listener{Local: netip.MustParseAddrPort(address), Backlog: 511, Queue: queue, Owners: owners}
}

// findings are states of a host that check can come upon.
func findings(t *testing.T) map[string][]finding {
	nginx, worker := kernel.Process{PID: 812, Name: "nginx"}, kernel.Process{PID: 813, Name: "nginx"}
	haproxy, sshd := kernel.Process{PID: 990, Name: "haproxy"}, kernel.Process{PID: 55, Name: "sshd"}
	noProc := &kernel.SettingError{Name: kernel.Name, Obstacle: kernel.NoProc, Err: os.ErrNotExist}
	notPermitted := &kernel.SettingError{Name: kernel.KeyName, Obstacle: kernel.NotPermitted, Err: os.ErrPermission}
	set := func(b kernel.Bits, k tfo.Keys) kernel.Settings {
		return kernel.Settings{Release: "6.1.0-13-amd64", FastOpen: b, Backlog: 4096, Keys: k}
	}
	hidden := listener("0.0.0.0:80", 0)
	hidden.Hidden = true
	host, web := kernel.NamespaceID{Dev: 4, Inode: 4026531840}, kernel.NamespaceID{Dev: 4, Inode: 4026532177}
	atWeb := place{" --netns web", " --netns web", "ip netns exec web "}
	old := set(kernel.ClientBit, tfo.Keys{})
	old.Release, old.Blackhole = "3.10.0-1160.el7.x86_64", -1
	timed := set(0x643, tfo.NewKeys(key(7)))
	timed.Blackhole = 3600
	withKeys := set(3, tfo.NewKeys(key(7), key(9)))
	return map[string][]finding{
		"fresh": {{name: "this host", id: host, root: true, settings: set(kernel.ClientBit, tfo.Keys{}), boot: bootOfFiles(t, nil),
			listeners: []kernel.Listener{listener("0.0.0.0:22", 0, sshd), listener("0.0.0.0:80", 0, nginx, worker), listener("[::]:80", 0, nginx, worker)}}},
		"ready": {{name: "this host", id: host, root: true, settings: withKeys,
			boot: bootOfFiles(t, map[string]string{"etc/sysctl.d/30-tcp_fastopen.conf": "net.ipv4.tcp_fastopen = 3\n"}),
			listeners: []kernel.Listener{listener("0.0.0.0:443", 256, nginx, worker), listener("0.0.0.0:443", 256, nginx, worker),
				listener("[2001:db8:85a3:1234:5678:8a2e:370:7334]:8443", 1024, haproxy)},
			counters: kernel.Counters{ActiveOpens: 812, PassiveOpens: 40321, CookieReqd: 900, Passive: 17202, PassiveFail: 3, QueueOverflow: 1, Active: 5}}},
		"some-listeners": {{name: "this host", id: host, root: true, settings: set(3, tfo.NewKeys(key(1))),
			boot: bootOfFiles(t, map[string]string{"etc/sysctl.d/30-a.conf": "net.ipv4.tcp_fastopen = 3\n", "etc/sysctl.d/99-z.conf": "# hardening\nnet.ipv4.tcp_fastopen = 0\n", "run/systemd/system/x": ""}),
			configs: []servers.Line{
				{Server: "nginx", File: "/etc/nginx/sites-enabled/default", Number: 22, Text: "listen 80 default_server", Add: "fastopen=256"},
				{Server: "nginx", File: "/etc/nginx/sites-enabled/default", Number: 23, Text: "listen [::]:80 default_server", Add: "fastopen=256"},
				{Server: "nginx", File: "/etc/nginx/sites-enabled/other", Number: 3, Text: "listen 80"},
				{Server: "haproxy", File: "/etc/haproxy/haproxy.cfg", Number: 40, Text: "bind :443 tfo", FastOpen: true},
			},
			counters:      kernel.Counters{PassiveOpens: 300, Passive: 200, QueueOverflow: 60},
			configsFailed: []error{errors.New("/etc/haproxy/conf.d/x.cfg could not be read: permission denied")},
			listeners:     []kernel.Listener{listener("127.0.0.1:80", 0, nginx), listener("127.0.0.1:443", 16, nginx), listener("127.0.0.1:443", 0, nginx)}}},
		"no-listener-uses-it": {{name: "this host", id: host, root: true, settings: set(3, tfo.NewKeys(key(1))),
			boot:      bootOfFiles(t, map[string]string{"etc/sysctl.d/30-a.conf": "net.ipv4.tcp_fastopen = three\nnet.ipv4.tcp_fastopen = 3\n"}),
			listeners: []kernel.Listener{listener("0.0.0.0:80", 0, nginx)}}},
		"not-root": {{name: "this host", id: host, boot: bootOfFiles(t, nil), listeners: []kernel.Listener{hidden, listener("127.0.0.1:8080", 0, kernel.Process{PID: 4, Name: "my\x1b[31mprogram"})},
			settings: func() kernel.Settings { s := set(2, tfo.Keys{}); s.KeysErr = notPermitted; return s }()}},
		"no-proc-sys": {{name: "this host", id: host, root: true, settingsErr: noProc, boot: bootOfFiles(t, nil),
			listenersErr: errors.New("kernel: cannot ask for the sockets that listen: permission denied"), countersErr: errors.New("kernel: cannot read the counters")}},
		"old-kernel": {{name: "this host", id: host, root: true, settings: old, boot: bootOfFiles(t, nil)}},
		"two-namespaces": {
			{name: "this host", id: host, root: true, settings: set(kernel.ClientBit, tfo.NewKeys(key(7))), boot: bootOfFiles(t, nil), shared: []string{"netns web"}},
			{name: "netns web", id: web, at: atWeb, root: true, settings: timed, shared: []string{"this host"},
				listeners: []kernel.Listener{listener("0.0.0.0:80", 0, nginx), listener("0.0.0.0:81", 511, nginx)},
				counters:  kernel.Counters{Blackhole: 2, ActiveFail: 9, SYNCookies: 4, AcceptOverflow: 12}}},
	}
}

// The text of a state is as in testdata, fits a terminal, and its JSON fits
// the schema.
func TestCheckStates(t *testing.T) {
	verdicts := map[string]verdict{
		"fresh": notReady, "ready": ready, "some-listeners": ready, "no-listener-uses-it": notReady,
		"not-root": notReady, "no-proc-sys": unknown, "old-kernel": notReady, "two-namespaces": notReady,
	}
	for name, found := range findings(t) {
		t.Run(name, func(t *testing.T) {
			r := (&checkFlags{}).report(found, len(found)-1)
			text := r.text(false)
			golden(t, "check/"+name+".txt", text)
			if r.Verdict != verdicts[name] {
				t.Errorf("verdict %s, want %s", r.Verdict, verdicts[name])
			}
			if want := map[verdict]int{ready: 0, notReady: 1, unknown: 2}[r.Verdict]; r.code() != want {
				t.Errorf("exit code %d, want %d", r.code(), want)
			}
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				isCommand := strings.HasPrefix(line, "    ") || strings.Contains(line, "sysctl -w")
				if n := utf8.RuneCountInString(line); n > textWidth && !isCommand || strings.TrimRight(line, " ") != line {
					t.Errorf("%d characters, or space at the end: %q", n, line)
				}
				if strings.IndexFunc(line, unprintable) >= 0 {
					t.Errorf("unprintable: %q", line)
				}
			}
			coloured := r.text(true)
			if !strings.Contains(coloured, "\x1b[") || stripColours(coloured) != text {
				t.Errorf("with colours it says something else:\n%s", coloured)
			}
			b, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range violations(checkSchema, string(b)) {
				t.Error(v)
			}
		})
	}
}

func stripColours(s string) string {
	var b strings.Builder
	for s != "" {
		before, after, ok := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !ok {
			break
		}
		_, s, _ = strings.Cut(after, "m")
	}
	return b.String()
}

// --client and --server ask for one side, and the verdict is about that.
func TestCheckSides(t *testing.T) {
	for _, c := range []struct {
		flags checkFlags
		bits  kernel.Bits
		want  verdict
	}{
		{checkFlags{client: true}, 1, ready},
		{checkFlags{client: true}, 2, notReady},
		{checkFlags{server: true}, 2, ready},
		{checkFlags{server: true}, 1, notReady},
		{checkFlags{}, 1, notReady},
		{checkFlags{}, 3, ready},
		{checkFlags{client: true, server: true}, 2, notReady},
	} {
		r := c.flags.report([]finding{{settings: kernel.Settings{FastOpen: c.bits}}}, 0)
		n := r.Namespaces[0]
		both := c.flags.client == c.flags.server
		if r.Verdict != c.want || (n.Client != nil) != (both || c.flags.client) || (n.Server != nil) != (both || c.flags.server) {
			t.Errorf("%+v, %v: got %+v, want %s", c.flags, c.bits, n, c.want)
		}
		for _, a := range n.Actions {
			if !both && strings.Contains(a.Command, "--client") != c.flags.client {
				t.Errorf("%+v: it is told to run %s", c.flags, a.Command)
			}
		}
	}
}

// Who runs what check says, in its order, has what was asked for: no command
// takes back what one before it did, and none is left to be run.
func TestCheckActionsAddUp(t *testing.T) {
	for _, c := range []struct {
		flags checkFlags
		bits  kernel.Bits
		want  kernel.Bits
	}{
		{checkFlags{}, 0, 3},
		{checkFlags{}, 0x607, 0x403},
		{checkFlags{}, 0x5, 0x3},
		{checkFlags{}, 0x202, 0x3},
		{checkFlags{}, 0x204, 0x3},
		{checkFlags{client: true}, 0x205, 0x201},
		{checkFlags{server: true}, 0x204, 0x6},
	} {
		n := c.flags.report([]finding{{root: true, settings: kernel.Settings{FastOpen: c.bits}}}, 0).Namespaces[0]
		got := c.bits
		for _, a := range n.Actions {
			if value, ok := strings.CutPrefix(a.Command, "sysctl -w net.ipv4.tcp_fastopen="); ok {
				v, err := strconv.ParseInt(value, 10, 32)
				if err != nil {
					t.Fatal(err)
				}
				got = kernel.Bits(v)
				continue
			}
			both := !strings.Contains(a.Command, "--client") && !strings.Contains(a.Command, "--server")
			if both || strings.Contains(a.Command, "--client") {
				got |= kernel.ClientBit
			}
			if both || strings.Contains(a.Command, "--server") {
				got |= kernel.ServerBit
			}
		}
		if got != c.want {
			t.Errorf("%+v: %#x becomes %#x, want %#x, by %+v", c.flags, uint32(c.bits), uint32(got), uint32(c.want), n.Actions)
		}
	}
}

// A schema that does not fit is noticed.
func TestSchemaNotices(t *testing.T) {
	const schema = `{"type":"object","properties":{"a":{"type":"integer","minimum":0},"b":{"$ref":"#/$defs/b"}},"required":["a"],"additionalProperties":false,
		"$defs":{"b":{"type":"array","items":{"enum":["x"]}}}}`
	for text, want := range map[string]int{
		`{"a":1}`: 0, `{"a":1,"b":["x"]}`: 0, `{}`: 1, `{"a":-1}`: 1, `{"a":1.5}`: 1, `{"a":1,"b":["y"]}`: 1, `{"a":1,"c":1}`: 1, `[]`: 2, `{`: 1,
	} {
		if got := violations(schema, text); len(got) != want {
			t.Errorf("%s: got %q, want %d", text, got, want)
		}
	}
	if got := violations(`{"maximum":1}`, `1`); len(got) != 1 {
		t.Errorf("an unknown keyword: got %q", got)
	}
}

// Random keys are never the same, so those that are were set.
func TestShareKeys(t *testing.T) {
	with := func(name string, k tfo.Keys) finding { return finding{name: name, settings: kernel.Settings{Keys: k}} }
	found := []finding{with("a", tfo.NewKeys(key(1))), with("b", tfo.NewKeys(key(2))), with("c", tfo.NewKeys(key(1))),
		with("d", tfo.Keys{}), with("e", tfo.Keys{}), with("f", tfo.NewKeys(key(1), key(2)))}
	shareKeys(found)
	for i, want := range []string{"c", "", "a", "", "", ""} {
		if got := strings.Join(found[i].shared, " "); got != want {
			t.Errorf("%s shares with %q, want %q", found[i].name, got, want)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	here, err := kernel.CurrentNamespace()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if got := placeOf(here, here); got != (place{}) {
		t.Errorf("here: got %q", got)
	}
}

func TestFold(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"one two three":          "one two|three",
		"a longerthanthewidth b": "a|longerthanthewidth|b",
		"ü ü ü ü ü":              "ü ü ü ü|ü",
	} {
		if got := strings.Join(fold(text, 8), "|"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"12345678": "12345678", "123456789": "1234567…", "": ""} {
		if got := clip(text, 8); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"no file": "No file.", "/etc/x has": "/etc/x has.", "Done.": "Done."} {
		if got := sentenceCase(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
