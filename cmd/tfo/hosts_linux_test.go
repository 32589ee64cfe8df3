package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// A served is a tfo serve --json that runs on a host.
type served struct {
	t      testing.TB
	cmd    *exec.Cmd
	wait   func() error
	stderr *bytes.Buffer

	mu     sync.Mutex
	part   []byte
	events []event
	news   chan struct{} // closed and replaced with every event
}

// An event is a JSON object of a line, of any kind.
type event map[string]any

func (e event) text(name string) string { s, _ := e[name].(string); return s }
func (e event) number(name string) float64 {
	n, _ := e[name].(float64)
	return n
}

// patience is how long a test waits for what must come. It is not reached
// unless something is wrong.
const patience = 20 * time.Second

// serve starts tfo serve on h and waits until it listens.
func serve(t testing.TB, h *netns.Host, args ...string) *served {
	t.Helper()
	s := &served{t: t, stderr: new(bytes.Buffer), news: make(chan struct{})}
	s.cmd = exec.Command("tfo", append([]string{"serve", "--json"}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s, s.stderr
	s.wait = h.Start(t, s.cmd)
	s.next("start", 0)
	return s
}

// Write takes the JSON lines.
func (s *served) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.part = append(s.part, b...)
	for {
		line, rest, ok := bytes.Cut(s.part, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		s.part = rest
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			e = event{"event": "no JSON", "text": string(line)}
		}
		s.events = append(s.events, e)
		close(s.news)
		s.news = make(chan struct{})
	}
}

// count returns how many events of a kind there have been.
func (s *served) count(kind string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.text("event") == kind {
			n++
		}
	}
	return n
}

// next waits for the event of a kind that comes after skip others.
func (s *served) next(kind string, skip int) event {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		left, news := skip, s.news
		for _, e := range s.events {
			if e.text("event") == kind {
				if left == 0 {
					s.mu.Unlock()
					return e
				}
				left--
			}
		}
		s.mu.Unlock()
		select {
		case <-news:
		case <-deadline:
			s.t.Fatalf("no event %q number %d; events: %v", kind, skip+1, s.events)
		}
	}
}

// url is the n-th at which the server said it is.
func (s *served) url(n int) string {
	s.t.Helper()
	urls, _ := s.next("start", 0)["urls"].([]any)
	if n >= len(urls) {
		s.t.Fatalf("the server has no URL %d: %v", n, urls)
	}
	return urls[n].(string)
}

// signal sends one.
func (s *served) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// stop ends the server and returns its last event.
func (s *served) stop() event {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if err := s.wait(); err != nil {
		s.t.Errorf("tfo serve: %v\n%s", err, s.stderr)
	}
	if s.stderr.Len() > 0 {
		s.t.Errorf("tfo serve --json wrote to stderr: %s", s.stderr)
	}
	return s.next("stop", 0)
}

// A result is what a command did.
type result struct {
	out, err string
	code     int
}

// tfoOn runs tfo on h.
func tfoOn(t testing.TB, h *netns.Host, args ...string) (r result) {
	t.Helper()
	cmd := exec.Command("tfo", args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := h.Start(t, cmd)()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// fetch runs tfo get --json on h and returns its objects.
func fetch(t testing.TB, h *netns.Host, args ...string) (events []event) {
	t.Helper()
	r := tfoOn(t, h, append([]string{"get", "--json"}, args...)...)
	if r.code != 0 {
		t.Fatalf("tfo get %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	for line := range strings.Lines(r.out) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		events = append(events, e)
	}
	return events
}

// one is fetch of what takes a single connection.
func one(t testing.TB, h *netns.Host, args ...string) event {
	t.Helper()
	events := fetch(t, h, args...)
	if len(events) != 1 {
		t.Fatalf("tfo get %s: got %d objects, want 1: %v", strings.Join(args, " "), len(events), events)
	}
	return events[0]
}

// want checks fields of an event.
func (e event) want(t testing.TB, why string, fields event) {
	t.Helper()
	for name, want := range fields {
		got := e[name]
		if n, ok := want.(int); ok {
			want = float64(n)
		}
		if got != want {
			t.Errorf("%s: %s is %v, want %v, in %v", why, name, got, want, e)
		}
	}
}
