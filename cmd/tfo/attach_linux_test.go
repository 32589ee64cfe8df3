package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/sim"
)

// A far pair is a client and a server with a round trip of 100 ms between
// them, and Fast Open on for both kernels.
type farPair struct {
	t              *testing.T
	client, server *netns.Host
	url            string
	tap            sim.Tap
}

const farRTT = 100 * time.Millisecond

func newFarPair(t *testing.T, port int) *farPair {
	t.Helper()
	n := &farPair{t: t, client: netns.Self(t), server: netns.New(t, "server"), url: fmt.Sprintf("http://%s:%d/", netns.B4, port)}
	netns.Path(t, n.client, n.server, sim.NewPath(1, &n.tap, sim.Delay(farRTT/2)))
	n.server.Sysctl(t, "net.ipv4.tcp_fastopen", "3")
	return n
}

// plain checks that requests take two round trips, as without Fast Open.
func (n *farPair) plain(why string) {
	n.t.Helper()
	n.client.FlushTCPMetrics(n.t)
	for i := range 3 {
		e := one(n.t, n.client, n.url)
		// A packet is never sooner than the path allows.
		if ms := e.number("first_byte_ms"); ms < 200 || e["saved"] != false || e["status"] != 200.0 {
			n.t.Errorf("%s: request %d: the answer began after %v ms, want two round trips of 100 ms: %v", why, i, ms, e)
		}
	}
}

// fast checks that requests take one round trip, after a first one that got a
// cookie: the request is in the SYN, and the answer is there before two round
// trips can have passed.
func (n *farPair) fast(why string) {
	n.t.Helper()
	n.client.FlushTCPMetrics(n.t)
	one(n.t, n.client, n.url).want(n.t, why+": the first request", event{"outcome": "cookie-requested", "status": 200})
	before, best := n.synData(), time.Hour
	const requests = 4
	for i := range requests {
		e := one(n.t, n.client, n.url)
		e.want(n.t, fmt.Sprintf("%s: request %d", why, i), event{"outcome": "data-accepted", "saved": true, "status": 200})
		best = min(best, time.Duration(e.number("first_byte_ms")*float64(time.Millisecond)))
	}
	if best < farRTT || best >= 2*farRTT {
		n.t.Errorf("%s: the soonest answer began after %v, want one round trip of %v", why, best, farRTT)
	}
	if got := n.synData() - before; got != requests {
		n.t.Errorf("%s: %d SYNs carried data, want %d", why, got, requests)
	}
}

// synData counts the SYNs with data that the client has sent.
func (n *farPair) synData() int {
	return len(n.tap.Seen(func(s sim.Seen) bool { return s.SYN && s.Dir == sim.AtoB && s.Len > 0 }))
}

// tfo runs a command on the server, which prints JSON, and returns the
// objects.
func (n *farPair) tfo(code int, args ...string) (events []event) {
	n.t.Helper()
	r := tfoOn(n.t, n.server, append(args, "--json")...)
	if r.code != code {
		n.t.Fatalf("tfo %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.out, r.err)
	}
	for line := range strings.Lines(r.out) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			n.t.Fatalf("%v: %s", err, line)
		}
		events = append(events, e)
	}
	return events
}

// The distribution's nginx, configured as it comes, answers a cold request one
// round trip sooner once attached to, and as before once detached from.
func TestAttachNginx(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	n := newFarPair(t, 80)
	startNginx(t, n.server, "", 2)
	n.plain("before")
	for _, e := range n.tfo(0, "attach", "--port", "80", "--dry-run") {
		e.want(t, "dry run", event{"before": 0, "after": 511, "dry_run": true, "effective": true})
	}
	n.plain("after a dry run")
	events := n.tfo(0, "attach", "--port", "80")
	if len(events) != 2 || events[0].text("listener") != "0.0.0.0:80" || events[1].text("listener") != "[::]:80" {
		t.Errorf("got %v, want those of IPv4 and IPv6", events)
	}
	for _, e := range events {
		e.want(t, "attach", event{"before": 0, "after": 511, "backlog": 511, "effective": true, "error": nil})
	}
	n.fast("after attach")
	for _, e := range n.tfo(0, "detach", "--process", "nginx") {
		e.want(t, "detach", event{"before": 511, "after": 0, "error": nil})
	}
	n.plain("after detach")
}

