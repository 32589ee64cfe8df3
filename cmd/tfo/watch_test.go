package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/fastopen-go/fastopen/kernel"
)

// samples are what a busy server and an idle container count, second by
// second.
func samples(n int) (list []sample) {
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	web := kernel.NamespaceID{Dev: 4, Inode: 1}
	host := kernel.NamespaceID{Dev: 4, Inode: 2}
	nginx := []kernel.Process{{PID: 812, Name: "nginx"}, {PID: 813, Name: "nginx"}}
	listeners := []kernel.Listener{
		{Local: netip.MustParseAddrPort("0.0.0.0:22"), Backlog: 128},
		{Local: netip.MustParseAddrPort("0.0.0.0:443"), Backlog: 511, Queue: 256, Waiting: 3, Owners: nginx},
		{Local: netip.MustParseAddrPort("0.0.0.0:443"), Backlog: 511, Queue: 256, Owners: nginx},
		{Local: netip.MustParseAddrPort("[::]:8080"), Backlog: 5, Waiting: 6, Owners: []kernel.Process{{PID: 7, Name: "bad\x1bname\xff"}}},
	}
	c := kernel.Counters{ActiveOpens: 100, PassiveOpens: 40000, Passive: 17000, CookieReqd: 900}
	for i := range n {
		if i > 0 {
			c.PassiveOpens += uint64(20 + i%7)
			c.Passive += uint64(i % 13)
			c.CookieReqd += uint64(i % 2)
			c.PassiveFail += uint64(i / 40)
		}
		list = append(list, sample{at.Add(time.Duration(i) * time.Second), []namespaceSample{
			{name: "this host", id: host, bits: 3, counters: c, listeners: listeners, pending: []int{0, 7, 0, 0}},
			{name: "netns web", id: web, bits: 1},
		}})
	}
	return list
}

// What the screen shows fits, whatever the size, and is as in testdata.
func TestWatchView(t *testing.T) {
	for _, c := range []struct {
		name           string
		samples        int
		width, height  int
		one, ascii     bool
		down           int
		wantEverything bool
	}{
		{"first", 1, 80, 30, true, false, 0, true},
		{"busy", 61, 120, 40, true, false, 0, true},
		{"busy-80", 61, 80, 24, false, false, 0, false},
		{"other", 61, 80, 40, false, false, 1, true},
		{"ascii", 30, 100, 40, true, true, 0, true},
		{"tiny", 30, 20, 5, true, false, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &view{interval: time.Second, unicode: !c.ascii}
			for _, s := range samples(c.samples) {
				if c.one {
					s.namespaces = s.namespaces[:1]
				}
				v.add(s)
			}
			v.move(c.down)
			lines := v.render(c.width, c.height, false)
			golden(t, "watch/"+c.name+".txt", strings.Join(lines, "\n")+"\n")
			if len(lines) > c.height {
				t.Errorf("%d lines on a screen of %d", len(lines), c.height)
			}
			if small := strings.Contains(strings.Join(lines, "\n"), "the window is too small"); small == c.wantEverything && c.width >= 80 {
				t.Errorf("says that the window is too small: %t", small)
			}
		})
	}
	v := &view{interval: time.Second, unicode: true}
	for i, s := range samples(70) {
		v.add(s)
		if i%34 != 0 { // the first one, and one before and one after all is remembered
			continue
		}
		for width := range 130 {
			for _, height := range []int{0, 1, 2, 24} {
				lines := v.render(width, height, false)
				if len(lines) > height {
					t.Fatalf("%d lines on a screen of %d", len(lines), height)
				}
				for _, line := range lines {
					if utf8.RuneCountInString(line) > width || strings.IndexFunc(line, unprintable) >= 0 {
						t.Fatalf("%d columns: %q", width, line)
					}
				}
			}
		}
	}
	if h := v.history[v.chosen]; len(h) != remembered {
		t.Errorf("remembers %d intervals, want %d", len(h), remembered)
	}
	if plain, coloured := v.render(100, 40, false), v.render(100, 40, true); stripColours(strings.Join(coloured, "\n")) != strings.Join(plain, "\n") {
		t.Errorf("with colours it says something else:\n%s", strings.Join(coloured, "\n"))
	}
}

