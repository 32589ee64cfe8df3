//go:build !plan9

package fastopen_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fastopen-go/fastopen"
	"github.com/fastopen-go/fastopen/sim"
	"github.com/fastopen-go/fastopen/tcp"
	"github.com/fastopen-go/fastopen/tfo"
)

// A simNet runs a sim.Net of two hosts in the time of a synctest bubble, with
// one lock over everything.
type simNet struct {
	mu             sync.Mutex
	changed        *sync.Cond
	net            *sim.Net
	client, server *simHost
	began          time.Time
	kick           chan struct{}
}

// A simHost is a fastopen.Network of a host of package sim.
type simHost struct {
	*sim.Host
	n      *simNet
	cookie *tfo.Cache
	keys   *tfo.Keyring
	config tcp.Config
}

var (
	_ fastopen.Network     = (*simHost)(nil)
	_ fastopen.NetworkConn = (*simConn)(nil)
)

var simServer = netip.MustParseAddr("192.0.2.80")

// newSimNet joins a client and a server by a path of the given hops. Call it in
// a bubble.
func newSimNet(t *testing.T, hops ...sim.Hop) *simNet {
	t.Helper()
	n := &simNet{net: sim.NewNet(1), began: time.Now(), kick: make(chan struct{}, 1)}
	n.changed = sync.NewCond(&n.mu)
	host := func(name string, a netip.Addr) *simHost {
		h := &simHost{Host: n.net.Host(name, a), n: n, cookie: new(tfo.Cache), keys: tfo.NewKeyring(tfo.GenerateKeys())}
		h.config = tcp.Config{Secret: h.Config.Secret, Cache: h.cookie}
		h.Config = &h.config
		return h
	}
	n.client, n.server = host("client", netip.MustParseAddr("192.0.2.1")), host("server", simServer)
	n.net.Join(n.client.Host, n.server.Host, hops...)
	if testing.Verbose() {
		n.net.Log = func(line string) { t.Log(line) }
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return n
}

// joinSim is twoHosts of package sim.
func joinSim(t *testing.T, hops ...sim.Hop) *twoHosts {
	n := newSimNet(t, hops...)
	return &twoHosts{n.client, n.server, func() {
		n.client.config.MinRTO, n.client.config.InitialRTO = 5*time.Second, 5*time.Second
	}, func() (left int) {
		n.do(func(time.Time) { left = n.client.Conns() + n.server.Conns() })
		return left
	}}
}

// run lets packets and timers come when their time has come.
func (n *simNet) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-n.kick:
		}
		n.mu.Lock()
		n.catchUp()
		if d := n.net.Deadline(); !d.IsZero() {
			timer.Reset(d.Sub(n.net.Now()))
		} else {
			timer.Stop()
		}
		n.mu.Unlock()
	}
}

// do brings the net up to date, does f, and lets the hosts see to what came
// of it.
func (n *simNet) do(f func(now time.Time)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.locked(f)
	n.changed.Broadcast()
}

// catchUp brings the net to the bubble's time.
func (n *simNet) catchUp() {
	n.net.Wait(sim.Epoch.Add(time.Since(n.began)).Sub(n.net.Now()))
}