// With --watch, Fast Open outlasts nginx's reload, its upgrade to a new binary
// and its restart.
func TestAttachNginxWatch(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	n := newFarPair(t, 80)
	stop := startNginx(t, n.server, "", 2)
	w := watching(t, n.server, "--process", "nginx", "--interval", "0.1", "--detach-on-exit")
	for i := range 2 {
		w.next("attached", i).want(t, "at first", event{"before": 0, "after": 511})
	}
	n.fast("at first")

	// A worker is called a master until it has got as far as to say so.
	masters, workers := nginxProcesses(await(t, n.server, "a master and workers", func(ls []kernel.Listener) bool {
		masters, workers := nginxProcesses(ls)
		return len(masters) == 1 && len(workers) > 0
	}))
	old := map[int]bool{}
	for _, pid := range workers {
		old[pid] = true
	}
	send(t, masters[0], syscall.SIGHUP)
	await(t, n.server, "new workers after SIGHUP", func(ls []kernel.Listener) bool {
		_, workers := nginxProcesses(ls)
		for _, pid := range workers {
			if old[pid] {
				return false
			}
		}
		return len(workers) > 0
	})
	n.fast("after a reload")

	send(t, masters[0], syscall.SIGUSR2)
	ls := await(t, n.server, "a second master after SIGUSR2", func(ls []kernel.Listener) bool {
		masters, _ := nginxProcesses(ls)
		return len(masters) == 2
	})
	both, _ := nginxProcesses(ls)
	send(t, masters[0], syscall.SIGQUIT)
	await(t, n.server, "the second master alone", func(ls []kernel.Listener) bool {
		left, _ := nginxProcesses(ls)
		return len(left) == 1 && left[0] != masters[0] && (left[0] == both[0] || left[0] == both[1])
	})
	n.fast("after an upgrade")
	if c := w.count("attached"); c != 2 {
		t.Errorf("%d sockets were attached to, and all that time there were only 2", c)
	}

	stop()
	w.next("closed", 1)
	startNginx(t, n.server, "", 2)
	for i := range 2 {
		w.next("attached", 2+i).want(t, "after a restart", event{"before": 0, "after": 511})
	}
	n.fast("after a restart")

	w.signal(syscall.SIGTERM)
	if err := w.wait(); err != nil {
		t.Errorf("attach --watch: %v\n%s", err, w.stderr)
	}
	if c := w.count("restored"); c != 2 || w.count("failed")+w.count("turned-off") > 0 || w.stderr.Len() > 0 {
		t.Errorf("got the events %v\n%s", w.events, w.stderr)
	}
	n.plain("after the watch")
}

// Each of the sockets that nginx's workers share a port by is attached to.
func TestAttachNginxReusePort(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	n := newFarPair(t, 80)
	startNginx(t, n.server, `
sed 's/^worker_processes .*/worker_processes 3;/' /etc/nginx/nginx.conf >/run/nginx.conf
mount --bind /run/nginx.conf /etc/nginx/nginx.conf
mount -t tmpfs tmpfs /etc/nginx/sites-enabled
echo 'server { listen 80 reuseport; root /var/www/html; index index.nginx-debian.html; }' >/etc/nginx/sites-enabled/site`, 3)
	if events := n.tfo(0, "attach", "--port", "80", "--queue", "100"); len(events) != 3 {
		t.Errorf("got %d objects, want one for each worker's socket: %v", len(events), events)
	}
	for _, l := range listeners(t, n.server) {
		if l.Queue != 100 {
			t.Errorf("the queue of %v, inode %d, is %d", l, l.Inode, l.Queue)
		}
	}
	for range 3 { // whichever worker's turn it is
		n.fast("reuseport")
	}
}

// So are an ordinary Go server, which listens for MPTCP unasked, and HAProxy.
func TestAttachOthers(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	n := newFarPair(t, 8080)
	haproxy := program(t, "haproxy")
	var l net.Listener
	var err error
	n.server.Do(func() { l, err = net.Listen("tcp", ":8080") })
	if err != nil {
		t.Fatal(err)
	}
	s := http.Server{Handler: http.NotFoundHandler()}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	inRoom(t, n.server, `mount -t tmpfs tmpfs /run
cat >/run/haproxy.cfg <<end
defaults
	mode http
	timeout client 10s
	timeout connect 10s
	timeout server 10s
frontend main
	bind :8081
	http-request return status 200 content-type text/plain string hello
end
exec `+haproxy+" -W -f /run/haproxy.cfg")
	await(t, n.server, "both listen", func(ls []kernel.Listener) bool { return len(ls) == 2 })
	n.plain("Go")
	for i, e := range n.tfo(0, "attach", "--all") {
		e.want(t, "attach", event{"before": 0, "after": e.number("backlog"), "mptcp": i == 0})
	}
	n.fast("Go")
	n.url = strings.Replace(n.url, "8080", "8081", 1)
	n.fast("HAProxy")
	n.tfo(0, "detach", "--port", "8080,8081")
	n.plain("HAProxy")
}
