package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// A pane is a pseudo terminal on which a program runs.
type pane struct {
	t          *testing.T
	host, slot *os.File // the end that is the screen and the keyboard, and the program's
	cmd        *exec.Cmd
	wait       func() error
	mu         sync.Mutex
	shown      []byte
	news       chan struct{} // closed and replaced whenever more is shown
}

// emptyPane is one on which nothing runs.
func emptyPane(t *testing.T, columns, rows uint16) *pane {
	t.Helper()
	host, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { host.Close() })
	p := &pane{t: t, host: host, news: make(chan struct{})}
	var number int
	p.control(func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	if p.slot, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.slot.Close() })
	p.resize(columns, rows)
	go p.read()
	return p
}

// newPane starts a command on a terminal of the given size.
func newPane(t *testing.T, h *netns.Host, columns, rows uint16, args ...string) *pane {
	t.Helper()
	p := emptyPane(t, columns, rows)
	p.cmd = exec.Command("tfo", args...)
	p.cmd.Env = append(os.Environ(), "TERM=xterm", "LC_ALL=C.UTF-8", "NO_COLOR=")
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = p.slot, p.slot, p.slot
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.wait = h.Start(t, p.cmd)
	return p
}

func (p *pane) control(f func(fd int) error) {
	p.t.Helper()
	rc, err := p.host.SyscallConn()
	if err == nil {
		if cerr := rc.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
			err = cerr
		}
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pane) resize(columns, rows uint16) {
	p.t.Helper()
	p.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows})
	})
}

