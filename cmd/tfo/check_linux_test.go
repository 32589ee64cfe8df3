package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// checkOn runs tfo check --json on h, holds what it prints against the schema
// and returns the report of the first namespace.
func checkOn(t *testing.T, h *netns.Host, code int, args ...string) (namespaceReport, checkReport) {
	t.Helper()
	r := tfoOn(t, h, append([]string{"check", "--json"}, args...)...)
	if r.code != code || r.err != "" {
		t.Errorf("tfo check %s: exit code %d, want %d; %s", strings.Join(args, " "), r.code, code, r.err)
	}
	for _, v := range violations(checkSchema, r.out) {
		t.Error(v)
	}
	var report checkReport
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || len(report.Namespaces) == 0 {
		t.Fatalf("%v: %s", err, r.out)
	}
	return report.Namespaces[0], report
}

// From the kernel's default to a server that connections come to in their
// first packet.
func TestCheck(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	server.Sysctl(t, "net.ipv4.tcp_fastopen", "1")
	n, _ := checkOn(t, server, 1)
	if n.Client.Verdict != ready || n.Server.Short != "off" || n.Settings.FastOpen != 1 || n.Keys.State != "none" || n.Boot.Kept {
		t.Errorf("a new namespace: %+v", n)
	}
	if len(n.Actions) == 0 || n.Actions[0].Command != "tfo enable --server" {
		t.Errorf("what to do: %+v", n.Actions)
	}
	checkOn(t, server, 0, "--client")
	checkOn(t, server, 1, "--server")

	server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	n, _ = checkOn(t, server, 0)
	if n.Server.Short != "on, and nothing listens" {
		t.Errorf("on, and nothing listens: %+v", n.Server)
	}
	// A listener that does without, and then one that does not.
	off := serve(t, server, "--queue", "0", "--listen", netns.B4.String()+":8000")
	n, _ = checkOn(t, server, 1)
	if n.Server.Short != "on, and no listener uses it" || len(n.Listeners) != 1 || n.Actions[0].Command != "tfo attach --port 8000" {
		t.Errorf("a listener without: %+v, %+v, %+v", n.Server, n.Listeners, n.Actions)
	}
	on := serve(t, server, "--queue", "77")
	n, _ = checkOn(t, server, 0)
	if n.Server.Short != "on in 1 of 2 listeners" || n.Keys.State != "set" || len(n.Keys.Primary) != 10 {
		t.Errorf("a listener with: %+v, keys %+v", n.Server, n.Keys)
	}
	for _, l := range n.Listeners {
		pid, queue := off.cmd.Process.Pid, 0
		if strings.HasSuffix(l.Address, ":8080") {
			pid, queue = on.cmd.Process.Pid, 77
		}
		if len(l.Owners) != 1 || l.Owners[0].PID != pid || l.Queue != queue || l.Sockets != 1 {
			t.Errorf("listener: %+v, want owner %d and queue %d", l, pid, queue)
		}
	}
	for range 2 {
		fetch(t, client, "-k", fmt.Sprintf("http://%s:8080/outcome", netns.B4))
	}
	n, _ = checkOn(t, server, 0)
	if v := n.Counters.Values; v["TCPFastOpenCookieReqd"] != 1 || v["TCPFastOpenPassive"] != 1 || len(n.Counters.Remarks) != 2 {
		t.Errorf("counters: %+v", n.Counters)
	}
	text := tfoOn(t, server, "check")
	for _, want := range []string{"Clients: on. Servers: on in 1 of 2 listeners.\n", "  on, 77 ", "1 SYN asked for a Fast Open cookie.", "1 connection was opened by Fast Open"} {
		if !strings.Contains(text.out, want) {
			t.Errorf("the text has no %q:\n%s", want, text.out)
		}
	}
	off.stop()
	on.stop()
}

// A namespace is looked at from another one, by a process in it.
func TestCheckOther(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self, other := netns.Self(t), netns.New(t, "other")
	other.Sysctl(t, "net.ipv4.tcp_fastopen", "2")
	s := serve(t, other, "--queue", "0")
	pid := fmt.Sprint(s.cmd.Process.Pid)
	for _, flags := range [][]string{{"--pid", pid}, {"--netns", "/proc/" + pid + "/ns/net"}} {
		n, _ := checkOn(t, self, 1, flags...)
		if n.Settings.FastOpen != 2 || len(n.Listeners) != 1 || len(n.Actions) != 2 {
			t.Fatalf("%v: %+v", flags, n)
		}
		if got := []string{n.Actions[0].Command, n.Actions[1].Command}; got[0] != "tfo enable --client --pid "+pid || got[1] != "tfo attach --port 8080 --netns /proc/"+pid+"/ns/net" {
			t.Errorf("%v: what to do is %q", flags, got)
		}
		if got := n.Settings.Bits[1].Toggle; got != "nsenter -t "+pid+" -n sysctl -w net.ipv4.tcp_fastopen=0" {
			t.Errorf("%v: the bit is turned off by %q", flags, got)
		}
	}
	_, all := checkOn(t, self, 1, "--all-netns")
	inodes := map[uint64]bool{}
	for _, n := range all.Namespaces {
		inodes[n.Inode] = true
	}
	there, _ := checkOn(t, self, 1, "--pid", pid)
	here, _ := checkOn(t, self, 1)
	if !inodes[there.Inode] || !inodes[here.Inode] || all.Namespaces[0].Inode != here.Inode || here.Inode == there.Inode {
		t.Errorf("of %d namespaces, this one %d and the other %d: %v", len(inodes), here.Inode, there.Inode, inodes)
	}
	s.stop()
}

