package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// queues returns the Fast Open queues of the listeners in the network
// namespace of the calling thread, by inode. sock_diag does not tell them.
func queues() (map[uint64]int, error) {
	queues := map[uint64]int{}
	for _, name := range []string{"tcp", "tcp6"} {
		if err := readQueues("/proc/thread-self/net/"+name, queues); err != nil {
			if name == "tcp6" && errors.Is(err, fs.ErrNotExist) {
				continue // a kernel without IPv6
			}
			return nil, fmt.Errorf("kernel: read the Fast Open queues of listeners: %w", err)
		}
	}
	return queues, nil
}

func readQueues(name string, queues map[uint64]int) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return parseQueues(f, queues)
}
