package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// The file shows the setting of the network namespace of the thread that
// opens it.
const fastOpenFile = "/proc/sys/net/ipv4/tcp_fastopen"

// FastOpen returns the value of net.ipv4.tcp_fastopen in the network
// namespace of the calling thread. The error is [errors.ErrUnsupported] where
// the kernel has no such setting.
func FastOpen() (Bits, error) {
	text, err := os.ReadFile(fastOpenFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("kernel: there is no %s, so either this kernel has no TCP Fast Open or /proc is not mounted: %w",
			fastOpenFile, errors.ErrUnsupported)
	}
	if err != nil {
		return 0, fmt.Errorf("kernel: read %s: %w", Name, err)
	}
	return parseBits(string(text))
}
