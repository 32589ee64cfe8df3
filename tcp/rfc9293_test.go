package tcp

import (
	"io"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// Section 3.5, figure 6: the basic handshake, from both sides.
func TestRFC9293_3_5_Handshake(t *testing.T) {
	h := newHarness(t).listen(0)
	h.recv(0, "S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7>")
	h.want("SYN-ACK", "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,wscale 7>")
	h.wantState("half open", SynReceived)
	h.recv(10, ". 1:1(0) ack 1 win 500")
	h.wantState("open", Established)
	h.accept("now")

	h = newHarness(t).client()
	h.cfg.Client.Off = true
	h.dial(0)
	h.want("SYN", "S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7>")
	h.recv(10, "S. 0:0(0) ack 1 win 500 <mss 1460>")
	h.want("ACK", ". 1:1(0) ack 1")
	if i := h.c.Info(); i.SACK || i.Scaled || i.Timestamps {
		t.Errorf("negotiated what the peer did not offer: %+v", i)
	}
}

// Section 3.5, figure 7: simultaneous open.
func TestRFC9293_3_5_SimultaneousOpen(t *testing.T) {
	h := newHarness(t).client()
	h.cfg.Client.Off = true
	h.dial(0)
	h.want("SYN", "S 0:0(0)")
	h.recv(10, "S 0:0(0) win 1000 <mss 1460>")
	h.want("SYN-ACK", "S. 0:0(0) ack 1")
	h.wantState("crossed", SynReceived)
	h.recv(20, ". 1:1(0) ack 1 win 1000")
	h.wantState("open", Established)
}

// Section 3.5.1, figure 9: the peer has an old connection half open.
func TestRFC9293_3_5_1_HalfOpen(t *testing.T) {
	h := newHarness(t).client()
	h.cfg.Client.Off = true
	h.dial(0)
	h.want("SYN", "S 0:0(0)")
	h.recv(10, ". 300:300(0) ack 100 win 1000")
	h.want("reset with its number", "R 100:100(0)")
	h.want("and the SYN again", "S 0:0(0)")
	h.recv(20, "S. 0:0(0) ack 1 win 1000 <mss 1460>")
	h.want("open", ". 1:1(0) ack 1")
}

// Section 3.6, figure 12: normal close, this end first, through TIME-WAIT.
func TestRFC9293_3_6_NormalClose(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.c.CloseWrite(h.now)
	h.want("FIN", "F. 1:1(0) ack 1")
	h.wantState("sent", FinWait1)
	h.recv(20, ". 1:1(0) ack 2 win 1000")
	h.wantState("acknowledged", FinWait2)
	h.recv(30, "P. 1:11(10) ack 2 win 1000")
	h.want("half closed: still receives", ". 2:2(0) ack 11")
	h.wantRead("data", 10, nil)
	h.recv(40, "F. 11:11(0) ack 2 win 1000")
	h.want("ACK", ". 2:2(0) ack 12")
	h.wantState("both closed", TimeWait)
	h.recv(50, "F. 11:11(0) ack 2 win 1000")
	h.want("ACK again", ". 2:2(0) ack 12")
	if d := h.deadline(); d != 60_050 {
		t.Errorf("TIME-WAIT ends at %v ms, want 60050", d)
	}
	h.wake()
	h.idle("over")
	h.wantState("gone", Closed)
	if !h.c.Done() || h.c.Err() != nil {
		t.Errorf("done %v, error %v", h.c.Done(), h.c.Err())
	}
}

// Section 3.6: the peer closes first.
func TestRFC9293_3_6_PassiveClose(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.recv(20, "FP. 1:11(10) ack 1 win 1000")
	h.want("ACK", ". 1:1(0) ack 12")
	h.wantState("half closed", CloseWait)
	h.wantRead("data and the end", 10, io.EOF)
	h.write(20)
	h.c.CloseWrite(h.now)
	h.want("data and FIN", "FP. 1:21(20) ack 12")
	h.wantState("last", LastAck)
	h.recv(30, ". 12:12(0) ack 22 win 1000")
	h.wantState("gone", Closed)
}

// Section 3.6, figure 13: simultaneous close.
func TestRFC9293_3_6_SimultaneousClose(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.c.CloseWrite(h.now)
	h.want("FIN", "F. 1:1(0) ack 1")
	h.recv(20, "F. 1:1(0) ack 1 win 1000")
	h.want("ACK of theirs", ". 2:2(0) ack 2")
	h.wantState("crossed", Closing)
	h.recv(30, ". 2:2(0) ack 2 win 1000")
	h.wantState("both", TimeWait)
}

// Section 3.6 and RFC 1122 section 4.2.2.13: data after CLOSE is answered by a
// reset, unread data makes CLOSE a reset.
func TestRFC9293_3_6_DataAfterClose(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.c.Close(h.now)
	h.want("FIN", "F. 1:1(0) ack 1")
	h.recv(20, "P. 1:11(10) ack 2 win 1000")
	h.want("reset", "R. 2:2(0) ack 1")
	h.wantState("gone", Closed)

	h = newHarness(t).listen(0)
	h.establish("mss 1460")
	h.recv(20, "P. 1:11(10) ack 1 win 1000")
	h.c.Close(h.now)
	h.want("reset", "R. 1:1(0) ack 11")
}

// Section 3.10.4: a connection that nobody owns does not stay in FIN-WAIT-2.
func TestRFC9293_3_10_4_FinWait2Ends(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.c.Close(h.now)
	h.want("FIN", "F. 1:1(0) ack 1")
	h.recv(20, ". 1:1(0) ack 2 win 1000")
	h.wantState("waits", FinWait2)
	if d := h.deadline(); d != 60_020 {
		t.Errorf("waits until %v ms", d)
	}
	h.wake()
	h.idle("over")
	h.wantState("gone", Closed)
}

// Section 3.10.7.1: CLOSED answers with a reset.
func TestRFC9293_3_10_7_1_Closed(t *testing.T) {
	h := newHarness(t)
	for _, x := range []struct{ in, out string }{
		{"S 5:5(0) win 1", "R. 0:0(0) ack 6"}, {"SF 5:9(4) win 1", "R. 0:0(0) ack 11"}, {". 5:5(0) ack 70 win 1", "R 70:70(0)"}, {"P 5:9(4) win 1", "R. 0:0(0) ack 9"},
	} {
		s := h.parse(x.in)
		s.Ack -= h.iss()
		r, ok := Reset(&s)
		r.Ack -= h.irs
		if r.Flags == wire.RST {
			r.Ack = 0
		} else {
			r.Ack += h.irs
		}
		if !ok {
			t.Errorf("%s: no reset", x.in)
			continue
		}
		h.compare(x.in, x.out, r)
	}
	s := h.parse("R 5:5(0) win 1")
	if _, ok := Reset(&s); ok {
		t.Error("a reset was answered by a reset")
	}
}

// Section 3.10.7.2: LISTEN ignores RST, answers ACK by a reset.
func TestRFC9293_3_10_7_2_Listen(t *testing.T) {
	h := newHarness(t).listen(0)
	h.recv(0, "R 5:5(0) win 1")
	h.idle("ignored")
	h.recv(0, ". 5:5(0) ack 70 win 1")
	if s, ok := h.send(); !ok || s.Flags != wire.RST || s.Seq != 70 {
		t.Errorf("%v %v", s, ok)
	}
	h.recv(0, "P 5:9(4) win 1")
	h.idle("nothing that makes sense")
}

// Section 3.10.7.3: SYN-SENT: RST without ACK is nobody's, with it a refusal.
func TestRFC9293_3_10_7_3_SynSentReset(t *testing.T) {
	h := newHarness(t).client()
	h.cfg.Client.Off = true
	h.dial(0)
	h.want("SYN", "S 0:0(0)")
	h.recv(10, "R 0:0(0) win 0")
	h.wantState("ignored", SynSent)
	h.recv(10, "R. 0:0(0) ack 7 win 0")
	h.wantState("ignored", SynSent)
	h.recv(10, "R. 0:0(0) ack 1 win 0")
	h.wantState("refused", Closed)
	if h.c.Err() != ErrRefused {
		t.Errorf("error is %v", h.c.Err())
	}
}

// Section 3.10.7.4, first check: what lies outside the window is answered by an
// ACK, and its data not taken.
func TestRFC9293_3_10_7_4_Window(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460,sackOK")
	h.recv(1000, "P. 1:11(10) ack 1 win 1000")
	h.want("taken", ". 1:1(0) ack 11")
	h.recv(2000, "P. 1:11(10) ack 1 win 1000")
	h.want("old: ACK, and which it was", ". 1:1(0) ack 11 <sack 1:11>")
	h.recv(3000, "P. 6:16(10) ack 1 win 1000")
	h.want("partly old: the new part", ". 1:1(0) ack 16 <sack 6:11>")
	h.recv(4000, "P. 90000:90010(10) ack 1 win 1000")
	h.want("beyond", ". 1:1(0) ack 16")
	h.wantRead("each byte once", 15, nil)
}

// Section 3.10.7.4, fifth check: ACK of data not sent, and none at all.
func TestRFC9293_3_10_7_4_Ack(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.recv(1000, "P. 1:11(10) ack 500 win 1000")
	h.want("ACK of what was not sent", ". 1:1(0) ack 1")
	h.recv(2000, "P 1:11(10) win 1000")
	h.idle("without ACK it is dropped")
	h.wantRead("nothing", 0, nil)
}

// Section 3.8.3: R2 ends the connection, and the application is told.
func TestRFC9293_3_8_3_GiveUp(t *testing.T) {
	h := newHarness(t)
	h.cfg.Retries = 4
	h.listen(0)
	h.establish("mss 1460")
	h.write(10)
	h.want("data", ". 1:11(10) ack 1")
	for range 4 {
		h.wake()
		h.want("again", ". 1:11(10) ack 1")
	}
	h.wake()
	h.idle("given up")
	h.wantRead("error", 0, ErrTimeout)
	// The default R2 is above 100 seconds.
	h = newHarness(t).listen(0)
	h.establish("mss 1460")
	h.write(10)
	h.want("data", ". 1:11(10) ack 1")
	for h.state() == Established {
		h.wake()
		h.send()
	}
	if d := h.now.Sub(h.start); d < 100*time.Second {
		t.Errorf("gave up after %v", d)
	}
	// More than can be counted is not for ever.
	h = newHarness(t)
	h.cfg.Retries = 1000
	h.listen(0)
	h.establish("mss 1460")
	h.write(10)
	tries := 0
	for h.send(); h.state() == Established && tries < 1000; h.send() {
		tries++
		h.wake()
	}
	if tries != maxTries+1 {
		t.Errorf("gave up after %d tries", tries)
	}
}

// Section 3.8.4: keepalive is off by default, and ends a dead peer.
func TestRFC9293_3_8_4_Keepalive(t *testing.T) {
	h := newHarness(t)
	h.cfg.Keepalive = Keepalive{Interval: 10 * time.Second, Count: 2}
	h.listen(0)
	h.establish("mss 1460")
	if d := h.deadline(); d != -1 {
		t.Fatalf("something is due at %v ms", d)
	}
	h.c.SetKeepalive(h.now, true)
	h.wantAt(10+7_200_000, "probe", ". 0:0(0) ack 1")
	h.recv(7_200_020, ". 1:1(0) ack 1 win 1000")
	h.wantAt(2*7_200_000+20, "alive: two hours more", ". 0:0(0) ack 1")
	h.wantAt(2*7_200_000+10_020, "second", ". 0:0(0) ack 1")
	h.wake()
	h.want("dead: reset", "R. 1:1(0) ack 1")
	h.wantRead("error", 0, ErrTimeout)
}

// Section 3.8.6.1: zero-window probes, and the connection stays open as long as
// they are answered.
func TestRFC9293_3_8_6_1_ZeroWindow(t *testing.T) {
	h := newHarness(t)
	h.cfg.Retries = 3
	h.listen(0)
	h.establish("mss 1460")
	h.write(3000)
	h.want("first", ". 1:1461(1460) ack 1")
	h.want("second", ". 1461:2921(1460) ack 1")
	h.recv(20, ". 1:1(0) ack 2921 win 0")
	h.idle("shut")
	for range 10 {
		h.wake()
		h.want("probe", ". 2920:2920(0) ack 1")
		h.recv(float64(h.now.Sub(h.start))/1e6, ". 1:1(0) ack 2921 win 0")
	}
	h.recv(float64(h.now.Sub(h.start))/1e6+1, ". 1:1(0) ack 2921 win 1000")
	h.want("opened", "P. 2921:3001(80) ack 1")
	// Unanswered, they end it.
	h = newHarness(t)
	h.cfg.Retries = 3
	h.listen(0)
	h.establish("mss 1460")
	h.write(2000)
	h.want("first", ". 1:1461(1460) ack 1")
	h.want("second", ". 1461:2001(540) ack 1")
	h.write(10)
	h.recv(20, ". 1:1(0) ack 2001 win 0")
	h.idle("shut")
	for range 3 {
		h.wake()
		h.want("probe", ". 2000:2000(0) ack 1")
	}
	h.wake()
	h.idle("dead")
	h.wantRead("error", 0, ErrTimeout)
}

// Section 3.8.6.2.1: the sender's silly window: little is not sent until a while
// has passed.
func TestRFC9293_3_8_6_2_1_SenderSilly(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.write(5000)
	for range 3 {
		h.send()
	}
	h.send()
	h.recv(20, ". 1:1(0) ack 5001 win 100")
	h.write(1000)
	h.idle("a hundred bytes are silly")
	h.wake()
	h.want("after a while what fits", ". 5001:5101(100) ack 1")
}

// Section 3.8.6.2.2: the receiver's silly window: the edge moves by a segment at
// least.
func TestRFC9293_3_8_6_2_2_ReceiverSilly(t *testing.T) {
	h := newHarness(t)
	h.cfg.ReceiveBuffer, h.cfg.MaxReceiveBuffer = 4000, 4000
	h.listen(0)
	h.establish("mss 1000")
	for i := range 4 {
		start := i*1000 + 1
		h.recv(20, sprint(". %d:%d(1000) ack 1 win 1000", start, start+1000))
		h.want("ACK", sprint(". 1:1(0) ack %d win %d", start+1000, 3000-i*1000))
	}
	var b [500]byte
	h.c.Read(h.now, b[:])
	h.idle("half a segment is no reason")
	h.c.Read(h.now, b[:])
	h.want("a whole one is", ". 1:1(0) ack 4001 win 1000")
}

// Section 3.8.6.3: delayed acknowledgement: at least every second full segment,
// within half a second, and at once at the start.
func TestRFC9293_3_8_6_3_DelayedAck(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	seq := 1
	for range quickSegments {
		h.recv(20, sprint(". %d:%d(1460) ack 1 win 1000", seq, seq+1460))
		seq += 1460
		h.want("at once", sprint(". 1:1(0) ack %d", seq))
		h.c.Discard(h.now, 1460)
	}
	h.recv(30, sprint(". %d:%d(1460) ack 1 win 1000", seq, seq+1460))
	seq += 1460
	h.idle("the first waits")
	h.recv(31, sprint(". %d:%d(1460) ack 1 win 1000", seq, seq+1460))
	seq += 1460
	h.want("the second does not", sprint(". 1:1(0) ack %d", seq))
	h.recv(40, sprint("P. %d:%d(10) ack 1 win 1000", seq, seq+10))
	seq += 10
	h.wantAt(80, "within the limit", sprint(". 1:1(0) ack %d", seq))
	if d := (&Config{DelayedACK: time.Hour}).delayedACK(); d >= 500*time.Millisecond {
		t.Errorf("a delay of %v is allowed", d)
	}
}

// Section 3.7.4: Nagle: a small segment waits while another is outstanding.
func TestRFC9293_3_7_4_Nagle(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.write(10)
	h.want("the first", "P. 1:11(10) ack 1")
	h.write(10)
	h.write(10)
	h.idle("the next wait")
	h.recv(20, ". 1:1(0) ack 11 win 1000")
	h.want("together", "P. 11:31(20) ack 1")
	h.c.SetNoDelay(true)
	h.write(10)
	h.want("at once", "P. 31:41(10) ack 1")
}

// Section 3.7.1: MSS: the default without the option, and ours from the MTU.
func TestRFC9293_3_7_1_MSS(t *testing.T) {
	h := newHarness(t)
	h.cfg.MTU = 1000
	h.listen(0)
	h.recv(0, "S 0:0(0) win 65535")
	h.want("from the MTU", "S. 0:0(0) ack 1 <mss 960>")
	h.recv(10, ". 1:1(0) ack 1 win 65535")
	h.accept("open")
	h.write(2000)
	h.want("536", ". 1:537(536) ack 1")
}

// Section 3.9.2.2: ICMP in ESTABLISHED is soft: it explains a timeout.
func TestRFC9293_3_9_2_2_SoftErrors(t *testing.T) {
	h := newHarness(t)
	h.cfg.Retries = 1
	h.listen(0)
	h.establish("mss 1460")
	h.write(10)
	h.want("data", ". 1:11(10) ack 1")
	h.icmp(wire.HostUnreachable, 0, 1)
	h.icmp(wire.SourceQuench, 0, 1)
	h.wantState("not aborted", Established)
	h.wake()
	h.want("again", ". 1:11(10) ack 1")
	h.wake()
	h.idle("given up")
	h.wantRead("why", 0, Unreachable{wire.HostUnreachable})
}

// Section 3.10.5: ABORT.
func TestRFC9293_3_10_5_Abort(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.write(10)
	h.c.Abort(h.now)
	h.want("reset", "R. 1:1(0) ack 1")
	h.idle("nothing more")
	if n, err := h.c.Write(h.now, []byte("x")); n != 0 || err != ErrAborted {
		t.Errorf("Write returns %d, %v", n, err)
	}
}

// Section 3.10.2 and 3.10.3: SEND and RECEIVE in every state return what they may.
func TestRFC9293_3_10_2_Calls(t *testing.T) {
	h := newHarness(t).listen(0)
	h.establish("mss 1460")
	h.c.CloseWrite(h.now)
	if n, err := h.c.Write(h.now, []byte("x")); n != 0 || err != ErrClosed {
		t.Errorf("Write after CloseWrite returns %d, %v", n, err)
	}
	if !h.c.Writable() || h.c.Readable() {
		t.Error("an error is readiness to write; nothing is there to read")
	}
}
