package fastopen

import (
	"context"
	"net"
)

type connKey struct{}

// ConnContext is for the field of that name in [net/http.Server]: it lets
// handlers find their connection with [FromContext]. It sees through
// [crypto/tls.Conn].
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if fc := find(c); fc != nil {
		return context.WithValue(ctx, connKey{}, fc)
	}
	return ctx
}

// FromContext returns the connection that [ConnContext] has put into ctx,
// nil if there is none.
func FromContext(ctx context.Context) *Conn {
	c, _ := ctx.Value(connKey{}).(*Conn)
	return c
}

// find returns the Conn at the bottom of c, nil if there is none.
func find(c net.Conn) *Conn {
	for {
		if fc, ok := c.(*Conn); ok {
			return fc
		}
		wrapper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = wrapper.NetConn()
	}
}