// locked is do for who holds the lock and wakes nobody but by what happens.
func (n *simNet) locked(f func(now time.Time)) {
	n.catchUp()
	f(n.net.Now())
	n.client.Attend()
	n.server.Attend()
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// DialFastOpen implements fastopen.Network.
func (h *simHost) DialFastOpen(local, remote netip.AddrPort, config tfo.DialConfig) (net.Conn, error) {
	c := &simConn{h: h, local: local, remote: remote, config: config}
	h.n.do(func(now time.Time) {
		e := h.cookie.Lookup(now, tfo.Path{Partition: config.Partition, Local: h.Addr(), Remote: remote})
		c.putOff = !config.Off && !e.Avoid.Active(now) && (config.NoCookie || !e.Cookie.IsRequest())
		if !c.putOff {
			c.dial(now, nil)
		}
	})
	return c, nil
}

// ListenFastOpen implements fastopen.Network.
func (h *simHost) ListenFastOpen(local netip.AddrPort, config tfo.ListenConfig) (net.Listener, error) {
	l := &simListener{h: h, local: local}
	lc := tcp.ListenConfig{FastOpen: tcp.FastOpenServer{Keys: config.Keys, MaxPending: config.Queue}}
	if config.Keys == nil || config.Keys.Keys().IsZero() {
		lc.FastOpen.Keys = h.keys
	}
	h.n.do(func(time.Time) {
		h.Listen(local, lc, func(c *tcp.Conn) sim.App {
			sc := &simConn{h: h, c: c, local: c.Local(), remote: c.Remote()}
			l.queue = append(l.queue, sc)
			h.n.changed.Broadcast()
			return sc.run
		})
	})
	return l, nil
}

type simListener struct {
	h        *simHost
	local    netip.AddrPort
	queue    []*simConn
	closed   bool
	deadline simDeadline
}

func (l *simListener) Accept() (net.Conn, error) {
	n := l.h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(l.queue) == 0 {
		switch {
		case l.closed:
			return nil, &net.OpError{Op: "accept", Net: "tcp", Err: net.ErrClosed}
		case l.deadline.over():
			return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.ErrDeadlineExceeded}
		}
		n.changed.Wait()
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	return c, nil
}

func (l *simListener) Close() error {
	l.h.n.do(func(time.Time) { l.closed = true })
	return nil
}

func (l *simListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.local) }

func (l *simListener) SetDeadline(t time.Time) error {
	l.h.n.do(func(time.Time) { l.deadline.set(l.h.n, t) })
	return nil
}

// A simConn is a connection that waits.
type simConn struct {
	h             *simHost
	c             *tcp.Conn // nil while put off
	local, remote netip.AddrPort
	config        tfo.DialConfig
	putOff        bool
	closed, drop  bool
	read, write   simDeadline
}

// A simDeadline wakes everybody when it has come.
type simDeadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *simDeadline) set(n *simNet, t time.Time) {
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.at = t; !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), func() { n.do(func(time.Time) {}) })
	}
}

func (d *simDeadline) over() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// dial sends the SYN with as much of early as fits.
func (c *simConn) dial(now time.Time, early []byte) int {
	cfg := c.h.config
	cfg.Partition = c.config.Partition
	cfg.Client.Off, cfg.Client.SendCookieless = c.config.Off, c.config.NoCookie
	c.h.Config = &cfg
	if len(early) > 0 { // the machine is pure: one that is never sent tells the room
		early = early[:tcp.Dial(now, &cfg, netip.AddrPortFrom(c.h.Addr(), 1), c.remote, early).Outcome().Sent]
	}
	c.putOff = false
	if c.local.Port() != 0 {
		c.c = c.h.DialFrom(netip.AddrPortFrom(c.h.Addr(), c.local.Port()), c.remote, early, c.run)
	} else {
		c.c = c.h.Dial(c.remote, early, c.run)
	}
	c.local = c.c.Local()
	return len(early)
}

// run is the connection's sim.App.
func (c *simConn) run(now time.Time, m *tcp.Conn) {
	if c.closed && !c.drop && m.Confirmed() {
		m.Close(now)
	}
	if m.Events() != 0 {
		c.h.n.changed.Broadcast()
	}
}

// wait waits until f is done, or for what ends the waiting.
func (c *simConn) wait(op string, d *simDeadline, f func(now time.Time) (bool, error)) error {
	n := c.h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		var done bool
		var err error
		switch {
		case c.closed:
			err = net.ErrClosed
		case d != nil && d.over():
			err = os.ErrDeadlineExceeded
		default:
			n.locked(func(now time.Time) { done, err = f(now) })
		}
		if err == io.EOF {
			return err
		}
		if err != nil {
			return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: errno(err)}
		}
		if done {
			return nil
		}
		n.changed.Wait()
	}
}

func errno(err error) error {
	switch err {
	case tcp.ErrRefused:
		return os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case tcp.ErrReset:
		return os.NewSyscallError("read", syscall.ECONNRESET)
	case tcp.ErrTimeout:
		return os.NewSyscallError("read", syscall.ETIMEDOUT)
	case tcp.ErrClosed:
		return os.NewSyscallError("write", syscall.EPIPE)
	}
	return err
}

