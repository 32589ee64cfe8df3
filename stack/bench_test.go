package stack_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/link"
	"github.com/fastopen-go/fastopen/stack"
)

var pipes = []struct {
	name string
	link.PipeConfig
}{
	{"mtu1500", link.PipeConfig{MTU: 1500}},
	{"super-segments", link.PipeConfig{MTU: 1500, Offload: true}},
}

// established returns n connections of a to b.
func established(b *testing.B, c link.PipeConfig, n int) (clients, servers []net.Conn) {
	b.Helper()
	x, y := ends(b, c, stack.Config{}, stack.Config{})
	l, err := y.Listen("tcp", serverAddr4+":80")
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		c, err := x.Dial("tcp", serverAddr4+":80")
		if err != nil {
			b.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		clients, servers = append(clients, c), append(servers, s)
	}
	return clients, servers
}

// BenchmarkBulk sends 64 KiB at a time.
func BenchmarkBulk(b *testing.B) {
	for _, p := range pipes {
		for _, n := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/%d", p.name, n), func(b *testing.B) {
				const size = 64 << 10
				clients, servers := established(b, p.PipeConfig, n)
				var sinks sync.WaitGroup
				for _, s := range servers {
					sinks.Go(func() {
						buf := make([]byte, size)
						for {
							if _, err := s.Read(buf); err != nil {
								return
							}
						}
					})
				}
				b.SetBytes(size)
				b.ReportAllocs()
				b.ResetTimer()
				began := cpu()
				var sources sync.WaitGroup
				for i, c := range clients {
					sources.Go(func() {
						buf := make([]byte, size)
						for range b.N/n + btoi(i < b.N%n) {
							if _, err := c.Write(buf); err != nil {
								b.Error(err)
								return
							}
						}
						c.(*stack.Conn).CloseWrite()
					})
				}
				sources.Wait()
				sinks.Wait()
				b.ReportMetric(float64(cpu()-began)/float64(b.N)/size, "CPU-ns/B")
			})
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// BenchmarkPingPong sends 64 bytes there and back.
func BenchmarkPingPong(b *testing.B) {
	clients, servers := established(b, link.PipeConfig{Offload: true}, 1)
	go func() {
		_, _ = io.Copy(struct{ io.Writer }{servers[0]}, struct{ io.Reader }{servers[0]})
	}()
	var buf [64]byte
	took := make([]time.Duration, 0, 1<<20)
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		began := time.Now()
		if _, err := clients[0].Write(buf[:]); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(clients[0], buf[:]); err != nil {
			b.Fatal(err)
		}
		if len(took) < cap(took) {
			took = append(took, time.Since(began))
		}
	}
	b.ReportMetric(float64((cpu()-start).Nanoseconds())/1000/float64(b.N), "CPU-µs/op")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-µs")
}

// BenchmarkConnect opens a connection, sends 64 bytes each way and closes it.
func BenchmarkConnect(b *testing.B) {
	for _, at := range []int{1, 64} {
		b.Run(fmt.Sprint(at), func(b *testing.B) {
			set := stack.Settings{LowPort: 1024, HighPort: 65535}
			set.TCP.TimeWait = time.Second
			x, y := ends(b, link.PipeConfig{Offload: true}, stack.Config{Settings: set}, stack.Config{Settings: set})
			l, err := y.Listen("tcp", serverAddr4+":80")
			if err != nil {
				b.Fatal(err)
			}
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go serve(c)
				}
			}()
			b.ReportAllocs()
			b.ResetTimer()
			began := cpu()
			var work sync.WaitGroup
			for i := range at {
				work.Go(func() {
					for range b.N/at + btoi(i < b.N%at) {
						if err := request(x); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			work.Wait()
			b.ReportMetric(float64((cpu()-began).Microseconds())/float64(b.N), "CPU-µs/conn")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "conn/s")
		})
	}
}

func serve(c net.Conn) {
	defer c.Close()
	var buf [64]byte
	if _, err := io.ReadFull(c, buf[:]); err == nil {
		_, _ = c.Write(buf[:])
		_, _ = c.Read(buf[:])
	}
}

func request(t *stack.Stack) error {
	c, err := t.Dial("tcp", serverAddr4+":80")
	if err != nil {
		return err
	}
	defer c.Close()
	var buf [64]byte
	if _, err = c.Write(buf[:]); err == nil {
		_, err = io.ReadFull(c, buf[:])
	}
	return err
}

// TestIdleSize measures what an idle established connection costs, at both ends,
// with everything.
func TestIdleSize(t *testing.T) {
	const n = 10_000
	x, y := ends(t, link.PipeConfig{Offload: true}, stack.Config{}, stack.Config{})
	l, err := y.Listen("tcp", serverAddr4+":80")
	if err != nil {
		t.Fatal(err)
	}
	open := func(n int) []net.Conn {
		conns := make([]net.Conn, 0, 2*n)
		for range n {
			c, err := x.Dial("tcp", serverAddr4+":80")
			if err != nil {
				t.Fatal(err)
			}
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			var buf [64]byte
			if _, err = c.Write(buf[:]); err == nil {
				_, err = io.ReadFull(s, buf[:])
			}
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c, s)
		}
		return conns
	}
	first := open(100) // what there is once for all
	before := heap()
	goroutines := runtime.NumGoroutine()
	conns := open(n)
	time.Sleep(300 * time.Millisecond) // the last ACKs; only the figure depends on it
	each := float64(heap()-before-2*16*n) / (2 * n)
	t.Logf("an idle connection takes %.0f bytes an end, and %d goroutines", each, runtime.NumGoroutine()-goroutines)
	if each > 1008 {
		t.Errorf("an idle connection takes %.0f bytes an end, at most 1008 are allowed", each)
	}
	runtime.KeepAlive(conns)
	runtime.KeepAlive(first)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
