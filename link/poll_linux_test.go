package link_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/wire"
)

type pollable interface {
	link.Link
	Poll(batch []wire.Packet, deliver func([]wire.Packet)) (n int, err error)
}

// testPolling has two goroutines poll while a third waits in Receive: between them
// they get every packet, in order. send sends one with a number at its end.
func testPolling(t *testing.T, l pollable, send func(number []byte)) {
	const all = 20000
	var mu sync.Mutex
	next, polled := uint32(0), 0
	take := func(batch []wire.Packet) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range batch {
			number := binary.BigEndian.Uint32(p.Head[len(p.Head)-4:])
			if number != next {
				t.Errorf("got packet %d instead of %d", number, next)
			}
			next = number + 1
		}
		return next < all
	}
	var work sync.WaitGroup
	ahead := make(chan bool, 100) // packets that may be on their way
	work.Go(func() {
		batch := make([]wire.Packet, 3)
		for {
			n, err := l.Receive(batch)
			if errors.Is(err, os.ErrClosed) {
				return
			} else if err != nil {
				t.Error(err)
				return
			}
			if !take(batch[:n]) {
				l.Close()
			}
			for range n {
				<-ahead
			}
		}
	})
	for range 2 {
		work.Go(func() {
			batch := make([]wire.Packet, 3)
			for more := true; more; {
				n, err := l.Poll(batch, func(batch []wire.Packet) { more = take(batch) })
				if errors.Is(err, os.ErrClosed) {
					return
				} else if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				polled += n
				mu.Unlock()
				for range n {
					<-ahead
				}
			}
			l.Close()
		})
	}
	for i := range uint32(all) {
		ahead <- true
		send(binary.BigEndian.AppendUint32(nil, i))
	}
	work.Wait()
	t.Logf("%d of %d packets were polled", polled, all)
}

func TestTUNQueuePoll(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	h := netns.Self(t)
	q := openQueues(t, h, link.TUNConfig{Name: "tun0"}, 1)[0]
	h.Sysctl(t, "net.ipv6.conf.tun0.disable_ipv6", "1") // which may send of itself
	h.Up(t, "tun0", netip.PrefixFrom(netns.A4, 24))
	c, err := net.Dial("udp", netip.AddrPortFrom(netns.B4, 9).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	batch := make([]wire.Packet, 1)
	took := 0
	poll := func() (n int, err error) {
		return q.Poll(make([]wire.Packet, 1), func(batch []wire.Packet) { took += len(batch) })
	}
	if n, err := poll(); n != 0 || err != nil {
		t.Errorf("Poll of nothing: %d, %v", n, err)
	}
	for range 4 {
		c.Write([]byte("four"))
	}
	if n, err := q.Receive(batch); n != 1 || err != nil {
		t.Errorf("Receive: %d, %v", n, err)
	}
	if n, err := poll(); n != 0 || err != nil {
		t.Errorf("Poll while another packet is lent: %d, %v: it may overtake that", n, err)
	}
	for range 2 {
		if n, err := q.Receive(batch); n != 1 || err != nil {
			t.Errorf("Receive: %d, %v", n, err)
		}
	}
	q.Done()
	if n, err := poll(); n != 1 || took != 1 || err != nil {
		t.Errorf("Poll: %d, %v, and %d delivered, want the fourth packet", n, err, took)
	}
	one := []byte{1}
	deliver := func([]wire.Packet) {}
	if n := testing.AllocsPerRun(100, func() {
		c.Write(one)
		q.Poll(batch, deliver)
	}); n >= 1 {
		t.Errorf("%v allocations for a Poll, want none", n)
	}
	testPolling(t, q, func(number []byte) { c.Write(number) })
	if n, err := poll(); n != 0 || !errors.Is(err, os.ErrClosed) {
		t.Errorf("Poll after Close: %d, %v, want os.ErrClosed", n, err)
	}
}

func TestEthernetPoll(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, b := netns.New(t, "a"), netns.New(t, "b")
	devA, devB := netns.Veth(t, a, b)
	for _, h := range []*netns.Host{a, b} {
		h.Sysctl(t, "net.ipv6.conf.all.disable_ipv6", "1")
	}
	e := openEthernet(t, a, link.EthernetConfig{Interface: devA})
	peer := openEthernet(t, b, link.EthernetConfig{Interface: devB})
	testPolling(t, e, func(number []byte) {
		f := frame(e.HardwareAddr(), peer.HardwareAddr(), 0x800, append(append([]byte{0x45}, make([]byte, 55)...), number...))
		if n, err := peer.Send([]wire.Packet{f}); n != 1 || err != nil {
			t.Errorf("Send: %d, %v", n, err)
		}
	})
}

// The kernel says only once that an interface has gone down. If it says so to Poll,
// Receive still ends when the interface is deleted.
func TestEthernetPollGone(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	a, b := netns.New(t, "a"), netns.New(t, "b")
	devA, _ := netns.Veth(t, a, b)
	e := openEthernet(t, a, link.EthernetConfig{Interface: devA})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			if _, err := e.Poll(make([]wire.Packet, 8), func([]wire.Packet) {}); errors.Is(err, os.ErrClosed) {
				return
			}
		}
	})
	work.Go(func() {
		batch := make([]wire.Packet, 8)
		for {
			if _, err := e.Receive(batch); err != nil {
				if !errors.Is(err, os.ErrClosed) {
					t.Errorf("Receive: %v, want os.ErrClosed", err)
				}
				e.Close() // which ends the polling
				return
			}
		}
	})
	ip(t, a, "link", "set", devA, "down")
	a.Delete(t, devA)
	work.Wait()
}
