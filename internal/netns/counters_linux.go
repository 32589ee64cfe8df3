package netns

import (
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Counters are the values of a host's TCP counters, those of the kernel's
// tables Tcp and TcpExt, by name, such as "RetransSegs" and
// "TCPFastOpenActive". A name that the kernel does not have reads as zero.
type Counters map[string]uint64

// Counters returns how often each thing has happened on h since it was made.
func (h *Host) Counters(t testing.TB) Counters {
	t.Helper()
	all := make(Counters)
	for _, table := range []struct{ file, prefix string }{{"snmp", "Tcp:"}, {"netstat", "TcpExt:"}} {
		var b []byte
		var err error
		h.Do(func() { b, err = os.ReadFile("/proc/thread-self/net/" + table.file) })
		if err != nil {
			t.Fatalf("host %s: read counters: %v", h, err)
		}
		c, ok := parseCounters(string(b), table.prefix)
		if !ok {
			t.Fatalf("host %s: /proc/net/%s has no well-formed lines %s", h, table.file, table.prefix)
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

// parseCounters reads the table of the given prefix: a line of names followed
// by a line of as many values.
func parseCounters(text, prefix string) (Counters, bool) {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != prefix {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		if len(f) != len(names) {
			return nil, false
		}
		c := make(Counters, len(f))
		for i := 1; i < len(f); i++ {
			// Some values are signed in the kernel's table.
			v, err := strconv.ParseInt(f[i], 10, 64)
			if err != nil {
				u, err := strconv.ParseUint(f[i], 10, 64)
				if err != nil {
					return nil, false
				}
				v = int64(u)
			}
			c[names[i]] = uint64(v)
		}
		return c, true
	}
	return nil, false
}
