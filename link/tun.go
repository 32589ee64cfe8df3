package link

import "fmt"

// TUNConfig says what kind of device [OpenTUN] makes.
type TUNConfig struct {
	// Name of the device, at most 15 bytes; a %d in it becomes the lowest
	// number that is free. Empty means "tun%d".
	Name string
	// MTU in bytes, between 68 and 65535. Zero leaves the kernel's default,
	// 1500.
	MTU int
}

// OpenTUN makes a TUN device in the network namespace of the calling thread,
// where it stays until Close. It is down and has no address: that is for the
// caller to set. A name that exists as a persistent device is attached to.
//
// The error names the device. It is [os.ErrPermission] without CAP_NET_ADMIN,
// [os.ErrNotExist] where the kernel has no TUN driver, and
// [errors.ErrUnsupported] on other systems than Linux.
func OpenTUN(c TUNConfig) (*TUN, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	t, err := openTUN(c)
	if err != nil {
		return nil, fmt.Errorf("open TUN device %q: %w", c.Name, err)
	}
	return t, nil
}

// OpenTUNQueues makes a TUN device with n queues, at least one, that pass
// super-segments and unfinished checksums; see [TUNQueue]. The kernel spreads
// flows over the queues. Each is closed by itself; the device stays until the
// last is closed. Everything else is as with [OpenTUN].
func OpenTUNQueues(c TUNConfig, n int) ([]*TUNQueue, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if n < 1 || n > maxTUNQueues {
		return nil, fmt.Errorf("open TUN device %q: %d queues: choose 1 to %d", c.Name, n, maxTUNQueues)
	}
	queues, err := openTUNQueues(c, n)
	if err != nil {
		return nil, fmt.Errorf("open TUN device %q: %w", c.Name, err)
	}
	return queues, nil
}

// The kernel's MAX_TAP_QUEUES.
const maxTUNQueues = 256

// check puts defaults in place and says what cannot be.
func (c *TUNConfig) check() error {
	if c.Name == "" {
		c.Name = "tun%d"
	}
	if c.MTU != 0 && (c.MTU < 68 || c.MTU > 65535) {
		return fmt.Errorf("open TUN device %q: MTU %d: choose 68 to 65535, or 0 for the default", c.Name, c.MTU)
	}
	return nil
}