// A namespace that ip netns knows goes by its name, also in the commands.
func TestCheckNamed(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can name a namespace")
	}
	program, err := exec.LookPath("tfo")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip(err)
	}
	// The names are kept in /run/netns; this /run is seen by nobody else.
	cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs none /run && ip netns add web && exec "$0" check --json --netns web`, program)
	out, err := cmd.Output()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != checkNotReady {
		t.Fatalf("%v: %s", err, out)
	}
	var r checkReport
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	n := r.Namespaces[0]
	if n.Name != "netns web" || n.Actions[0].Command != "tfo enable --server --netns web" ||
		n.Settings.Bits[1].Toggle != "ip netns exec web sysctl -w net.ipv4.tcp_fastopen=3" {
		t.Errorf("got %+v", n)
	}
}

// The next boot does not make a namespace again that ip netns has made, so
// enable promises nothing there and writes no file of the host's.
func TestEnableNamed(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can name a namespace")
	}
	program, err := exec.LookPath("tfo")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip(err)
	}
	script := `mount -t tmpfs none /run && mount -t tmpfs none /etc/sysctl.d && ip netns add web && cd / || exit 9
for flags in --persist "" --undo; do ip netns exec web "$0" enable $flags; echo "exit code $?"; done
ls /etc/sysctl.d`
	out, err := exec.Command("unshare", "--mount", "sh", "-c", script, program).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const want = `tfo enable: --persist is about the next boot, which sets the host's own network namespace and not netns web, where this runs: leave it out, or run this on the host
exit code 1
running    1 -> 3: on for clients and for servers
Servers that ask for Fast Open have it from now on; tfo attach gives it to those that do not ask.
To put it back: tfo disable --undo
exit code 0
running    3 -> 1: on for clients, off for servers
exit code 0
`
	if got := string(out); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// In a container the first process is not that of the host, and nobody reads
// files of settings: nothing is promised of a boot, and none is written.
func TestContained(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can make a container")
	}
	program, err := exec.LookPath("tfo")
	if err != nil {
		t.Fatal(err)
	}
	script := `mount -t tmpfs none /run && mount -t tmpfs none /etc/sysctl.d && cd / || exit 9
"$0" enable --persist; "$0" enable --server; ls /etc/sysctl.d; "$0" check
mkdir -p /run/systemd/system; "$0" enable --persist --dry-run`
	out, err := exec.Command("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script, program).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := string(out)
	for _, want := range []string{
		"tfo enable: --persist is about the next boot, which sets the host's own network namespace and not this container, where this runs: leave it out, or run this on the host\n" +
			"running    1 -> 3: on for clients and for servers\nServers that ask for Fast Open have it from now on; tfo attach gives it to those that do not ask.\n" +
			"To put it back: tfo disable --undo\nthis container, Linux ",
		"Next boot\n  Nobody reads files such as those in /etc/sysctl.d in a container.",
		// systemd in a container does.
		"next boot  1 -> 3 (would be): on for clients and for servers; /etc/sysctl.d/30-tcp_fastopen.conf would be written\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no\n%s\nin\n%s", want, got)
		}
	}
}

// Where there is no /proc/sys, as in some containers, check says so and what
// else it found.
func TestCheckWithoutProcSys(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can hide /proc/sys")
	}
	tfo, err := exec.LookPath("tfo")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "sh", "-c", `mount -t tmpfs none /proc/sys && exec "$0" check --json`, tfo)
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Skip(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != checkUnknown {
		t.Fatalf("exit code %d, want %d: %v %s", code, checkUnknown, err, out)
	}
	for _, v := range violations(checkSchema, string(out)) {
		t.Error(v)
	}
	var r checkReport
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	n := r.Namespaces[0]
	if len(n.Unknown) != 1 || !strings.Contains(n.Unknown[0], "there is no /proc/sys/net here") || n.Counters == nil || n.Settings != nil {
		t.Errorf("got %+v", n)
	}
}
