package stack_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/stack"
	"github.com/fastopen-go/fastopen/tcp"
)

// soakFor is how long the soak lasts: go test ./stack -run Soak -soak 10m -timeout 20m.
// From a minute on it is the long form, with transfers of a gigabyte.
var soakFor = flag.Duration("soak", 3*time.Second, "how long TestSoak works the stack against the kernel")

// The stack and the kernel work each other at full rate for a while, with
// connections that open and end in every way, and nothing grows: neither memory, nor
// goroutines, nor connections of either side. Nothing is left at the end.
func TestSoak(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	if end, ok := t.Deadline(); ok && time.Until(end) < *soakFor+2*time.Minute {
		t.Fatalf("a soak of %v takes up to two minutes more to come to its end, which is beyond -timeout: say -timeout %v", *soakFor, *soakFor+10*time.Minute)
	}
	long := *soakFor >= time.Minute
	size, clients := int64(8<<20), 8
	config := stack.Config{}
	if long {
		size, clients = 1<<30, 16
	} else {
		// TIME-WAIT comes to its end within the test.
		config.Settings = stack.Settings{TCP: tcp.Config{TimeWait: time.Second}}
	}
	p := join(t, plug{config: config})
	p.kernel.Sysctl(t, "net.ipv4.ip_local_port_range", "1024 65000")
	p.kernel.Sysctl(t, "net.ipv4.tcp_tw_reuse", "1") // or its TIME-WAITs run out of ports
	p.kernel.Sysctl(t, "net.core.somaxconn", "4096")
	before := p.sample()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)

	w := &soak{pair: p, size: size, end: time.Now().Add(*soakFor)}
	w.serve()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() { w.transfers(i) })
	}
	for i := range clients {
		all.Go(func() { w.visits(rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	all.Go(func() { w.idle(10 * clients) })
	samples := w.watch(max(*soakFor/60, 100*time.Millisecond))
	all.Wait()
	w.stop()
	w.report(t)
	flat(t, samples)
	p.wantNothingLeft(before)
}

// soak is the work that is done.
type soak struct {
	*pair
	size    int64 // of a transfer
	end     time.Time
	servers [2][2]*server // of the kernel and of the stack, of IPv4 and of IPv6
	stops   []func()

	counts [len(visitNames)]atomic.Int64 // visits, by kind
	fast   atomic.Int64                  // of them, with data accepted in the SYN
	moved  [2]atomic.Int64               // bytes from the kernel, and from the stack
	whole  [2]atomic.Int64               // transfers that came to their end
}

func (w *soak) over() bool { return time.Now().After(w.end) || w.t.Failed() }

func (w *soak) report(t *testing.T) {
	t.Helper()
	for i, from := range []string{"kernel to stack", "stack to kernel"} {
		n := w.moved[i].Load()
		t.Logf("%s: %d transfers of %d MiB, the same by SHA-256; %.2f Gbit/s", from, w.whole[i].Load(), w.size>>20,
			float64(n)*8/float64(*soakFor))
		if w.whole[i].Load() == 0 {
			t.Errorf("%s: no transfer came to its end", from)
		}
	}
	var all int64
	for i, name := range visitNames {
		n := w.counts[i].Load()
		all += n
		t.Logf("%7d visits: %s", n, name)
		if n == 0 {
			t.Errorf("no visit of the kind %q", name)
		}
	}
	t.Logf("%7d visits, %d a second, %d with data in the SYN", all, all*int64(time.Second)/int64(*soakFor), w.fast.Load())
	if w.fast.Load() == 0 {
		t.Error("no visit had data in its SYN")
	}
	t.Logf("the stack's counters: %+v", w.pair.stack.Stats())
	c := w.kernel.Counters(t)
	for _, name := range []string{"ActiveOpens", "PassiveOpens", "RetransSegs", "InErrs", "InCsumErrors", "TCPSYNChallenge", "TCPFastOpenActive", "TCPFastOpenActiveFail",
		"TCPFastOpenPassive", "TCPFastOpenPassiveFail", "TCPTimeouts", "TCPOFOQueue", "TCPDSACKOldSent", "TCPRcvQDrop", "PruneCalled", "ListenDrops", "TCPAbortOnMemory", "TCPBacklogDrop"} {
		t.Logf("the kernel's %s: %d", name, c[name])
	}
	// It also counts a SYN-ACK that is sent again while its ACK is on the way.
	if bad := c["InErrs"] - c["TCPSYNChallenge"]; bad != 0 {
		t.Errorf("the kernel found %d segments bad, %d of them by their checksum", bad, c["InCsumErrors"])
	}
	if d := w.pair.stack.Stats().Drops; d.BadTCP+d.Malformed+d.NotOurs+d.TooManySockets != 0 {
		t.Errorf("the stack dropped packets of the kernel: %+v", d)
	}
}

// A sample is what there is at one moment.
type sample struct {
	heap       int64 // in use after a collection, in bytes
	sys        int64 // of the system, in bytes
	goroutines int
	files      int
	conns      int // of the stack
	waits      int // of them in TIME-WAIT
	lent       int // buffers
	kernel     int // TCP sockets of the kernel, with those that nobody owns any more
	kernelWait int // and those in TIME-WAIT
}

// sample takes one.
func (p *pair) sample() (s sample) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	s.heap, s.sys, s.goroutines = int64(m.HeapAlloc), int64(m.Sys), runtime.NumGoroutine()
	p.stack.Do(func(_ time.Time, h *stack.Host) {
		s.conns, s.waits = h.Sockets()
		s.lent = stack.Lent(h)
	})
	files, _ := os.ReadDir("/proc/self/fd")
	s.files = len(files)
	s.kernel, s.kernelWait = kernelSockets(p.t)
	return s
}

// kernelSockets is how many TCP sockets the kernel has in this namespace, and how
// many in TIME-WAIT.
func kernelSockets(t *testing.T) (n, waits int) {
	t.Helper()
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join("/proc/self/net", name))
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Scan() // the names of the columns
		for lines.Scan() {
			if fields := bytes.Fields(lines.Bytes()); len(fields) > 3 && string(fields[3]) == "06" {
				waits++
			} else {
				n++
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return n, waits
}

func (s sample) String() string {
	return fmt.Sprintf("heap %6.2f MiB, from the system %4d MiB, %4d goroutines, %4d files; the stack: %4d connections, %6d in TIME-WAIT, %4d buffers; the kernel: %4d connections, %6d in TIME-WAIT",
		float64(s.heap)/(1<<20), s.sys>>20, s.goroutines, s.files, s.conns, s.waits, s.lent, s.kernel, s.kernelWait)
}

// watch takes samples until the end.
func (w *soak) watch(every time.Duration) (all []sample) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	began := time.Now()
	for range tick.C {
		if w.over() {
			return all
		}
		s := w.sample()
		w.t.Logf("%6.1f s: %v; %d and %d MiB moved", time.Since(began).Seconds(), s, w.moved[0].Load()>>20, w.moved[1].Load()>>20)
		all = append(all, s)
	}
	return all
}

// flat checks that nothing grows: the median of the last third is no more than
// that of the middle third and a margin.
func flat(t *testing.T, all []sample) {
	t.Helper()
	if len(all) < 6 {
		t.Fatalf("only %d samples", len(all))
	}
	n := len(all) / 3
	for _, x := range []struct {
		what   string
		of     func(s sample) int64
		margin int64
	}{
		// A record of TIME-WAIT is 96 bytes and its place in a table: how many
		// there are depends on how fast connections come and go. What
		// is lent to connections that are full depends on the moment.
		{"heap without TIME-WAIT", func(s sample) int64 { return s.heap - 128*int64(s.waits) }, 24 << 20},
		{"goroutines", func(s sample) int64 { return int64(s.goroutines) }, 50},
		{"files", func(s sample) int64 { return int64(s.files) }, 100},
		{"connections of the stack", func(s sample) int64 { return int64(s.conns) }, 100},
		{"buffers", func(s sample) int64 { return int64(s.lent) }, 100},
		{"sockets of the kernel", func(s sample) int64 { return int64(s.kernel) }, 100},
	} {
		median := func(part []sample) int64 {
			var v []int64
			for _, s := range part {
				v = append(v, x.of(s))
			}
			slices.Sort(v)
			return v[len(v)/2]
		}
		middle, last := median(all[n:2*n]), median(all[2*n:])
		t.Logf("%s: %d, then %d", x.what, middle, last)
		if last > middle+middle/4+x.margin {
			t.Errorf("%s grew from %d to %d", x.what, middle, last)
		}
	}
}

// wantNothingLeft waits for what may still be on its way to end, and checks that
// there is what was there before. TIME-WAITs of the kernel take their minute.
func (p *pair) wantNothingLeft(before sample) {
	p.t.Helper()
	var now sample
	for end := time.Now().Add(100 * time.Second); ; {
		now = p.sample()
		if now.conns == 0 && now.waits == 0 && now.lent == 0 && now.kernel <= before.kernel && now.goroutines <= before.goroutines {
			break
		}
		if time.Now().After(end) {
			p.t.Errorf("left at the end: %v; before: %v", now, before)
			p.stack.Do(func(_ time.Time, h *stack.Host) {
				for _, c := range stack.Left(h) {
					p.t.Log(c)
				}
			})
			stacks := make([]byte, 1<<20)
			p.t.Logf("%s", stacks[:runtime.Stack(stacks, true)])
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	p.t.Logf("before: %v", before)
	p.t.Logf("at the end: %v", now)
	// The stack keeps up to 64 MiB of buffers for a while, for the next
	// connection.
	if now.heap > before.heap+72<<20 {
		p.t.Errorf("the heap has %d bytes at the end, and had %d before", now.heap, before.heap)
	}
	if now.files > before.files {
		p.t.Errorf("%d files are open at the end, and %d were before", now.files, before.files)
	}
}

// address is where a side's server of a family is.
func (w *soak) address(side, family int) string { return w.servers[side][family].address() }

// addrs are the two sides' addresses, by family.
var addrs = [2][2]netip.Addr{{kernel4.Addr(), kernel6.Addr()}, {stack4.Addr(), stack6.Addr()}}
