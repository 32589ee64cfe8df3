package kernel

import (
	"errors"
	"os"

	"github.com/fastopen-go/fastopen/internal/procnet"
)

// countersDir shows the counters of the network namespace of the thread that
// reads; /proc/net shows those of the process's first thread.
const countersDir = "/proc/thread-self/net/"

// ReadCounters returns the counters of the network namespace of the calling
// thread. It takes no right.
func ReadCounters() (Counters, error) { return countersIn(countersDir) }

func countersIn(dir string) (Counters, error) {
	var c Counters
	for _, from := range []struct{ file, table string }{{"netstat", "TcpExt"}, {"snmp", "Tcp"}} {
		text, err := os.ReadFile(dir + from.file)
		if err != nil {
			return Counters{}, sentencef(err, "cannot read the counters in %s%s (%v): check that /proc is mounted", dir, from.file, cause(err))
		}
		if !c.read(string(text), from.table) {
			return Counters{}, sentencef(errors.ErrUnsupported, "there are no counters in %s%s: it has no well-formed table %s", dir, from.file, from.table)
		}
	}
	return c, nil
}

// read takes over the values of one of the kernel's tables, and reports
// whether it is there.
func (c *Counters) read(text, table string) bool {
	values, ok := procnet.Table(text, table)
	for _, e := range counters {
		if ok && e.Table == table {
			*e.field(c) = values[e.Name]
		}
	}
	return ok
}
