package stack

import (
	"io"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/wire"
)

// A reset tells that what was sent has not arrived, also where both sides have said that
// there is no more. Linux has ECONNRESET in all states but CLOSE-WAIT, where it is EPIPE
// (tcp_reset); the reader has come to the end all the same.
func TestResetBehindFIN(t *testing.T) {
	for _, state := range []tcp.State{tcp.CloseWait, tcp.LastAck, tcp.Closing} {
		w := newWorld(t, Settings{}, Settings{})
		l := w.listen(at80, 0)
		c, s := w.connect(at80, l)
		no := syscall.ECONNRESET
		switch state {
		case tcp.CloseWait:
			want(t, "Shutdown of the peer", s.Shutdown(w.now, ShutWrite), nil)
			w.run(time.Second)
			no = syscall.EPIPE
		case tcp.LastAck:
			want(t, "Shutdown of the peer", s.Shutdown(w.now, ShutWrite), nil)
			w.run(time.Second)
			w.drop = func(to *Host, _ []byte) bool { return to == w.b }
			c.Send(w.now, []byte("lost"))
			want(t, "Shutdown", c.Shutdown(w.now, ShutWrite), nil)
		case tcp.Closing:
			w.drop = func(to *Host, _ []byte) bool { return to == w.b }
			c.Send(w.now, []byte("lost"))
			want(t, "Shutdown", c.Shutdown(w.now, ShutWrite), nil)
			want(t, "Shutdown of the peer", s.Shutdown(w.now, ShutWrite), nil)
			w.run(15 * time.Millisecond)
		}
		if i := c.Info(); i.State != state {
			t.Fatalf("%v, want %v", i.State, state)
		}
		want(t, "Disconnect of the peer", s.Disconnect(w.now), nil)
		w.run(time.Second)
		_, err := c.Receive(w.now, make([]byte, 1))
		want(t, "Receive", err, io.EOF)
		poll(t, "was reset in "+state.String(), c, hangup|out|PollHup|PollErr)
		want(t, "PendingError in "+state.String(), c.PendingError(), no)
	}
}

// A socket whose SYN has crossed another is not connected before that is answered:
// nothing can be sent, and Poll does not say so.
func TestSendInSimultaneousOpen(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	c := w.a.Socket()
	want(t, "Bind", c.Bind(netip.AddrPortFrom(addrA4, 1000)), nil)
	want(t, "Connect", c.Connect(w.now, at80), syscall.EINPROGRESS)
	syn := wire.Segment{Src: at80, Dst: netip.AddrPortFrom(addrA4, 1000), Flags: wire.SYN, Window: 100}
	w.drop = func(*Host, []byte) bool { return true }
	w.a.Input(w.now, syn.AppendPacket(nil, wire.Full))
	if i := c.Info(); i.State != tcp.SynReceived {
		t.Fatalf("%+v", i)
	}
	poll(t, "waits for the answer to its SYN", c, 0)
	_, err := c.Send(w.now, []byte("x"))
	want(t, "Send", err, syscall.EAGAIN)
}
