package netns

import (
	"errors"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Counters are the values of a host's TCP counters, those of the kernel's
// tables Tcp and TcpExt, by name, such as "RetransSegs" and
// "TCPFastOpenActive". A name that the kernel does not have reads as zero.
type Counters map[string]uint64

// Counters returns how often each thing has happened on h since it was made.
func (h *Host) Counters(t testing.TB) Counters {
	t.Helper()
	all := make(Counters)
	for _, table := range []struct{ file, prefix string }{{"snmp", "Tcp:"}, {"netstat", "TcpExt:"}} {
		var b []byte
		var err error
		h.Do(func() { b, err = os.ReadFile("/proc/thread-self/net/" + table.file) })
		if err != nil {
			t.Fatalf("host %s: read counters: %v", h, err)
		}
		c, ok := parseCounters(string(b), table.prefix)
		if !ok {
			t.Fatalf("host %s: /proc/net/%s has no well-formed lines %s", h, table.file, table.prefix)
		}
		maps.Copy(all, c)
	}
	return all
}

// Since returns what c has more than before.
func (c Counters) Since(before Counters) Counters {
	d := make(Counters)
	for name, n := range c {
		if n != before[name] {
			d[name] = n - before[name]
		}
	}
	return d
}

// parseCounters reads the table of the given prefix: a line of names followed
// by a line of as many values.
func parseCounters(text, prefix string) (Counters, bool) {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != prefix {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		if len(f) != len(names) {
			return nil, false
		}
		c := make(Counters, len(f))
		for i := 1; i < len(f); i++ {
			// Some values are signed in the kernel's table.
			v, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				u, err := strconv.ParseUint(f[i], 10, 64)
				if err != nil {
					return nil, false
				}
				v = int64(u)
			}
			c[names[i]] = uint64(v)
		}
		return c, true
	}
	return nil, false
}

// tcp_metrics generic netlink commands (include/uapi/linux/tcp_metrics.h).
const (
	tcpMetricsFamily  = "tcp_metrics"
	tcpMetricsVersion = 1
	tcpMetricsDel     = 2
)

// FlushTCPMetrics makes the kernel of h forget what it knows of every peer:
// Fast Open cookies, MSS, round-trip times and failures. Only root may: the
// right to administer a user namespace is not enough, and the test is skipped.
func (h *Host) FlushTCPMetrics(t testing.TB) {
	t.Helper()
	family, err := h.nl.GenlFamilyGet(tcpMetricsFamily)
	if err != nil {
		t.Fatalf("host %s: find netlink family %s: %v", h, tcpMetricsFamily, err)
	}
	h.Do(func() {
		// A deletion that names no peer deletes all.
		req := nl.NewNetlinkRequest(int(family.ID), unix.NLM_F_ACK)
		req.AddData(&nl.Genlmsg{Command: tcpMetricsDel, Version: tcpMetricsVersion})
		_, err = req.Execute(unix.NETLINK_GENERIC, 0)
	})
	if errors.Is(err, unix.EPERM) {
		unavailable(t, "flush TCP metrics", err, "run as root")
	}
	if err != nil {
		t.Fatalf("host %s: flush TCP metrics: %v", h, err)
	}
}
