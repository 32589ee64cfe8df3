// Package procnet reads the tables of counters in /proc/net/snmp and
// /proc/net/netstat.
//
// # Usage
//
//	text, _ := os.ReadFile("/proc/thread-self/net/netstat")
//	values, ok := procnet.Table(string(text), "TcpExt")
//	fmt.Println(values["TCPFastOpenActive"])
//
// # Limitations
//
// /proc/net/snmp6 has another form and is not understood.
package procnet

import (
	"strconv"
	"strings"
)

// Table returns the values of one table by their names: it stands in a line of
// names followed by a line of as many values, both of which begin with the
// name of the table and a colon. Negative values, which some settings in
// /proc/net/snmp have, come as the two's complement. The result is false if
// there is no such table or it is not well formed.
func Table(text, table string) (map[string]uint64, bool) {
	var names []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != table+":" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		if len(f) != len(names) {
			return nil, false
		}
		values := make(map[string]uint64, len(f))
		for i := 1; i < len(f); i++ {
			v, ok := parse(f[i])
			if !ok {
				return nil, false
			}
			values[names[i]] = v
		}
		return values, true
	}
	return nil, false
}

func parse(text string) (uint64, bool) {
	if v, err := strconv.ParseUint(text, 10, 64); err == nil {
		return v, true
	}
	v, err := strconv.ParseInt(text, 10, 64)
	return uint64(v), err == nil
}
