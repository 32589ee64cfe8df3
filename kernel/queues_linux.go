package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// findQueues fills in the Fast Open queues of listeners in the network
// namespace of the calling thread. sock_diag does not tell them. It takes the
// kernel some milliseconds, and more on larger machines, since it goes through
// the table of all connections to find where the list of listeners ends.
func findQueues(listeners []Listener) error {
	queues := map[uint64]int{}
	for _, name := range []string{"tcp", "tcp6"} {
		if !listed(listeners, name == "tcp6") {
			continue
		}
		if err := readQueues("/proc/thread-self/net/"+name, queues); err != nil {
			if name == "tcp6" && errors.Is(err, fs.ErrNotExist) {
				continue // a kernel without IPv6
			}
			return fmt.Errorf("kernel: read the Fast Open queues of listeners: %w", err)
		}
	}
	for i := range listeners {
		listeners[i].Queue = queues[listeners[i].Inode]
	}
	return nil
}

// listed reports whether any of the listeners is in the table of IPv6, or of
// IPv4.
func listed(listeners []Listener, ip6 bool) bool {
	for _, l := range listeners {
		if l.Local.Addr().Is6() == ip6 {
			return true
		}
	}
	return false
}

func readQueues(name string, queues map[uint64]int) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return parseQueues(f, queues)
}
