//go:build !linux

package link

import (
	"errors"
	"fmt"
)

// TUNConfig says what kind of device [OpenTUN] makes. It is used on Linux only.
type TUNConfig struct {
	Name string
	MTU  int
}

// TUN is a network device whose other side is this program. It exists on Linux
// only.
type TUN struct{}

// OpenTUN returns an error that is [errors.ErrUnsupported]: only Linux is known
// here.
func OpenTUN(c TUNConfig) (*TUN, error) {
	return nil, fmt.Errorf("open TUN device %q: %w on this operating system", c.Name, errors.ErrUnsupported)
}

func (*TUN) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	return 0, errors.ErrUnsupported
}
func (*TUN) Write(bufs [][]byte, offset int) (int, error) { return 0, errors.ErrUnsupported }
func (*TUN) BatchSize() int                               { return 1 }
func (*TUN) MTU() (int, error)                            { return 0, errors.ErrUnsupported }
func (*TUN) Name() (string, error)                        { return "", errors.ErrUnsupported }
func (*TUN) Drops() uint64                                { return 0 }
func (*TUN) Close() error                                 { return errors.ErrUnsupported }
