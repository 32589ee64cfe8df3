package tcp

import (
	"testing"
	"time"
)

// closed is a connection with timestamps in TIME-WAIT: the last that the peer
// said was at its time 1020, the next sequence numbers are 2 on either side.
func closed(t *testing.T) *harness {
	t.Helper()
	h := stamped(t)
	h.c.CloseWrite(h.now)
	h.want("FIN", "F. 1:1(0) ack 1")
	h.recv(20, "F. 1:1(0) ack 2 win 1000 <TS 1020/10>")
	h.want("ACK", ". 2:2(0) ack 2 <TS 20/1020>")
	h.wantState("waits", TimeWait)
	return h
}

// RFC 1337 section 3 (F1): RST does not end TIME-WAIT, in a connection as in a
// record.
func TestRFC1337_3_NoAssassination(t *testing.T) {
	h := closed(t)
	h.recv(30, "R 2:2(0) win 0")
	h.wantState("waits on", TimeWait)
	h.idle("silently")
}

// RFC 7323 section 5.3 in TIME-WAIT: what lies beyond the peer's FIN is of another
// connection. It does not change what is echoed, nor how long the wait is.
func TestRFC7323_5_3_TimeWait(t *testing.T) {
	h := closed(t)
	until := h.c.Deadline()
	h.recv(30, "P. 1:11(10) ack 2 win 1000 <TS 5000/20>")
	h.want("answered", ". 2:2(0) ack 2 <TS 30/1020>")
	if !h.c.Deadline().Equal(until) {
		t.Error("the wait is longer")
	}
	h.recv(40, ". 2:2(0) ack 2 win 1000 <TS 1040/20>")
	h.idle("an ACK needs no answer")
	h.recv(50, "F. 1:1(0) ack 2 win 1000 <TS 1050/10>")
	h.want("the FIN again", ". 2:2(0) ack 2 <TS 50/1040>")
	if !h.c.Deadline().Equal(h.now.Add(time.Minute)) {
		t.Error("the FIN starts the wait anew")
	}

	h = closed(t)
	h.c.Close(h.now)
	w, ok := h.c.Wait(h.now)
	if !ok {
		t.Fatal("no record")
	}
	for _, x := range []struct {
		in   string
		echo uint32
	}{
		{"P. 1:11(10) ack 2 win 1000 <TS 5000/20>", 1020},
		{". 2:2(0) ack 2 win 1000 <TS 1040/20>", 0},
		{". 2:2(0) ack 2 win 1000 <TS 1030/20>", 0},
		{"F. 1:1(0) ack 2 win 1000 <TS 1050/10>", 1040},
	} {
		s := h.parse(x.in)
		reply, send, reuse := w.Receive(h.now, &h.cfg, &s)
		if send != (x.echo != 0) || reuse || reply.Options.TSEcr != x.echo {
			t.Errorf("%s: sends %v, reuse %v, echoes %d, want %d", x.in, send, reuse, reply.Options.TSEcr, x.echo)
		}
	}
}

// RFC 5961 section 7: a record answers what may answer it at most twice a second.
func TestRFC5961_7_TimeWaitRecord(t *testing.T) {
	h := closed(t)
	h.c.Close(h.now)
	w, _ := h.c.Wait(h.now)
	count := func(ms int, text string) bool {
		s := h.parse(text)
		_, send, _ := w.Receive(h.now.Add(time.Duration(ms)*time.Millisecond), &h.cfg, &s)
		return send
	}
	for i, want := range []bool{true, false, false, true} {
		if got := count([]int{0, 1, 499, 500}[i], ". 9:9(0) ack 2 win 1000 <TS 1030/20>"); got != want {
			t.Errorf("ACK %d: answered %v", i, got)
		}
	}
	if !count(501, "F. 1:1(0) ack 2 win 1000 <TS 1030/10>") || !count(502, "F. 1:1(0) ack 2 win 1000 <TS 1031/10>") {
		t.Error("a FIN is always answered")
	}
}

// RFC 9293 section 3.6.1 (MAY-2): a connection in place of one in TIME-WAIT starts
// beyond the numbers that were used, without a SYN cookie.
func TestRFC9293_3_6_1_Reopen(t *testing.T) {
	h := closed(t)
	h.c.Close(h.now)
	w, _ := h.c.Wait(h.now)
	// As if it had sent faster than the clock goes.
	w.sndNxt += 100_000_000
	h.lc.SYNQueue = -1
	h.listen(0)
	s := h.parse("S 5000:5000(0) win 65535 <mss 1460,TS 2000/0>")
	if _, _, reuse := w.Receive(h.now, &h.cfg, &s); !reuse {
		t.Fatal("a newer SYN must be allowed to open")
	}
	h.c = h.l.Reopen(h.now, &w, &s)
	if h.c == nil {
		t.Fatal("no connection")
	}
	h.irs += 5000
	h.want("SYN-ACK", "S. 0:0(0) ack 1 <...>")
	if h.last.Seq != w.sndNxt+65537 {
		t.Errorf("starts %d beyond what was used", h.last.Seq-w.sndNxt)
	}
	h.recv(30, ". 1:1(0) ack 1 win 500 <TS 2010/5>")
	h.wantState("opens", Established)

	// The clock is ahead as a rule.
	w.sndNxt -= 200_000_000
	if c := h.l.Reopen(h.now, &w, &s); c.snd.iss != h.cfg.isn(h.now, h.local, h.remote) {
		t.Error("the clock's number is larger, and not used")
	}
}

// RFC 6191 section 2: a SYN with timestamps in place of a connection without.
func TestRFC6191_2_TimestampsAreNew(t *testing.T) {
	for _, off := range []bool{false, true} {
		h := newHarness(t).listen(0)
		h.establish("mss 1460")
		h.c.Close(h.now)
		h.want("FIN", "F. 1:1(0) ack 1")
		h.recv(20, "F. 1:1(0) ack 2 win 1000")
		h.want("ACK", ". 2:2(0) ack 2")
		w, _ := h.c.Wait(h.now)
		cfg := h.cfg
		cfg.NoTimestamps = off
		s := h.parse("S 0:0(0) win 65535 <mss 1460,TS 1/0>")
		if _, _, reuse := w.Receive(h.now, &cfg, &s); reuse == off {
			t.Errorf("timestamps off %v: reuse %v", off, reuse)
		}
	}
}