func (c *simConn) Read(b []byte) (k int, err error) {
	err = c.wait("read", &c.read, func(now time.Time) (bool, error) {
		if c.c == nil {
			return false, nil
		}
		var err error
		k, err = c.c.Read(now, b)
		return k > 0 || len(b) == 0, err
	})
	return k, err
}

func (c *simConn) Write(b []byte) (k int, err error) {
	err = c.wait("write", &c.write, func(now time.Time) (bool, error) {
		if c.c == nil {
			return false, errors.New("the test has written to a connection that was put off")
		}
		m, err := c.c.Write(now, b[k:])
		k += m
		return k == len(b), err
	})
	return k, err
}

func (c *simConn) Begin(early []byte) (k int, err error) {
	err = c.wait("connect", nil, func(now time.Time) (bool, error) {
		if c.c != nil {
			return false, errors.New("the test has begun a connection twice")
		}
		k = c.dial(now, early)
		return true, nil
	})
	return k, err
}

func (c *simConn) Handshake() (h tfo.Handshake) {
	c.h.n.do(func(time.Time) { h = c.handshake() })
	return h
}

func (c *simConn) handshake() tfo.Handshake {
	h := tfo.Handshake{PutOff: c.putOff}
	if c.c != nil {
		h.Outcome, h.Dead = c.c.Outcome(), c.c.State() == tcp.Closed && c.c.Err() != nil
	}
	switch {
	case c.closed:
		h.Stage = tfo.Closed
	case c.c != nil && c.c.Confirmed():
		h.Stage = tfo.Confirmed
	case c.c != nil && c.c.Passive():
		h.Stage = tfo.Unconfirmed
	}
	return h
}

func (c *simConn) Await(ctx context.Context, op string, stage tfo.Stage) error {
	stop := context.AfterFunc(ctx, func() { c.h.n.do(func(time.Time) {}) })
	defer stop()
	d := map[string]*simDeadline{"read": &c.read, "write": &c.write}[op]
	return c.wait(op, d, func(time.Time) (bool, error) {
		h := c.handshake()
		switch {
		case h.Stage >= stage:
			return true, nil
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case h.Dead && stage != tfo.Closed:
			return false, c.c.Err()
		}
		return false, nil
	})
}

func (c *simConn) Close() error {
	var err error
	c.h.n.do(func(now time.Time) {
		switch {
		case c.closed:
			err = net.ErrClosed
		case c.c == nil:
		case c.drop:
			c.c.Abort(now)
		case c.c.State() != tcp.SynSent:
			c.c.Close(now)
		case c.c.Queued() == 0:
			c.c.Abort(now)
		}
		c.closed = true
	})
	return err
}

func (c *simConn) CloseWrite() error {
	c.h.n.do(func(now time.Time) { c.c.CloseWrite(now) })
	return nil
}

func (c *simConn) SetLinger(sec int) error {
	c.h.n.do(func(time.Time) { c.drop = sec == 0 })
	return nil
}

func (c *simConn) SetReadDeadline(t time.Time) error {
	c.h.n.do(func(time.Time) { c.read.set(c.h.n, t) })
	return nil
}

func (c *simConn) SetWriteDeadline(t time.Time) error {
	c.h.n.do(func(time.Time) { c.write.set(c.h.n, t) })
	return nil
}

func (c *simConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *simConn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *simConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (c *simConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, r)
}

func (c *simConn) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

func (c *simConn) CloseRead() error                             { return nil }
func (c *simConn) SetKeepAlive(bool) error                      { return nil }
func (c *simConn) SetKeepAliveConfig(net.KeepAliveConfig) error { return nil }
func (c *simConn) SetKeepAlivePeriod(time.Duration) error       { return nil }
func (c *simConn) SetNoDelay(bool) error                        { return nil }
func (c *simConn) SetReadBuffer(int) error                      { return nil }
func (c *simConn) SetWriteBuffer(int) error                     { return nil }
