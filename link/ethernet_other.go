//go:build !linux

package link

import (
	"errors"
	"net"

	"github.com/fastopen-go/fastopen/wire"
)

// Ethernet is a link on an Ethernet interface. There are none on this system:
// [OpenEthernet] makes none, and every method fails.
type Ethernet struct{}

func openEthernet(EthernetConfig) (*Ethernet, error) { return nil, errors.ErrUnsupported }

// Receive fails.
func (*Ethernet) Receive([]wire.Packet) (n int, err error) { return 0, errors.ErrUnsupported }

// Done does nothing.
func (*Ethernet) Done() {}

// Poll fails.
func (*Ethernet) Poll([]wire.Packet, func([]wire.Packet)) (n int, err error) {
	return 0, errors.ErrUnsupported
}

// Send fails.
func (*Ethernet) Send([]wire.Packet) (n int, err error) { return 0, errors.ErrUnsupported }

// HardwareAddr is nil.
func (*Ethernet) HardwareAddr() net.HardwareAddr { return nil }

// MTU fails.
func (*Ethernet) MTU() (int, error) { return 0, errors.ErrUnsupported }

// Name fails.
func (*Ethernet) Name() (string, error) { return "", errors.ErrUnsupported }

// Drops is zero.
func (*Ethernet) Drops() uint64 { return 0 }

// Lost is zero.
func (*Ethernet) Lost() uint64 { return 0 }

// Close fails.
func (*Ethernet) Close() error { return errors.ErrUnsupported }
