package tcp

import (
	"io"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// syncookie has a SYN answered by a cookie at ms.
func (h *harness) syncookie(ms float64, syn string) wire.Segment {
	h.t.Helper()
	h.recv(ms, syn)
	s, ok := h.l.Send()
	if !ok || h.c != nil || !s.Flags.Has(wire.SYN|wire.ACK) {
		h.t.Fatalf("no SYN cookie but %v, %v", s, ok)
	}
	h.last = s
	return s
}

// The ACK that answers a SYN cookie may carry data and FIN, as in requirement
// SRV-18 the one that answers any other SYN-ACK.
func TestSyncookieFIN(t *testing.T) {
	h := newHarness(t)
	h.lc.SYNQueue = -1
	h.listen(0)
	h.syncookie(0, "S 0:0(0) win 65535 <mss 1460>")
	h.recv(20, "FP. 1:101(100) ack 1 win 1000")
	if h.c == nil {
		s, _ := h.l.Send()
		t.Fatalf("no connection but %v", s)
	}
	h.accept("a connection")
	h.want("data and FIN are acknowledged", ". 1:1(0) ack 102")
	h.wantRead("data", 100, io.EOF)
	h.wantState("half closed", CloseWait)
}

// What comes before the ACK that answers a SYN cookie, because that was lost or
// late, is no reason for a reset.
func TestSyncookieLateACK(t *testing.T) {
	h := newHarness(t)
	h.lc.SYNQueue = -1
	h.listen(0)
	h.syncookie(0, "S 0:0(0) win 65535 <mss 1460>")
	h.recv(20, "P. 101:201(100) ack 1 win 1000")
	if h.c != nil {
		t.Fatal("a connection of unknown beginning")
	}
	h.idle("no reset")
	h.recv(300, ". 1:101(100) ack 1 win 1000")
	h.accept("a connection")
	h.recv(301, "P. 101:201(100) ack 1 win 1000")
	h.want("all of it", ". 1:1(0) ack 201")
	h.wantRead("data", 200, nil)
}

// When a SYN cookie left is not known: the round trip is not measured, and the
// first timeout is the initial one.
func TestSyncookieRTT(t *testing.T) {
	h := newHarness(t)
	h.lc.SYNQueue = -1
	h.listen(0)
	h.syncookie(0, "S 0:0(0) win 65535 <mss 1460,sackOK>")
	h.recv(20, ". 1:1(0) ack 1 win 1000")
	h.accept("a connection")
	if i := h.c.Info(); i.RTT != 0 || i.RTO != time.Second {
		t.Errorf("RTT %v, RTO %v", i.RTT, i.RTO)
	}
}

// The bits of a SYN cookie's TSval that hold options never put it ahead of the
// clock: the peer would drop the data that follows.
// https://www.rfc-editor.org/rfc/rfc7323#section-5.3
func TestSyncookieTSValNotAhead(t *testing.T) {
	h := newHarness(t)
	h.cfg.NoTimestamps = false
	h.lc.SYNQueue = -1
	h.listen(0)
	for ms := range 130 {
		h.c = nil
		s := h.syncookie(float64(ms), "S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7,TS 5/0>")
		clock := h.cfg.timestampBase(h.now, h.local.Addr(), h.remote.Addr())
		if after(s.Options.TSVal, clock) || clock-s.Options.TSVal >= 2<<syncookieBits {
			t.Fatalf("at %d ms TSval is %d, the clock %d", ms, s.Options.TSVal, clock)
		}
	}
}
