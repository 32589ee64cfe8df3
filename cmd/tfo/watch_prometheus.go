package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fastopen-go/fastopen/kernel"
)

// export offers the counters over HTTP until it is told to stop.
func export(ctx context.Context, s *sampler, address string, stderr io.Writer) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return explainListen(err, address, "--prometheus")
	}
	log := log.New(stderr, "tfo watch: ", 0)
	server := &http.Server{
		Handler:           metricsHandler(s.take, log),
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      time.Minute,
		ErrorLog:          log,
	}
	fmt.Fprintf(stderr, "Counters of Fast Open for Prometheus are at http://%s/metrics\n", l.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("cannot go on serving at %s: %w", address, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("a scrape did not end in time and was cut off: %w", err)
	}
	return nil
}

// metricsHandler serves /metrics, and a page that leads there.
func metricsHandler(take func(time.Time) (sample, error), log *log.Logger) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(take, log))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: log, ErrorHandling: promhttp.HTTPErrorOnError}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, `<!doctype html><title>fastopen</title><p>TCP Fast Open on this host: <a href="/metrics">metrics</a>`)
	})
	return mux
}

// exported says which metric each counter of the kernel is.
var exported = []struct{ counter, metric string }{
	{"TCPFastOpenCookieReqd", "fastopen_server_cookie_requests_total"},
	{"TCPFastOpenPassive", "fastopen_server_connections_total"},
	{"TCPFastOpenPassiveAltKey", "fastopen_server_backup_key_connections_total"},
	{"TCPFastOpenPassiveFail", "fastopen_server_invalid_cookies_total"},
	{"TCPFastOpenListenOverflow", "fastopen_server_queue_overflows_total"},
	{"TCPFastOpenActive", "fastopen_client_connections_total"},
	{"TCPFastOpenActiveFail", "fastopen_client_failures_total"},
	{"TCPFastOpenBlackhole", "fastopen_client_blackholes_total"},
	{"ListenOverflows", "fastopen_tcp_accept_queue_overflows_total"},
	{"ListenDrops", "fastopen_tcp_listen_drops_total"},
	{"TCPReqQFullDoCookies", "fastopen_tcp_syn_cookies_total"},
	{"TCPSynRetrans", "fastopen_tcp_syn_retransmits_total"},
	{"ActiveOpens", "fastopen_tcp_active_opens_total"},
	{"PassiveOpens", "fastopen_tcp_passive_opens_total"},
}

// A collector reads the kernel's counters whenever Prometheus asks.
type collector struct {
	take func(time.Time) (sample, error)
	log  *log.Logger
	mu   sync.Mutex // one scrape at a time

	counters                         map[string]*prometheus.Desc // by the kernel's names
	up, client, server               *prometheus.Desc
	sockets, queue, backlog, waiting *prometheus.Desc
	pending                          *prometheus.Desc
	build                            *prometheus.Desc
}

func newCollector(take func(time.Time) (sample, error), log *log.Logger) *collector {
	// The label netns is the name that ip netns knows, "this host", or a process
	// as in "pid 4711 (nginx)".
	netns, listener := []string{"netns"}, []string{"netns", "address", "process"}
	c := &collector{
		take: take, log: log, counters: map[string]*prometheus.Desc{},
		up:      prometheus.NewDesc("fastopen_up", "Whether the kernel's counters could be read: 1, or 0 if not.", nil, nil),
		client:  prometheus.NewDesc("fastopen_client_enabled", "Whether the kernel lets programs use Fast Open when they connect (bit 0x1 of net.ipv4.tcp_fastopen).", netns, nil),
		server:  prometheus.NewDesc("fastopen_server_enabled", "Whether the kernel lets programs use Fast Open when they listen (bit 0x2 of net.ipv4.tcp_fastopen).", netns, nil),
		sockets: prometheus.NewDesc("fastopen_listener_sockets", "Sockets that listen at the address.", listener, nil),
		queue:   prometheus.NewDesc("fastopen_listener_queue_limit", "Connections opened by Fast Open that may be pending at the address, 0 where Fast Open is off.", listener, nil),
		backlog: prometheus.NewDesc("fastopen_listener_backlog_limit", "Connections that may wait to be accepted at the address.", listener, nil),
		waiting: prometheus.NewDesc("fastopen_listener_waiting_connections", "Connections that wait to be accepted at the address.", listener, nil),
		pending: prometheus.NewDesc("fastopen_listener_pending_connections", "Connections opened by Fast Open at the address whose handshake is not done. Each takes a place of the queue.", listener, nil),
		build:   prometheus.NewDesc("fastopen_build_info", "The version of tfo. The value is always 1.", []string{"version"}, nil),
	}
	for _, k := range (kernel.Counters{}).All() {
		for _, e := range exported {
			if e.counter == k.Name {
				c.counters[k.Name] = prometheus.NewDesc(e.metric, k.Meaning+" (The kernel's "+k.Name+".)", netns, nil)
			}
		}
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.counters {
		ch <- d
	}
	for _, d := range []*prometheus.Desc{c.up, c.client, c.server, c.sockets, c.queue, c.backlog, c.waiting, c.pending, c.build} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	now, err := c.take(time.Now())
	c.mu.Unlock()
	up := 1.0
	if err != nil {
		up = 0
		c.log.Print(strings.TrimPrefix(err.Error(), "kernel: "))
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.up, up)
	gauge(c.build, 1, moduleVersion())
	for _, n := range now.namespaces {
		name := strings.TrimPrefix(label(n.name), "netns ")
		for _, k := range n.counters.All() {
			if d, ok := c.counters[k.Name]; ok {
				ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(k.Value), name)
			}
		}
		if n.bitsErr == nil {
			gauge(c.client, float64(btoi(n.bits.Client())), name)
			gauge(c.server, float64(btoi(n.bits.Server())), name)
		}
		for _, l := range n.joints() {
			// The number of the process would make a new series with every
			// restart.
			labels := []string{name, label(l.address), label(l.process())}
			gauge(c.sockets, float64(l.sockets), labels...)
			gauge(c.queue, float64(l.queue), labels...)
			gauge(c.backlog, float64(l.backlog), labels...)
			gauge(c.waiting, float64(l.waiting), labels...)
			if n.pending != nil {
				gauge(c.pending, float64(l.pending), labels...)
			}
		}
	}
}

// label is text as Prometheus takes it.
func label(text string) string { return strings.ToValidUTF8(text, "?") }
