package tcp

import (
	"reflect"
	"testing"
	"time"
)

// SYNs at one interval first, as Linux 6.18 sends them with SYNLinear 4.
func TestSYNLinear(t *testing.T) {
	h := newHarness(t).client()
	h.cfg.Client.Off, h.cfg.SYNLinear, h.cfg.SYNRetries = true, 4, 10
	h.dial(0)
	h.want("SYN", "S 0:0(0)")
	for _, ms := range []float64{1000, 2000, 3000, 4000, 5000, 7000, 11_000, 19_000, 35_000} {
		h.wantAt(ms, "again", "S 0:0(0)")
	}
}

func TestOptionRoom(t *testing.T) {
	h := newHarness(t).client().knows("good", 1000, 0)
	h.cfg.Client.OptionRoom = 24
	h.dial(3000)
	h.want("room for these options alone", "S 0:976(976) <...>")
}

func TestTimestampTick(t *testing.T) {
	h := newHarness(t).client()
	h.cfg.NoTimestamps, h.cfg.Client.Off, h.cfg.TimestampTick = false, true, 10*time.Millisecond
	h.dial(0)
	h.want("SYN", "S 0:0(0) <mss 1460,sackOK,TS 0/0,wscale 7>")
	h.recv(50, "S. 0:0(0) ack 1 win 1000 <mss 1460,TS 9/0>")
	h.want("five ticks", ". 1:1(0) ack 1 <TS 5/9>")
}

// A lost SYN-ACK: what was sent early goes out again as soon as the handshake is
// confirmed, not after another timeout.
func TestEarlyDataUnheard(t *testing.T) {
	h := newHarness(t).listen(10)
	h.recv(0, "S 0:10(10) win 65535 <mss 1460,sackOK,fo good>")
	h.accept("child")
	h.want("SYN-ACK", "S. 0:0(0) ack 11")
	h.write(100)
	h.want("early", ". 1:101(100) ack 11")
	h.wantAt(1000, "SYN-ACK again", "S. 0:0(0) ack 11")
	h.recv(1020, ". 11:11(0) ack 1 win 1000")
	h.want("at once", ". 1:101(100) ack 11")
}

// The defaults that the documentation of Config promises.
func TestDefaults(t *testing.T) {
	var c Config
	got := []any{c.initialRTO(), c.minRTO(), c.maxRTO(), c.timeWait(), c.finWait2(), c.sendBuffer(), c.receiveBuffer(),
		c.maxReceiveBuffer(), c.initialWindow(), c.retries(), c.orphanRetries(), c.synRetries(), c.synackRetries(), c.delayedACK(), c.tick()}
	want := []any{time.Second, 200 * time.Millisecond, 120 * time.Second, time.Minute, time.Minute, 4 << 20, 64 << 10,
		6 << 20, 10, 15, 8, 6, 5, 40 * time.Millisecond, time.Millisecond}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("defaults are %v, want %v", got, want)
	}
	if c.mtuMSS(true) != 1460 || c.mtuMSS(false) != 1440 {
		t.Errorf("MSS of 1500: %d and %d", c.mtuMSS(true), c.mtuMSS(false))
	}
}
