package netns

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

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