// A namespace that ends is forgotten, and another one is chosen.
func TestWatchViewForgets(t *testing.T) {
	list := samples(3)
	v := &view{interval: time.Second}
	v.add(list[0])
	v.move(5)
	if v.chosen != list[0].namespaces[1].id {
		t.Fatalf("chose %v", v.chosen)
	}
	v.add(list[1])
	list[2].namespaces = list[2].namespaces[:1]
	v.add(list[2])
	if v.chosen != list[2].namespaces[0].id || len(v.history) != 1 {
		t.Errorf("chose %v, remembers %d namespaces", v.chosen, len(v.history))
	}
	blind := list[2]
	blind.namespaces = []namespaceSample{{name: "this host", id: v.chosen, bitsErr: io.EOF, listenersErr: errors.New("kernel: no\x1b answer")}}
	v.add(blind)
	got := strings.Join(v.render(80, 24, false), "\n")
	for _, want := range []string{"Whether Fast Open is on could not be told.", "Who listens could not be told: no\\x1b answer"} {
		if !strings.Contains(got, want) {
			t.Errorf("the screen has no %q:\n%s", want, got)
		}
	}
	v.add(sample{at: list[2].at.Add(time.Second)})
	v.move(1)
	v.render(80, 24, true)
}

func TestWatchSummary(t *testing.T) {
	list := samples(11)
	v := &view{}
	v.add(list[0])
	if got := v.summary(); got != "" {
		t.Errorf("at once: %q", got)
	}
	v.add(list[10])
	want := "In 10s:\n  this host: 5 SYNs asked for a Fast Open cookie.\n  this host: 55 connections were opened by Fast Open: what came in their SYNs was accepted at once.\n"
	if got := v.summary(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSparkline(t *testing.T) {
	for _, c := range []struct {
		values  []float64
		width   int
		unicode bool
		want    string
	}{
		{nil, 8, true, ""},
		{[]float64{0, 0}, 8, true, ""},
		{[]float64{0, 1, 2, 4, 8}, 8, true, "·▂▃▅█"},
		{[]float64{100, 0, 4, 8}, 2, true, "▅█"},
		{[]float64{0, 1, 8}, 8, false, " :#"},
		{[]float64{1e-9, 1e9}, 8, true, "▁█"},
	} {
		if got := sparkline(c.values, c.width, c.unicode); got != c.want {
			t.Errorf("%v: got %q, want %q", c.values, got, c.want)
		}
	}
}

func TestParseKeys(t *testing.T) {
	for text, want := range map[string][]keyPress{
		"": nil, "q": {keyQuit}, "Q": {keyQuit}, "\x03": {keyQuit}, "\x04": {keyQuit}, "x": nil,
		"jk": {1, -1}, "\x1b[A\x1b[B": {-1, 1}, "\x1bOAq": {-1, keyQuit}, "\x1b": nil, "\x1b[": nil, "\x1b[C": nil,
	} {
		if got := parseKeys([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("\x1b[Aq"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := len(parseKeys(b)); n > len(b) {
			t.Fatalf("%d keys of %d bytes", n, len(b))
		}
	})
}

// Lines for pipes: the totals, then what comes in each interval.
func TestWatchPlain(t *testing.T) {
	var b bytes.Buffer
	p := newPlainLines(&b)
	var before *sample
	for _, s := range samples(24) {
		if err := p.print(s, before); err != nil {
			t.Fatal(err)
		}
		before = &s
	}
	golden(t, "watch/plain.txt", b.String())
	if err := p.print(*before, nil); err != nil {
		t.Fatal(err)
	}
	if err := (&plainLines{out: broken{}}).print(*before, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("into nothing: got %v", err)
	}
	if err := (&jsonLines{out: broken{}}).print(*before, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("JSON into nothing: got %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWatchJSON(t *testing.T) {
	list := samples(2)
	list[1].at = list[0].at.Add(2 * time.Second)
	var b bytes.Buffer
	p := &jsonLines{out: &b}
	p.print(list[0], nil)
	p.print(list[1], &list[0])
	var records []sampleRecord
	for line := range strings.Lines(b.String()) {
		var r sampleRecord
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if len(records) != 4 {
		t.Fatalf("%d records, want one for each namespace and sample", len(records))
	}
	first, second := records[0], records[2]
	if first.Seconds != 0 || first.PerSecond != nil || first.Total["TCPFastOpenPassive"] != 17000 || *first.FastOpen != 3 || first.Namespace != "this host" {
		t.Errorf("first: %+v", first)
	}
	if second.Seconds != 2 || second.PerSecond["TCPFastOpenPassive"] != 0.5 || second.PerSecond["PassiveOpens"] != 10.5 {
		t.Errorf("second: %+v", second)
	}
	if l := second.Listeners[1]; l.Address != "0.0.0.0:443" || l.Queue != 256 || l.Waiting != 3 || l.Processes[0] != "nginx (pid 812)" {
		t.Errorf("listener: %+v", l)
	}
}

func testCollector(take func(time.Time) (sample, error)) (*collector, *bytes.Buffer) {
	var b bytes.Buffer
	return newCollector(take, log.New(&b, "", 0)), &b
}

// The metrics follow the conventions of Prometheus, have the numbers of the
// kernel, and one series for the sockets that a server has at an address.
func TestPrometheus(t *testing.T) {
	c, logged := testCollector(func(time.Time) (sample, error) { return samples(2)[1], nil })
	problems, err := testutil.CollectAndLint(c)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	const want = `
# HELP fastopen_server_connections_total A SYN opened a connection at once, most often by a valid cookie, with or without data. (The kernel's TCPFastOpenPassive.)
# TYPE fastopen_server_connections_total counter
fastopen_server_connections_total{netns="web"} 0
fastopen_server_connections_total{netns="this host"} 17001
# HELP fastopen_server_enabled Whether the kernel lets programs use Fast Open when they listen (bit 0x2 of net.ipv4.tcp_fastopen).
# TYPE fastopen_server_enabled gauge
fastopen_server_enabled{netns="web"} 0
fastopen_server_enabled{netns="this host"} 1
# HELP fastopen_listener_queue_limit Connections opened by Fast Open that may be pending at the address, 0 where Fast Open is off.
# TYPE fastopen_listener_queue_limit gauge
fastopen_listener_queue_limit{address="0.0.0.0:22",netns="this host",process=""} 0
fastopen_listener_queue_limit{address="0.0.0.0:443",netns="this host",process="nginx"} 512
fastopen_listener_queue_limit{address="[::]:8080",netns="this host",process="bad\x1bname?"} 0
# HELP fastopen_listener_pending_connections Connections opened by Fast Open at the address whose handshake is not done. Each takes a place of the queue.
# TYPE fastopen_listener_pending_connections gauge
fastopen_listener_pending_connections{address="0.0.0.0:22",netns="this host",process=""} 0
fastopen_listener_pending_connections{address="0.0.0.0:443",netns="this host",process="nginx"} 7
fastopen_listener_pending_connections{address="[::]:8080",netns="this host",process="bad\x1bname?"} 0
# HELP fastopen_listener_sockets Sockets that listen at the address.
# TYPE fastopen_listener_sockets gauge
fastopen_listener_sockets{address="0.0.0.0:22",netns="this host",process=""} 1
fastopen_listener_sockets{address="0.0.0.0:443",netns="this host",process="nginx"} 2
fastopen_listener_sockets{address="[::]:8080",netns="this host",process="bad\x1bname?"} 1
# HELP fastopen_up Whether the kernel's counters could be read: 1, or 0 if not.
# TYPE fastopen_up gauge
fastopen_up 1
`
	if err := testutil.CollectAndCompare(c, strings.NewReader(strings.ReplaceAll(want, `\x1b`, "\x1b")),
		"fastopen_server_connections_total", "fastopen_server_enabled", "fastopen_listener_queue_limit", "fastopen_listener_pending_connections", "fastopen_listener_sockets", "fastopen_up"); err != nil {
		t.Error(err)
	}
	if logged.Len() > 0 {
		t.Errorf("logged %s", logged)
	}
	// Each counter is a metric, and no metric has two.
	seen := map[string]bool{}
	for _, e := range exported {
		if seen[e.metric] || seen[e.counter] || c.counters[e.counter] == nil {
			t.Errorf("%+v", e)
		}
		seen[e.metric], seen[e.counter] = true, true
	}
	if all := (kernel.Counters{}).All(); len(all) != len(exported) || len(c.counters) != len(all) {
		t.Errorf("%d counters, %d exported", len(all), len(exported))
	}
}

// A scrape that cannot be had says so in the metrics, and why in the log.
func TestPrometheusFails(t *testing.T) {
	c, logged := testCollector(func(time.Time) (sample, error) {
		return sample{}, errors.New("kernel: the network namespace of pid 7 (x) is gone")
	})
	if err := testutil.CollectAndCompare(c, strings.NewReader("# HELP fastopen_up Whether the kernel's counters could be read: 1, or 0 if not.\n# TYPE fastopen_up gauge\nfastopen_up 0\n"), "fastopen_up"); err != nil {
		t.Error(err)
	}
	if got := logged.String(); got != "the network namespace of pid 7 (x) is gone\n" {
		t.Errorf("logged %q", got)
	}
}

func TestPrometheusHandler(t *testing.T) {
	server := httptest.NewServer(metricsHandler(func(time.Time) (sample, error) { return samples(1)[0], nil }, log.New(io.Discard, "", 0)))
	defer server.Close()
	for path, want := range map[string]string{"/metrics": "fastopen_server_connections_total{netns=\"this host\"} 17000\n", "/": `<a href="/metrics">`} {
		r, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK || !strings.Contains(string(b), want) {
			t.Errorf("%s: %s, %v, without %q:\n%s", path, r.Status, err, want, b)
		}
		if path == "/metrics" {
			problems, err := promlint.New(bytes.NewReader(b)).Lint()
			if err != nil || len(problems) > 0 {
				t.Errorf("lint: %v, %v", problems, err)
			}
		}
	}
	if r, err := http.Get(server.URL + "/other"); err != nil || r.StatusCode != http.StatusNotFound {
		t.Errorf("/other: %v, %v", r, err)
	}
}

var _ prometheus.Collector = (*collector)(nil)

func TestRate(t *testing.T) {
	list := samples(2)
	if r := rateOf(list[1], list[1].namespaces[0], nil); r.over != 0 || r.perSecond(9) != 0 {
		t.Errorf("the first sample has a rate: %+v", r)
	}
	fresh := namespaceSample{id: kernel.NamespaceID{Inode: 99}, counters: kernel.Counters{Active: 4}}
	if r := rateOf(list[1], fresh, &list[0]); r.since.Active != 4 {
		t.Errorf("a new namespace: %+v", r)
	}
	for n, want := range map[float64]string{0: "0", 0.5: "0.5", 1: "1", 9.96: "10.0", 12.3: "12", 1e6: "1000000"} {
		if got := short(n); got != want && !(n == 9.96 && got == "10") {
			t.Errorf("%v: got %s, want %s", n, got, want)
		}
	}
	if got := fmt.Sprint(span(time.Minute), span(90*time.Second), span(2500*time.Millisecond)); got != "1 min1m30s2.5s" && got != "1 min 1m30s 2.5s" {
		t.Errorf("got %s", got)
	}
}
