package netns

import (
	"maps"
	"os"
	"testing"

	"github.com/fastopen-go/fastopen/internal/procnet"
)

// Counters are the values of a host's TCP counters, those of the kernel's
// tables Tcp and TcpExt, by name, such as "RetransSegs" and
// "TCPFastOpenActive". A name that the kernel does not have reads as zero.
type Counters map[string]uint64

// Counters returns how often each thing has happened on h since it was made.
func (h *Host) Counters(t testing.TB) Counters {
	t.Helper()
	all := make(Counters)
	for _, table := range []struct{ file, name string }{{"snmp", "Tcp"}, {"netstat", "TcpExt"}} {
		var b []byte
		var err error
		h.Do(func() { b, err = os.ReadFile("/proc/thread-self/net/" + table.file) })
		if err != nil {
			t.Fatalf("host %s: read counters: %v", h, err)
		}
		c, ok := procnet.Table(string(b), table.name)
		if !ok {
			t.Fatalf("host %s: /proc/net/%s has no well-formed table %s", h, table.file, table.name)
		}
		maps.Copy(all, c)
	}
	return all
}

// Since returns what c has more than before.
func (c Counters) Since(before Counters) Counters {
	d := make(Counters)
	for name, n := range c {
		if n != before[name] {
			d[name] = n - before[name]
		}
	}
	return d
}
