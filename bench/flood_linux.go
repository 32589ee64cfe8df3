package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A flood is what the attacker's SYNs are like. They come from addresses that
// nobody has.
type flood struct {
	name, title string
	cookie      func(k tfo.Keys, client netip.Addr) tfo.Cookie
	data        bool
}

var floods = []flood{
	{"plain", "plain", nil, false},
	{"data", "with data and no cookie", nil, true},
	{"invalid", "with data and invalid cookies", func(_ tfo.Keys, client netip.Addr) tfo.Cookie {
		return tfo.GenerateKeys().Mint(client, serverAddr)
	}, true},
	{"valid", "with data and valid cookies", func(k tfo.Keys, client netip.Addr) tfo.Cookie {
		return k.Mint(client, serverAddr)
	}, true},
}

// Of the attack: SYNs a second, and how many clients there are beside it.
const (
	floodRate    = 20_000
	goodClients  = 100
	goodPatience = time.Second
)

func floodWorkloads() (all []workload) {
	for _, f := range floods {
		stacks := []string{ours, gvisor, kernel}
		if f.cookie != nil {
			stacks = []string{ours, kernel} // gVisor has no Fast Open
		}
		all = append(all, workload{
			Name: "flood/" + f.name, Title: fmt.Sprintf("%d SYNs a second %s, beside %d good clients", floodRate, f.title, goodClients),
			Stacks: stacks, Cores: []int{2}, Netns: true,
			Metrics: []metric{
				{Key: "served %", Higher: true, Digits: 2, Goals: []goal{{ours, "", 99, 0}}},
				{Key: "p50 ms", Digits: 2}, {Key: "p99 ms", Digits: 2}, {Key: "answers/s", Higher: true}, {Key: "SYNs/s"},
			},
			Run: func(stack string) (figures, error) { return underFlood(stack, f) },
		})
	}
	return all
}

// underFlood measures how a server answers good clients meanwhile. The clients
// are a stack of ours in each case.
func underFlood(stack string, f flood) (figures, error) {
	keys := tfo.GenerateKeys()
	wire, l, err := floodedServer(stack, keys)
	if err != nil {
		return nil, err
	}
	var early atomic.Int64
	for range 2 * goodClients {
		go answerAll(l, &early)
	}
	near, far, err := link.NewPipe(link.PipeConfig{})
	if err != nil {
		return nil, err
	}
	clients, err := ourStack(near, clientAddr, wiring{timeWait: true})
	if err != nil {
		return nil, err
	}
	go forward(far, wire, serverAddr)
	go forward(wire, far, clientAddr)
	var sent atomic.Int64
	go attack(wire, f, keys, &sent)
	time.Sleep(time.Second) // until queues are full that fill
	began, before := time.Now(), sent.Load()
	took, failed := askAll(2*time.Second, func() error {
		c, err := clients.Dial("tcp", serverAddress(80))
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(goodPatience))
		var b [64]byte
		if _, err := c.Write(b[:]); err != nil {
			return err
		}
		_, err = io.ReadFull(c, b[:])
		return err
	})
	wall := time.Since(began).Seconds()
	syns := float64(sent.Load()-before) / wall
	if len(took) == 0 {
		return figures{"served %": 0, "answers/s": 0, "SYNs/s": syns}, nil
	}
	slices.Sort(took)
	return figures{
		"served %": 100 * float64(len(took)) / float64(len(took)+failed), "answers/s": float64(len(took)) / wall, "SYNs/s": syns,
		"p50 ms": micros(took[len(took)/2]) / 1000, "p99 ms": micros(took[len(took)*99/100]) / 1000,
	}, nil
}

