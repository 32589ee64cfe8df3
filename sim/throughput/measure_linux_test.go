package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/sim"
	"golang.org/x/sys/unix"
)

var linux = flag.String("linux", "", "measure Linux anew on the paths that match, which takes half a minute for each run on an idle machine, and write testdata/linux.txt")

// Linux with CUBIC on the same paths, in real time: the path stands between two
// TUN devices, each in a network namespace of its own.
func TestMeasureLinux(t *testing.T) {
	if *linux == "" {
		t.Skip("only with -linux, such as: -linux . -timeout 1h")
	}
	if netns.Isolate(t) {
		return
	}
	match := regexp.MustCompile(*linux)
	version, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	known, _, _ := readLinux()
	release, _, _ := strings.Cut(strings.TrimSpace(string(version)), "-")
	text := "# Linux " + release + "\n"
	for _, c := range measured() {
		share := known[strings.TrimSpace(c.String())]
		if match.MatchString(c.String()) {
			share = 0
			runs := c.seeds()
			if c.loss > 0 && c.loss < 0.001 {
				runs = 34 // few losses: single runs differ by a sixth
			}
			for seed := range runs {
				t.Run(fmt.Sprintf("%v seed %d", c, seed+1), func(t *testing.T) {
					x := c.linux(t, uint64(seed)+1)
					t.Logf("%.1f%%", x*100)
					share += x / float64(runs)
				})
			}
			t.Log(row(c, share))
		}
		text += row(c, share) + "\n"
	}
	if t.Failed() {
		return
	}
	if err := os.WriteFile(linuxFile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// linux makes one transfer between two hosts of the kernel.
func (c cell) linux(t *testing.T, seed uint64) float64 {
	a, b := netns.New(t, "sender"), netns.New(t, "receiver")
	netns.Path(t, a, b, sim.NewPath(seed, c.path()))
	for _, h := range []*netns.Host{a, b} {
		// What Linux has by default, whatever this machine says.
		h.Sysctl(t, "net.ipv4.tcp_rmem", "4096 131072 6291456")
		h.Sysctl(t, "net.ipv4.tcp_wmem", "4096 16384 4194304")
		h.Sysctl(t, "net.ipv4.tcp_no_metrics_save", "1")
	}
	var l net.Listener
	var err error
	b.Do(func() { l, err = net.Listen("tcp4", netns.B4.String()+":5001") })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var conn net.Conn
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if e := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "cubic")
		}); e != nil {
			return e
		}
		return err
	}}
	dialer.SetMultipathTCP(false)
	began := time.Now()
	a.Do(func() { conn, err = dialer.Dial("tcp4", l.Addr().String()) })
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go func() {
		b := make([]byte, 1<<16)
		for {
			if _, err := conn.Write(b); err != nil {
				return
			}
		}
	}()
	var got atomic.Int64
	go func() {
		b := make([]byte, 1<<18)
		for {
			n, err := in.Read(b)
			got.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	<-time.After(time.Until(began.Add(warm)))
	before, at := got.Load(), time.Now()
	<-time.After(measure)
	received, took := got.Load()-before, time.Since(at)
	return c.share(int(float64(received) * float64(measure) / float64(took)))
}
