package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/fastopen-go/fastopen"
)

// A visit is one accepted connection, with what the server itself noted of
// it.
type visit struct {
	*fastopen.Conn
	gate     *gate
	read     atomic.Int64 // bytes so far
	hello    atomic.Int64 // of those, when the TLS hello was complete
	requests atomic.Int64
	whole    atomic.Bool // all that the first answer needed came in the SYN
	waited   atomic.Bool // but that waited for the handshake all the same
}

// NetConn lets [fastopen.FromContext] find the connection.
func (v *visit) NetConn() net.Conn { return v.Conn }

// Read counts what comes.
func (v *visit) Read(b []byte) (int, error) {
	n, err := v.Conn.Read(b)
	v.read.Add(int64(n))
	return n, err
}

// helloIsHere notes that the TLS hello is complete.
func (v *visit) helloIsHere() { v.hello.CompareAndSwap(0, v.read.Load()) }

type visitKey struct{}

// connContext is [http.Server.ConnContext]: it lets handlers find the visit
// and the connection.
func connContext(ctx context.Context, c net.Conn) context.Context {
	ctx = fastopen.ConnContext(ctx, c)
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		if v, ok := t.NetConn().(*visit); ok { // in a tls.Conn
			c = v
		}
	}
	return context.WithValue(ctx, visitKey{}, c)
}

// visitOf returns the connection that a request came on.
func visitOf(r *http.Request) *visit {
	v, _ := r.Context().Value(visitKey{}).(*visit)
	return v
}