// askAll has each client ask for so long, ten milliseconds after each answer.
// What takes longer than they wait counts as failed.
func askAll(d time.Duration, ask func() error) (took []time.Duration, failed int) {
	var mu sync.Mutex
	var work sync.WaitGroup
	end := time.Now().Add(d)
	for range goodClients {
		work.Go(func() {
			for time.Now().Before(end) {
				began := time.Now()
				err := ask()
				t := time.Since(began)
				mu.Lock()
				if err != nil || t > goodPatience {
					failed++
				} else {
					took = append(took, t)
				}
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	work.Wait()
	return took, failed
}

// floodedServer is a server and the link that leads to it.
func floodedServer(stack string, keys tfo.Keys) (link.Link, net.Listener, error) {
	if stack == kernel {
		return floodedKernel(keys)
	}
	wire, far, err := link.NewPipe(link.PipeConfig{})
	if err != nil {
		return nil, nil, err
	}
	if stack == gvisor {
		over, err := gvisorOver(far)
		if err != nil {
			return nil, nil, err
		}
		s, err := gvisorStack(over, serverAddr, wiring{})
		if err != nil {
			return nil, nil, err
		}
		l, err := gvisorListen(s, serverAddr, 80)
		return wire, l, err
	}
	s, err := ourStack(far, serverAddr, wiring{})
	if err != nil {
		return nil, nil, err
	}
	l, err := s.ListenFastOpen(netip.AddrPortFrom(serverAddr, 80), tfo.ListenConfig{Queue: 256, Keys: tfo.NewKeyring(keys)})
	return wire, l, err
}

// floodedKernel is the kernel behind a TUN device, with what it needs to answer
// those who are not there.
func floodedKernel(keys tfo.Keys) (link.Link, net.Listener, error) {
	own, err := ownNamespace()
	if err != nil {
		return nil, nil, err
	}
	queues, err := link.OpenTUNQueues(link.TUNConfig{Name: "flood0", MTU: 1500}, 1)
	if err != nil {
		return nil, nil, err
	}
	if err := own.up("flood0", serverAddr); err != nil {
		return nil, nil, err
	}
	device, err := own.nl.LinkByName("flood0")
	if err != nil {
		return nil, nil, err
	}
	if err := own.nl.RouteAdd(&netlink.Route{LinkIndex: device.Attrs().Index, Scope: netlink.SCOPE_LINK,
		Dst: &net.IPNet{IP: net.IPv4(198, 18, 0, 0), Mask: net.CIDRMask(15, 32)}}); err != nil {
		return nil, nil, err
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		cerr := c.Control(func(fd uintptr) {
			if err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN, 256); err == nil {
				err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN_KEY, string(keys.AppendRaw(nil)))
			}
		})
		if cerr != nil {
			return cerr
		}
		return err
	}}
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(background, "tcp4", address(serverAddr, 80))
	return queues[0], l, err
}

// forward carries what goes to an address from one link to the other, and drops
// the rest.
func forward(from, to link.Link, dst netip.Addr) {
	batch := make([]wire.Packet, 128)
	for {
		n, err := from.Receive(batch)
		if err != nil {
			return
		}
		keep := batch[:0:0]
		for _, p := range batch[:n] {
			if ip, _, ok := wire.ParseIP(p.Head); ok && ip.Dst == dst {
				keep = append(keep, p)
			}
		}
		if len(keep) > 0 {
			_, _ = to.Send(keep)
		}
	}
}

// attack sends SYNs evenly, as far as the machine lets it.
func attack(to link.Link, f flood, keys tfo.Keys, sent *atomic.Int64) {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 100)
	began := time.Now()
	batch := make([]wire.Packet, 0, 64)
	for {
		batch = batch[:0]
		for due := int64(time.Since(began).Seconds() * floodRate); sent.Load() < due && len(batch) < cap(batch); sent.Add(1) {
			n := random.Uint32()
			s := wire.Segment{
				Src: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18 + byte(n>>24)&1, byte(n >> 16), byte(n >> 8)}), uint16(random.Uint32())|1),
				Dst: netip.AddrPortFrom(serverAddr, 80), Seq: random.Uint32(), Flags: wire.SYN, Window: 65535,
				Options: wire.Options{MSS: 1460},
			}
			if f.cookie != nil {
				s.Options.HasFastOpen, s.Options.FastOpen = true, tfo.Option{Cookie: f.cookie(keys, s.Src.Addr())}
			}
			if f.data {
				s.Payload = data
			}
			batch = append(batch, wire.Packet{Head: s.AppendPacket(nil, wire.Full)})
		}
		if len(batch) > 0 {
			_, _ = to.Send(batch)
		}
		time.Sleep(time.Millisecond / 2)
	}
}
