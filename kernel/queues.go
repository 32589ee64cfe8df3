package kernel

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// parseQueues adds to queues the Fast Open queue of every listener in the text
// of /proc/net/tcp or /proc/net/tcp6, by inode. The kernel writes all
// listeners before the first socket that is none, and there may be hundreds of
// thousands of those, so that reading ends there.
func parseQueues(text io.Reader, queues map[uint64]int) error {
	lines := bufio.NewScanner(text)
	for first := true; lines.Scan(); first = false {
		f := strings.Fields(lines.Text())
		if first {
			continue // the heads of the columns
		}
		// net/ipv4/tcp_ipv4.c, get_tcp4_sock: sl, local, remote, st, queues,
		// timer, retransmits, uid, timeout, inode, references, address of
		// the socket, rto, ato, quick ack, cwnd, and for listeners the limit
		// of the Fast Open queue.
		if len(f) < 17 || f[3] != "0A" {
			break
		}
		inode, err := strconv.ParseUint(f[9], 10, 64)
		if err != nil || inode == 0 {
			continue // sockets that the kernel keeps for itself have none
		}
		if n, err := strconv.ParseInt(f[16], 10, 32); err == nil {
			queues[inode] = int(max(n, 0))
		}
	}
	return lines.Err()
}
