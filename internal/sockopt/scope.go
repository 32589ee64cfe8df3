//go:build darwin || freebsd || linux || windows

package sockopt

import (
	"net"
	"strconv"
)

// scope is the index of the interface that an IPv6 address's zone names, 0
// for none. A zone that names no interface may be its index.
func scope(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	n, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(n)
}
