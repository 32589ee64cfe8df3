package fastopen

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"syscall"

	"github.com/fastopen-go/fastopen/internal/sockopt"
	"github.com/fastopen-go/fastopen/tfo"
)

// A sysListener is a listener of the operating system.
type sysListener struct {
	*net.TCPListener

	mu   sync.Mutex
	err  error  // why there is no Fast Open
	stop func() // of the Keyring's news
}

// listenSystem announces on an address of the operating system's TCP.
func (lc *ListenConfig) listenSystem(ctx context.Context, network, address string) (*Listener, error) {
	l := &sysListener{}
	nlc := net.ListenConfig{
		KeepAlive:       lc.KeepAlive,
		KeepAliveConfig: lc.KeepAliveConfig,
		Control: func(network, address string, c syscall.RawConn) error {
			if sockopt.EnableBeforeListen {
				l.err = control(c, lc.enable)
			}
			if lc.Control != nil {
				return lc.Control(network, address, c)
			}
			return nil
		},
	}
	nlc.SetMultipathTCP(lc.mptcp)
	nl, err := nlc.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.TCPListener = nl.(*net.TCPListener)
	if !sockopt.EnableBeforeListen {
		l.err = onSocket(l, lc.enable)
	}
	if lc.Keys != nil && l.err == nil {
		l.stop = lc.Keys.OnChange(l.setKeys)
		l.setKeys(lc.Keys.Keys()) // those of a change in between
	}
	return &Listener{tl: l}, nil
}

// enable sets the options of a listening socket.
func (lc *ListenConfig) enable(fd uintptr) error {
	if lc.queue() == 0 {
		return errOff
	}
	if lc.Keys != nil {
		if err := setKeys(fd, lc.Keys.Keys()); err != nil {
			return err
		}
	}
	if lc.NoCookie {
		if err := sockopt.SetNoCookie(fd); err != nil {
			return err
		}
	}
	if err := sockopt.Enable(fd, lc.queue()); err != nil {
		return err
	}
	// Without it there is less to tell in Stats, which is no reason to do
	// without Fast Open.
	_ = sockopt.SaveSYN(fd)
	return nil
}

func setKeys(fd uintptr, keys tfo.Keys) error {
	if keys.IsZero() {
		return nil
	}
	return sockopt.SetKeys(fd, keys.AppendRaw(nil))
}

// FastOpen returns why there is no Fast Open, nil if there is.
func (l *sysListener) FastOpen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// setKeys gives the listener keys while it runs. If that fails, Fast Open is
// switched off.
func (l *sysListener) setKeys(keys tfo.Keys) {
	err := onSocket(l, func(fd uintptr) error {
		err := setKeys(fd, keys)
		if err != nil {
			_ = sockopt.Enable(fd, 0)
		}
		return err
	})
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.err = err
	}
}

// Accept returns a sysConn that knows what its SYN brought.
func (l *sysListener) Accept() (net.Conn, error) {
	tc, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return &sysConn{TCPConn: tc, start: arrival(tc)}, nil
}

// Close stops listening.
func (l *sysListener) Close() error {
	if l.stop != nil {
		l.stop()
	}
	return l.TCPListener.Close()
}

// arrival is what the SYN of an accepted connection brought.
func arrival(tc *net.TCPConn) tfo.Outcome {
	out := tfo.Outcome{Passive: true}
	info, err := inspect(tc)
	if err != nil {
		return out
	}
	var buf [128]byte // two headers with all their options
	n := 0
	_ = onSocket(tc, func(fd uintptr) (err error) {
		n, err = sockopt.SavedSYN(fd, buf[:])
		return err
	})
	option, spoke, size := readSYN(buf[:n])
	if n == 0 {
		size = int(info.Received)
	}
	switch {
	case info.SynData:
		out.Status, out.Sent, out.Wanted = tfo.DataAccepted, size, size
	case info.Child:
		out.Cause = tfo.NoData
	case spoke && option.IsRequest():
		out.Status = tfo.CookieRequested
	case spoke:
		out.Status, out.Cause, out.Wanted = tfo.FellBack, tfo.Unacknowledged, size
	}
	return out
}

// readSYN reads the Fast Open option, and how much data there was, from the
// IP and TCP headers of a SYN.
func readSYN(h []byte) (option tfo.Option, ok bool, data int) {
	var ip, total int
	switch {
	case len(h) >= 20 && h[0]>>4 == 4:
		ip, total = int(h[0]&15)*4, int(binary.BigEndian.Uint16(h[2:]))
	case len(h) >= 40 && h[0]>>4 == 6:
		ip, total = 40, 40+int(binary.BigEndian.Uint16(h[4:]))
	}
	if ip == 0 || len(h) < ip+20 {
		return option, false, 0
	}
	tcp := h[ip:]
	end := int(tcp[12]>>4) * 4
	if end < 20 || end > len(tcp) {
		return option, false, 0
	}
	option, ok = tfo.ParseOption(tcp[20:end])
	return option, ok, max(total-ip-end, 0)
}
