//go:build !linux

package fastopen

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/fastopen-go/fastopen/internal/sockopt"
)

// await waits until the socket's state satisfies until, and returns it. A
// system that tells no states has no connections in the middle of their
// handshake either: there the answer is there at once.
//
// It asks again and again, first after a millisecond, since no system but
// Linux promises to wake anybody when a handshake is done: an accepted Fast
// Open connection is writable before and after it, and where nothing was
// written yet the last ACK frees nothing.
func await(ctx context.Context, tc *net.TCPConn, until func(sockopt.Info) bool) (info sockopt.Info, err error) {
	const slowest = 50 * time.Millisecond
	pause := time.Millisecond
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		info, err = inspect(tc)
		if errors.Is(err, errors.ErrUnsupported) {
			return sockopt.Info{}, nil
		}
		if err != nil || until(info) {
			return info, err
		}
		select {
		case <-ctx.Done():
			return info, context.Cause(ctx)
		case <-timer.C:
		}
		pause = min(2*pause, slowest)
		timer.Reset(pause)
	}
}

// finish is for connections that were put off, which only Linux has.
func finish(*net.TCPConn) {}
