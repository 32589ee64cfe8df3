package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
)

// powerless runs tfo here, as a process that cannot make raw packets whoever
// its user is.
func powerless(t *testing.T, stdin string, args ...string) (r result) {
	t.Helper()
	done := make(chan error)
	var out, errs bytes.Buffer
	cmd := exec.Command("tfo", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		// What is not in the bounding set, no exec gives to anyone.
		err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_RAW, 0, 0, 0)
		if err == nil {
			err = cmd.Run()
		}
		done <- err
	}()
	err := <-done
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// objects reads JSON lines.
func objects(t *testing.T, text string) (all []event) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// TestProbe asks tfo probe about a server that is fine, one behind a firewall
// that drops data in SYNs, one with Fast Open off, and one that is not there.
func TestProbe(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client := netns.Self(t)
	good, dropped, off := netns.New(t, "good"), netns.New(t, "dropped"), netns.New(t, "off")
	for i, h := range []*netns.Host{good, dropped, off} {
		hops := []sim.Hop{sim.Delay(5 * time.Millisecond)}
		if h == dropped {
			hops = append(hops, sim.DropSYNData())
		}
		netns.Path(t, client, h, sim.NewPath(1, hops...), prefix(i, 1), prefix(i, 2), prefix6(i, 1), prefix6(i, 2))
		if h != off {
			h.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
		}
		serve(t, h, "--self-signed", "--listen", ":80", "--listen-tls", ":443")
	}
	const hosts = "10.77.10.2\n[fd77:a::2]:443\nhttp://10.77.11.2/\n10.77.12.2\n10.77.10.2:9\n"
	want := []event{
		{"host": "10.77.10.2", "address": "10.77.10.2:443", "verdict": "works"},
		{"host": "[fd77:a::2]:443", "address": "[fd77:a::2]:443", "verdict": "works"},
		{"host": "http://10.77.11.2/", "address": "10.77.11.2:80", "verdict": "data-dropped"},
		{"host": "10.77.12.2", "address": "10.77.12.2:443", "verdict": "no-fast-open"},
		{"host": "10.77.10.2:9", "address": "10.77.10.2:9", "verdict": "refused"},
	}
	run := map[string]func(stdin string, args ...string) result{
		"raw": func(stdin string, args ...string) result {
			cmd := exec.Command("tfo", args...)
			var out, errs bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
			client.Start(t, cmd)()
			return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
		},
		"kernel": func(stdin string, args ...string) result { return powerless(t, stdin, args...) },
	}
	for mode, tfo := range run {
		r := tfo(hosts, "probe", "--json", "--rate", "100")
		found := objects(t, r.out)
		if r.code != exitFailed || len(found) != len(want) || r.err != "" {
			t.Fatalf("%s: exit code %d\n%s%s", mode, r.code, r.out, r.err)
		}
		for i, e := range found {
			want[i]["mode"] = mode
			e.want(t, mode, want[i])
		}
		// A TLS server answered what came after the handshake, and what was in
		// the SYN. What that saved is measured only where the machine was not
		// busy meanwhile.
		if e := found[0]; e["plain_first_byte_ms"] == nil || e["fast_first_byte_ms"] == nil || e.number("saved_round_trips") <= 0 || e.number("cookies") != 1 {
			t.Errorf("%s: %v", mode, e)
		}
		for args, code := range map[string]int{
			"10.77.10.2":              exitOK,
			"10.77.10.2:80":           exitOK,
			"10.77.10.2 10.77.12.2":   exitFailed,
			"10.77.10.2 10.77.10.2:9": exitUnsure,
			"10.77.12.2 10.77.10.2:9": exitFailed,
			"10.77.10.2 x.invalid":    exitUnsure,
		} {
			r := tfo("", append([]string{"probe"}, strings.Fields(args)...)...)
			if r.code != code {
				t.Errorf("%s, %s: exit code %d, want %d\n%s%s", mode, args, r.code, code, r.out, r.err)
			}
			if explained := strings.Contains(r.out, "ms since the start"); explained != !strings.Contains(args, " ") {
				t.Errorf("%s, %s: explained: %t\n%s", mode, args, explained, r.out)
			}
		}
	}
	if r := powerless(t, "", "probe", "--mode", "raw", "10.77.10.2"); r.code != exitUsage || !strings.Contains(r.err, "CAP_NET_RAW") {
		t.Errorf("raw without the right: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	client.Sysctl(t, "net.ipv4.tcp_fastopen", "2")
	r := powerless(t, hosts, "probe")
	if r.code != exitUsage || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, "this host's own Fast Open is off for clients: turn it on with tfo enable --client") {
		t.Errorf("Fast Open off for clients: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	// Nothing is left of all that: no connection, open or half-open.
	for _, h := range []*netns.Host{good, dropped, off} {
		for end := time.Now().Add(patience); ; {
			left := connections(t, h)
			if left == "" {
				break
			}
			if time.Now().After(end) {
				t.Errorf("host %s still has connections:\n%s", h, left)
				break
			}
		}
	}
}

// connections lists those of h that are established or half-open.
func connections(t *testing.T, h *netns.Host) (left string) {
	t.Helper()
	for _, file := range []string{"tcp", "tcp6"} {
		var b []byte
		var err error
		h.Do(func() { b, err = os.ReadFile("/proc/thread-self/net/" + file) })
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 3 && (f[3] == "01" || f[3] == "03") { // TCP_ESTABLISHED, TCP_SYN_RECV
				left += line
			}
		}
	}
	return left
}

// prefix is the address of host 1 or 2 of the n-th pair.
func prefix(n, host int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf("10.77.%d.%d/24", 10+n, host))
}

func prefix6(n, host int) netip.Prefix {
	return netip.MustParsePrefix(fmt.Sprintf("fd77:%x::%d/64", 10+n, host))
}
