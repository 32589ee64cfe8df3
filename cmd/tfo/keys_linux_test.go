package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tfo"
)

// Keys that tfo keys set has set are in force: the server grants the cookie
// that they make, which is vector 6 of requirement COOKIE-6, and those of a
// backup are accepted and replaced. They are set from outside of the server's
// namespace.
func TestKeysInForce(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := netns.Self(t), netns.New(t, "server")
	var tap sim.Tap
	netns.Path(t, client, server, sim.NewPath(1, &tap))
	inside := exec.Command("sleep", "1000")
	server.Start(t, inside)
	pid := fmt.Sprint(inside.Process.Pid)

	run := func(stdin string, args ...string) {
		t.Helper()
		cmd := exec.Command("tfo", append(args, "--pid", pid)...)
		cmd.Stdin = bytes.NewBufferString(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("tfo %v: %v\n%s", args, err, out)
		}
	}
	t.Cleanup(func() { server.Do(func() { kernel.Forget("") }) })
	run("", "enable", "--server", "--client")
	if got := server.ReadSysctl(t, "net.ipv4.tcp_fastopen"); got != "3" {
		t.Errorf("the server's setting is %s, want 3", got)
	}
	if got := client.ReadSysctl(t, "net.ipv4.tcp_fastopen"); got != "1" {
		t.Errorf("the client's setting is %s, want 1", got)
	}
	serve(t, server)
	url := fmt.Sprintf("http://%s:8080/outcome", netns.B4)

	// granted returns how many SYN-ACKs have brought the cookie of these keys.
	granted := func(keys string) int {
		t.Helper()
		k, err := tfo.ParseKeys(keys)
		if err != nil {
			t.Fatal(err)
		}
		cookie := k.Mint(netns.A4, netns.B4)
		option := cookie.Append([]byte{34, 10})
		return len(tap.Seen(func(s sim.Seen) bool { return s.Dir == sim.BtoA && s.SYN && bytes.Contains(s.Packet, option) }))
	}
	const old, fresh = "a0bf63f7-ed803d81-cd641d30-cebc4a90", "00000001-00000002-00000003-00000004"
	run(old, "keys", "set")
	one(t, client, url).want(t, "first contact", event{"outcome": "cookie-requested"})
	if n := granted(old); n != 1 {
		t.Errorf("%d SYN-ACKs with the cookie of the key that was set, want 1:\n%v", n, &tap)
	}
	vector6 := []byte{34, 10, 0xd3, 0x5e, 0xad, 0xa8, 0xd1, 0xf1, 0x56, 0xab}
	if len(tap.Seen(func(s sim.Seen) bool { return s.Dir == sim.BtoA && bytes.Contains(s.Packet, vector6) })) != 1 {
		t.Errorf("no SYN-ACK has the cookie d35eada8d1f156ab:\n%v", &tap)
	}
	one(t, client, url).want(t, "with the cookie", event{"outcome": "data-accepted"})

	run(fresh, "keys", "set", "--backup")
	one(t, client, url).want(t, "with the new key as backup", event{"outcome": "data-accepted"})
	if n := granted(fresh); n != 0 {
		t.Errorf("%d SYN-ACKs with the cookie of the backup, want none", n)
	}
	run(fresh, "keys", "set", "--primary")
	one(t, client, url).want(t, "with a cookie of the backup", event{"outcome": "data-accepted"})
	if n := granted(fresh); n != 1 {
		t.Errorf("%d SYN-ACKs with the cookie of the new key, want 1", n)
	}
	run(fresh, "keys", "set")
	one(t, client, url).want(t, "with the new cookie", event{"outcome": "data-accepted"})
	run("1-1-1-1", "keys", "set")
	one(t, client, url).want(t, "with a cookie of a key that is gone", event{"outcome": "fell-back"})

	// Derived keys are in force as well.
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	run("", "keys", "derive", "--apply", secret)
	after := time.Now()
	one(t, client, url)
	var keys tfo.Keys
	server.Do(func() {
		text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_fastopen_key")
		if err == nil {
			keys, err = tfo.ParseKeys(string(text))
		}
		if err != nil {
			t.Error(err)
		}
	})
	derived := false
	for _, now := range []time.Time{before, after} { // they may have changed in between
		want, err := tfo.Derive((*[32]byte)([]byte("0123456789abcdef0123456789abcdef")), tfo.DefaultDeriveInterval, now)
		derived = derived || err == nil && want.Equal(keys)
	}
	if !derived {
		t.Errorf("got keys %v, which are not those of now", keys)
	}
	if n := granted(keys.Reveal()); n != 1 || len(keys.Backups()) != 1 {
		t.Errorf("%d SYN-ACKs with the cookie of the derived keys %v, want 1", n, keys)
	}

	run("", "disable", "--server")
	one(t, client, url).want(t, "switched off", event{"outcome": "fell-back"})
	if got := server.ReadSysctl(t, "net.ipv4.tcp_fastopen"); got != "1" {
		t.Errorf("the server's setting is %s, want 1", got)
	}
	server.Do(func() {
		if c, ok, err := kernel.Remembered(""); err != nil || ok {
			t.Errorf("all is as it was, and yet remembered: %v, %t, %v", c, ok, err)
		}
	})
}
