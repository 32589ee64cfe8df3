//go:build !linux

package link

import (
	"errors"

	"github.com/fastopen-go/fastopen/wire"
)

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

// TUNQueue is a queue of a TUN device. There are none on this system:
// [OpenTUNQueues] makes none, and every method fails.
type TUNQueue struct{}

func openTUNQueues(TUNConfig, int) ([]*TUNQueue, error) { return nil, errors.ErrUnsupported }

// Receive fails.
func (*TUNQueue) Receive([]wire.Packet) (n int, err error) { return 0, errors.ErrUnsupported }

// Done does nothing.
func (*TUNQueue) Done() {}

// Poll fails.
func (*TUNQueue) Poll([]wire.Packet, func([]wire.Packet)) (n int, err error) {
	return 0, errors.ErrUnsupported
}

// Send fails.
func (*TUNQueue) Send([]wire.Packet) (n int, err error) { return 0, errors.ErrUnsupported }

// MTU fails.
func (*TUNQueue) MTU() (int, error) { return 0, errors.ErrUnsupported }

// Name fails.
func (*TUNQueue) Name() (string, error) { return "", errors.ErrUnsupported }

// Drops is zero.
func (*TUNQueue) Drops() uint64 { return 0 }

// Close fails.
func (*TUNQueue) Close() error { return errors.ErrUnsupported }
