package stack

import (
	"net/netip"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// TestPast closes sockets in the ways in which connections end. All let go of their
// connections, and go on to tell of them.
func TestPast(t *testing.T) {
	linger := func(s *Socket, w *world) { s.SetLinger(0); s.Close(w.now) }
	for name, end := range map[string]func(w *world, c, s *Socket){
		"in order":       func(w *world, c, s *Socket) { c.Close(w.now); w.run(time.Second); s.Close(w.now) },
		"by the server":  func(w *world, c, s *Socket) { s.Close(w.now); w.run(time.Second); c.Close(w.now) },
		"by both":        func(w *world, c, s *Socket) { s.Close(w.now); c.Close(w.now) },
		"by a reset":     func(w *world, c, s *Socket) { linger(c, w); w.run(time.Second); s.Close(w.now) },
		"by both resets": func(w *world, c, s *Socket) { linger(c, w); linger(s, w) },
		"over long ago": func(w *world, c, s *Socket) {
			c.Shutdown(w.now, ShutWrite)
			w.run(time.Second)
			s.Shutdown(w.now, ShutWrite)
			w.run(5 * time.Minute)
			c.Close(w.now)
			s.Close(w.now)
		},
		"with data unread": func(w *world, c, s *Socket) {
			c.Send(w.now, []byte("x"))
			w.run(time.Second)
			s.Close(w.now)
			w.run(time.Second)
			c.Close(w.now)
		},
	} {
		for _, early := range []bool{false, true} {
			w := newWorld(t, Settings{}, Settings{})
			c, s := w.a.Socket(), (*Socket)(nil)
			if early {
				l := w.listenFast(t)
				n, err := c.ConnectWith(w.now, netip.AddrPortFrom(addrB4, 90), []byte("early"))
				if n != 5 || err != nil {
					t.Fatal(n, err)
				}
				w.run(time.Second)
				if s, err = l.Accept(w.now); err != nil || w.receive(s) != "early" {
					t.Fatal(err)
				}
			} else {
				c, s = w.connect(at80, w.listen(at80, 0))
			}
			all := []*Socket{c, s}
			type told struct {
				local   netip.AddrPort
				outcome tfo.Outcome
				info    Info
			}
			tell := func(s *Socket) told {
				x := told{s.Local(), s.Outcome(), s.Info()}
				// What is told of the end is the end's.
				x.outcome.RTT, x.info.Outcome.RTT = 0, 0
				x.info.Info = tcp.Info{}
				return x
			}
			before := []told{tell(c), tell(s)}
			end(w, c, s)
			w.run(5 * time.Minute)
			for i, s := range all {
				if s.conn != nil {
					t.Errorf("%s, early %v: socket %d keeps its connection, in %v", name, early, i, s.conn.State())
					continue
				}
				if after := tell(s); after != before[i] {
					t.Errorf("%s, early %v: socket %d tells\n%+v, before\n%+v", name, early, i, after, before[i])
				}
				if want := before[1-i].local; s.past.remoteAddr() != want {
					t.Errorf("%s: the peer was at %v, want %v", name, s.past.remoteAddr(), want)
				}
				if i := s.Info(); i.RTT < 2*w.delay || i.MinRTT < 2*w.delay || i.Delivered == 0 || i.Outcome.RTT != i.RTT {
					t.Errorf("%s: %+v", name, i)
				}
				poll(t, "was closed", s, PollNVAL)
				callAll(w, s)
			}
			if n := w.a.pool.Len() + w.b.pool.Len(); n < 2 {
				t.Errorf("%s: %d connections are kept for use again", name, n)
			}
			if w.a.memory.lent+w.b.memory.lent != 0 {
				t.Errorf("%s: buffers left: %d, %d", name, w.a.memory.lent, w.b.memory.lent)
			}
		}
	}
}

// callAll calls every method of a socket that was closed.
func callAll(w *world, s *Socket) {
	v := reflect.ValueOf(s)
	for i := range v.NumMethod() {
		var args []reflect.Value
		for j := range v.Method(i).Type().NumIn() {
			switch in := v.Method(i).Type().In(j); in {
			case reflect.TypeFor[time.Time]():
				args = append(args, reflect.ValueOf(w.now))
			case reflect.TypeFor[[]byte]():
				args = append(args, reflect.ValueOf(make([]byte, 10)))
			case reflect.TypeFor[netip.AddrPort]():
				args = append(args, reflect.ValueOf(at80))
			default:
				args = append(args, reflect.Zero(in))
			}
		}
		v.Method(i).Call(args)
	}
}

// TestWaitAgain: records of TIME-WAIT are used again, as many as are worth it.
func TestWaitAgain(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	flows := func(n, round int) (all []flow) {
		for i := range n {
			all = append(all, flowOf(at80, netip.AddrPortFrom(addrB4, uint16(1+i+round*n))))
		}
		return all
	}
	for round, n := range []int{5, 5000, 100, 3000} {
		all := flows(n, round)
		for _, f := range all {
			w.a.addWait(w.now, f, tcp.Wait{})
		}
		for i := range all {
			if x, ok := w.a.waits.get(&all[i]); !ok || x.f != all[i] || x.over {
				t.Fatalf("round %d: record %d is %+v", round, i, x)
			}
		}
		again, _ := w.a.waits.get(&all[n/2])
		w.a.endWait(again)
		w.run(time.Minute)
		if _, waits := w.a.Sockets(); waits != 0 {
			t.Fatalf("round %d: %d are still waiting", round, waits)
		}
		if n := w.a.spares.Len(); n > sparesMost || n < waitsAtOnce {
			t.Errorf("round %d: %d are kept", round, n)
		}
	}
}

// TestPastAttempt: attempts that come to nothing, and connections that nobody ever
// had, leave nothing behind.
func TestPastAttempt(t *testing.T) {
	w := newWorld(t, Settings{}, Settings{})
	dial := func() *Socket {
		s := w.a.Socket()
		want(t, "Connect", s.Connect(w.now, at80), syscall.EINPROGRESS)
		return s
	}
	s := dial()
	w.run(time.Second)
	want(t, "PendingError", s.PendingError(), syscall.ECONNREFUSED)
	want(t, "Close", s.Close(w.now), nil)
	if s.conn != nil || !s.past.dead || w.a.pool.Len() != 1 {
		t.Errorf("refused: %+v, %d are kept", s.past, w.a.pool.Len())
	}
	s = dial()
	if w.a.pool.Len() != 0 {
		t.Error("a new connection is not made of one that is over")
	}
	want(t, "Close", s.Close(w.now), nil)
	if s.conn != nil || w.a.pool.Len() != 1 {
		t.Errorf("closed before it was answered: %d are kept", w.a.pool.Len())
	}
	w.run(time.Second)
	l := w.listen(at80, 0)
	// Its ACK never comes: the server's end gives up.
	w.drop = func(to *Host, p []byte) bool { return to == w.a }
	s = dial()
	w.run(10 * time.Minute)
	want(t, "Close", s.Close(w.now), nil)
	if n := w.b.pool.Len(); n != 1 {
		t.Errorf("a handshake that came to nothing: %d are kept", n)
	}
	// Those that wait for Accept go with their listener.
	w.drop = nil
	s = dial()
	w.run(time.Second)
	if n := w.b.pool.Len(); n != 0 {
		t.Errorf("a new connection is not made of one that is over: %d are kept", n)
	}
	want(t, "Close", l.Close(w.now), nil)
	w.run(time.Second)
	want(t, "Close", s.Close(w.now), nil)
	if a, b := w.a.pool.Len(), w.b.pool.Len(); a != 1 || b != 1 {
		t.Errorf("reset while it waited for Accept: %d and %d are kept", a, b)
	}
	// One that is reset while it waits is still to be had.
	l = w.listen(at80, 0)
	s = dial()
	w.run(time.Second)
	s.SetLinger(0)
	want(t, "Close", s.Close(w.now), nil)
	w.run(time.Second)
	x, err := l.Accept(w.now)
	want(t, "Accept", err, nil)
	want(t, "PendingError", x.PendingError(), syscall.ECONNRESET)
	want(t, "Close", x.Close(w.now), nil)
	if n := w.b.pool.Len(); n != 1 {
		t.Errorf("reset before Accept: %d are kept", n)
	}
}
