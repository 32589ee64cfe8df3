//go:build !darwin && !freebsd && !windows

package fastopen

import (
	"context"
	"net"
)

// connect makes attempt a at to.
func (d *dialing) connect(ctx context.Context, a *attempt, to candidate) (net.Conn, error) {
	return d.plain(d.control(a)).DialContext(ctx, d.network, to.text)
}
