package probe

import (
	"errors"
	"net/netip"
)

// open returns the means of a mode, and says which mode that is.
func open(mode Mode, target netip.AddrPort, p *Prober) (means, Mode, error) {
	if mode != Kernel {
		r, err := openRaw(p, target)
		if err == nil {
			return r, Raw, nil
		}
		if mode == Raw || !errors.Is(err, ErrRawForbidden) {
			return nil, Raw, err
		}
	}
	k, err := openKernel(p, target)
	if err != nil {
		return nil, Kernel, err
	}
	return k, Kernel, nil
}
