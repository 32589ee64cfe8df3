//go:build darwin || freebsd

package fastopen

import (
	"context"
	"net"

	"github.com/fastopen-go/fastopen/internal/sockopt"
)

// connect makes attempt a at to.
func (d *dialing) connect(ctx context.Context, a *attempt, to candidate) (net.Conn, error) {
	local, early := d.connectsEarly(a, to)
	nd := d.plain(d.control(a))
	if !early {
		return nd.DialContext(ctx, d.network, to.text)
	}
	return d.dialConnecting(ctx, nd, a, to, local, sockopt.Connect)
}