func (p *pane) read() {
	b := make([]byte, 4096)
	for {
		n, err := p.host.Read(b)
		p.mu.Lock()
		p.shown = append(p.shown, b[:n]...)
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await waits until what was shown from a place on matches, and returns where
// that ends.
func (p *pane) await(from int, pattern string) (end int) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(patience)
	for {
		p.mu.Lock()
		at, news := re.FindIndex(p.shown[from:]), p.news
		shown := string(p.shown[from:])
		p.mu.Unlock()
		if at != nil {
			return from + at[1]
		}
		select {
		case <-news:
		case <-late:
			p.t.Fatalf("%q is not shown, but at last\n%q", pattern, shown[max(len(shown)-3000, 0):])
		}
	}
}

// modes are the settings of the terminal.
func (p *pane) modes() unix.Termios {
	p.t.Helper()
	m, err := unix.IoctlGetTermios(int(p.slot.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return *m
}

// The screen follows what happens and the size of the window, and however it
// ends the terminal is as it was.
func TestWatchScreen(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	s := serve(t, server, "--queue", "77")
	for _, c := range []struct {
		why  string
		end  func(p *pane)
		code int
	}{
		{"q", func(p *pane) { p.host.WriteString("q") }, 0},
		{"Ctrl+C", func(p *pane) { p.host.WriteString("\x03") }, 0},
		{"SIGTERM", func(p *pane) { p.cmd.Process.Signal(syscall.SIGTERM) }, 0},
		{"SIGHUP", func(p *pane) { p.cmd.Process.Signal(syscall.SIGHUP) }, 0},
	} {
		p := newPane(t, server, 100, 30, "watch", "--interval", "0.1")
		before := p.modes()
		at := p.await(0, `\x1b\[\?1049h\x1b\[\?25l`)
		at = p.await(at, `tfo watch  this namespace {40,}every 100ms`)
		at = p.await(at, `\[::\]:8080 +0/77 +0/\d+ +tfo \(pid \d+\)`)
		if raw := p.modes(); raw.Lflag&(unix.ICANON|unix.ECHO) != 0 {
			t.Errorf("%s: keys are echoed", c.why)
		}
		fetch(t, client, "-k", fmt.Sprintf("http://%s:8080/outcome", netns.B4))
		at = p.await(at, `accepted +[1-9]`)
		p.resize(60, 20)
		at = p.await(at, `tfo watch  this namespace {2,20}every 100ms`)
		c.end(p)
		at = p.await(at, `\x1b\[\?25h\x1b\[\?1049l`)
		p.await(at, `In \S+:\r\n  1 (SYN asked|connection was opened)`)
		if err := p.wait(); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		if after := p.modes(); after != before {
			t.Errorf("%s: the terminal has the modes %+v, and had %+v", c.why, after, before)
		}
	}
	s.stop()
}

// A panic leaves the terminal as it was.
func TestWatchScreenPanics(t *testing.T) {
	p := emptyPane(t, 80, 24)
	before := p.modes()
	tty, err := fillTerminal(p.slot, p.slot)
	if err != nil {
		t.Fatal(err)
	}
	at := p.await(0, `\x1b\[\?1049h\x1b\[\?25l`)
	if p.modes() == before {
		t.Error("the terminal was not taken over")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a sampler that is none did not panic")
			}
		}()
		(&view{interval: time.Second}).loop(t.Context(), nil, tty, false)
	}()
	p.await(at, `\x1b\[\?25h\x1b\[\?1049l`)
	if after := p.modes(); after != before {
		t.Errorf("the terminal has the modes %+v, and had %+v", after, before)
	}
}

// A namespace that ends while it is watched ends the watching, in order.
func TestWatchScreenGone(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self, other := netns.Self(t), netns.New(t, "other")
	s := serve(t, other)
	p := newPane(t, self, 80, 24, "watch", "--interval", "0.1", "--pid", fmt.Sprint(s.cmd.Process.Pid))
	before := p.modes()
	at := p.await(0, `tfo watch  pid \d+ \(tfo\)`)
	s.stop()
	at = p.await(at, `\x1b\[\?25h\x1b\[\?1049l`)
	p.await(at, `tfo watch:\S* the network namespace of pid \d+ \(tfo\) is gone`)
	var exit *exec.ExitError
	if err := p.wait(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Errorf("got %v, want exit code %d", err, exitFailed)
	}
	if after := p.modes(); after != before {
		t.Errorf("the terminal has the modes %+v, and had %+v", after, before)
	}
}

// A terminal does not get the screen if it is asked for lines, or is a poor
// one.
func TestWatchLinesOnTerminal(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	self := netns.Self(t)
	p := newPane(t, self, 80, 24, "watch", "--plain", "--count", "1")
	p.await(0, `total +\d`)
	err := p.wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || bytes.Contains(p.shown, []byte("\x1b[?1049h")) {
		t.Errorf("%v: %q", err, p.shown)
	}
}

// Lines count what happens in between, in another namespace, too.
func TestWatchCounts(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	s := serve(t, server)
	url := fmt.Sprintf("http://%s:8080/outcome", netns.B4)
	r, w := io.Pipe()
	cmd := exec.Command("tfo", "watch", "--json", "--interval", "0.1", "--pid", fmt.Sprint(s.cmd.Process.Pid))
	cmd.Stdout = w
	wait := client.Start(t, cmd)
	lines := json.NewDecoder(r)
	var first, now sampleRecord
	if err := lines.Decode(&first); err != nil {
		t.Fatal(err)
	}
	if first.Total["PassiveOpens"] != 0 || first.PerSecond != nil || len(first.Listeners) != 1 {
		t.Errorf("first: %+v", first)
	}
	for range 3 {
		fetch(t, client, url)
	}
	var passive, asked float64
	for now.Total["TCPFastOpenPassive"] < 2 {
		if err := lines.Decode(&now); err != nil {
			t.Fatal(err)
		}
		passive += now.PerSecond["TCPFastOpenPassive"] * now.Seconds
		asked += now.PerSecond["TCPFastOpenCookieReqd"] * now.Seconds
	}
	if passive < 1.99 || passive > 2.01 || asked < 0.99 || asked > 1.01 {
		t.Errorf("%f fast and %f asked for a cookie, want 2 and 1", passive, asked)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	go io.Copy(io.Discard, r)
	if err := wait(); err != nil {
		t.Error(err)
	}
	s.stop()
}

// Prometheus is served until SIGTERM, and gets what the kernel counts then.
func TestWatchPrometheus(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	client, server := cable(t)
	s := serve(t, server, "--queue", "77")
	r, w := io.Pipe()
	cmd := exec.Command("tfo", "watch", "--prometheus", "127.0.0.1:0", "--pid", fmt.Sprint(s.cmd.Process.Pid))
	cmd.Stderr = w
	wait := client.Start(t, cmd)
	line := make([]byte, 256)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, r)
	_, url, _ := strings.Cut(strings.TrimSpace(string(line[:n])), "are at ")
	scrape := func() string {
		t.Helper()
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s, %v", r.Status, err)
		}
		return string(b)
	}
	netnsLabel := fmt.Sprintf(`{netns="pid %d (tfo)"}`, s.cmd.Process.Pid)
	want := func(why string, lines ...string) {
		t.Helper()
		got := scrape()
		for _, l := range lines {
			if !strings.Contains(got, "\n"+l+"\n") {
				t.Errorf("%s: no line %s in\n%s", why, l, got)
			}
		}
	}
	want("at first", "fastopen_server_connections_total"+netnsLabel+" 0", "fastopen_server_enabled"+netnsLabel+" 1", "fastopen_up 1",
		fmt.Sprintf(`fastopen_listener_queue_limit{address="[::]:8080",netns="pid %d (tfo)",process="tfo"} 77`, s.cmd.Process.Pid))
	for range 2 {
		fetch(t, client, fmt.Sprintf("http://%s:8080/outcome", netns.B4))
	}
	want("then", "fastopen_server_connections_total"+netnsLabel+" 1", "fastopen_server_cookie_requests_total"+netnsLabel+" 1")
	s.stop()
	want("when the namespace is gone", "fastopen_up 0")
	cmd.Process.Signal(syscall.SIGTERM)
	if err := wait(); err != nil {
		t.Error(err)
	}
}
