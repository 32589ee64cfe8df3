package stack

import (
	"strings"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/wire"
)

// A SYN, forged or not, does not end TIME-WAIT where nobody listens: it opens nothing,
// so it is answered by an ACK like all else that comes (RFC 9293 section 3.10.7.4), as
// in Linux.
func TestTimeWaitWithoutListener(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	l := w.listen(at80, 0)
	c, s := w.connect(at80, l)
	local := c.Local()
	c.Close(w.now)
	w.run(time.Second)
	s.Close(w.now)
	w.run(time.Second)
	if _, waits := w.a.Sockets(); waits != 1 {
		t.Fatalf("%d in TIME-WAIT", waits)
	}
	w.seen = nil
	for i := range 4 {
		syn := wire.Segment{Src: at80, Dst: local, Seq: uint32(i) << 30, Flags: wire.SYN, Window: 100}
		syn.Options.Timestamps, syn.Options.TSVal = true, uint32(i)<<30
		w.a.Input(w.now, syn.AppendPacket(nil, wire.Full))
		w.run(time.Second)
	}
	if _, waits := w.a.Sockets(); waits != 1 {
		t.Error("TIME-WAIT was ended by a SYN to a port without a listener")
	}
	for _, line := range w.seen {
		if !strings.HasPrefix(line, "> . ") && !strings.HasPrefix(line, "< R") {
			t.Errorf("answered by %s", line)
		}
	}
}
