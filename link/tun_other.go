//go:build !linux

package link

import "errors"

// TUN is a network device whose other side is this program. There are none on
// this system: [OpenTUN] makes none, and every method fails.
type TUN struct{}

func openTUN(TUNConfig) (*TUN, error) { return nil, errors.ErrUnsupported }

// Read fails.
func (*TUN) Read(bufs [][]byte, sizes []int, offset int) (n int, err error) {
	return 0, errors.ErrUnsupported
}

// Write fails.
func (*TUN) Write(bufs [][]byte, offset int) (n int, err error) { return 0, errors.ErrUnsupported }

// BatchSize is 1.
func (*TUN) BatchSize() int { return 1 }

// MTU fails.
func (*TUN) MTU() (int, error) { return 0, errors.ErrUnsupported }

// Name fails.
func (*TUN) Name() (string, error) { return "", errors.ErrUnsupported }

// Drops is zero.
func (*TUN) Drops() uint64 { return 0 }

// Close fails.
func (*TUN) Close() error { return errors.ErrUnsupported }
