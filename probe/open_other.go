//go:build !linux

package probe

import (
	"errors"
	"fmt"
	"net/netip"
)

func open(Mode, netip.AddrPort, *Prober) (means, Mode, error) {
	return nil, Auto, fmt.Errorf("probing works on Linux only, for now: %w", errors.ErrUnsupported)
}
