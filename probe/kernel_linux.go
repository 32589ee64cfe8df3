package probe

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/internal/sockopt"
	"github.com/fastopen-go/fastopen/kernel"
	"github.com/fastopen-go/fastopen/tfo"
)

// synTimer is when the kernel sends a SYN again that nobody answers: without
// option and data, whatever the first one had (requirement CLI-8).
const synTimer = time.Second

// A viaKernel has the kernel open connections, and asks it what came of them.
type viaKernel struct {
	p      *Prober
	target netip.AddrPort
	began  time.Time
	rtt    time.Duration
	events []Event
	names  names
	holds  bool // the kernel has a cookie for the target
}

// openKernel returns ErrClientOff where the kernel may not use Fast Open.
func openKernel(p *Prober, target netip.AddrPort) (*viaKernel, error) {
	bits, err := kernel.FastOpen()
	if err == nil && !bits.Client() {
		return nil, ErrClientOff
	}
	// What cannot be read is tried.
	return &viaKernel{p: p, target: target, began: time.Now()}, nil
}

// can: the form of the option is the kernel's choice, and it does not ask for
// a cookie as long as it has one.
func (k *viaKernel) can(s SYN) bool { return s != Legacy && (s != Request || !k.holds) }

func (k *viaKernel) log() []Event { return k.events }
func (k *viaKernel) close()       {}

// try opens connections side by side.
func (k *viaKernel) try(ctx context.Context, trials []trial) error {
	before, known := k.cookie()
	events, errs := make([]Event, len(trials)), make([]error, len(trials))
	var all sync.WaitGroup
	for i, t := range trials {
		all.Go(func() { events[i], errs[i] = k.connect(ctx, t, !before.IsRequest() || !known) })
	}
	all.Wait()
	after, known := k.cookie()
	k.holds = !after.IsRequest() || !known
	for i := range events {
		e := &events[i]
		if e.Sent == Data || e.Sent == Cookie {
			e.Used = k.names.of(before)
		}
		if known && e.Sent != Plain && e.Sent != BareData && !after.IsRequest() && !after.Cookie.Equal(before.Cookie) {
			e.Granted, e.cookieLen = k.names.of(after), after.Cookie.Len()
		}
		if e.Answer == SYNACK && !e.again {
			k.rtt = shorter(k.rtt, e.After)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	k.events = append(k.events, events...)
	return ctx.Err()
}

// cookie is what the kernel holds for the target; known is false where it does
// not tell.
func (k *viaKernel) cookie() (o tfo.Option, known bool) {
	c, err := cachedCookie(k.target.Addr())
	return tfo.Option{Cookie: c}, err == nil
}

// connect makes one connection. The kernel decides whether its SYN has a
// cookie: the event says which kind it became.
func (k *viaKernel) connect(ctx context.Context, t trial, hasCookie bool) (Event, error) {
	e := Event{Sent: t.kind}
	family := unix.AF_INET6
	if k.target.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return e, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "connection")
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return e, err
	}
	sent := time.Now()
	e.At = sent.Sub(k.began)
	n, err := k.open(fd, t.kind)
	switch {
	case err == nil:
	case errors.Is(err, unix.EOPNOTSUPP):
		return e, ErrClientOff
	case isUnreachable(err):
		e.Answer, e.Detail = Unreachable, errnoOf(err).Error()
		return e, nil
	case errors.Is(err, unix.ECONNREFUSED): // on this very machine it comes at once
		e.Answer, e.After = Reset, time.Since(sent)
		return e, nil
	default:
		return e, err
	}
	e.Sent, e.Data = became(t.kind, n, hasCookie)
	e.Port = portOf(fd)
	stop := context.AfterFunc(ctx, func() { f.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	info, err := opened(ctx, f, raw, sent.Add(synTimer+patience(k.p.Wait, k.rtt, 1)))
	if ctx.Err() != nil {
		return e, ctx.Err()
	}
	if err := k.sort(&e, info, err, time.Since(sent)); err != nil {
		return e, err
	}
	accepted := e.Data > 0 && e.Acked == e.Data && len(k.p.Payload) == n
	if t.exchange && e.Answer == SYNACK && !e.again && (e.Sent == Plain || accepted) {
		k.exchange(ctx, &e, f, raw, sent)
	}
	return e, nil
}

// open sends the SYN, and says how much data the kernel put into it.
func (k *viaKernel) open(fd int, kind SYN) (int, error) {
	to := sockaddr(k.target)
	payload := k.p.Payload
	var n int
	var err error
	switch kind {
	case Plain:
		err = unix.Connect(fd, to)
	case Cookie:
		n, err = unix.SendmsgN(fd, nil, nil, to, unix.MSG_FASTOPEN|unix.MSG_NOSIGNAL)
	case BareData:
		if err = sockopt.SetNoCookie(uintptr(fd)); err != nil {
			return 0, err
		}
		fallthrough
	default:
		n, err = unix.SendmsgN(fd, payload, nil, to, unix.MSG_FASTOPEN|unix.MSG_NOSIGNAL)
	}
	if err == unix.EINPROGRESS {
		err = nil
	}
	return max(n, 0), err
}

// became says which SYN the kernel made of a wish, n being the bytes that it
// put into it.
func became(kind SYN, n int, hasCookie bool) (SYN, int) {
	switch {
	case kind == Plain || kind == BareData:
		return kind, n
	case n > 0 && hasCookie:
		return Data, n
	case n > 0:
		return BareData, n // the sysctl's bit 0x4, or a route that says so
	case kind == Cookie && hasCookie:
		return Cookie, 0
	}
	return Request, 0
}

// opened waits until the handshake is done, or has failed.
func opened(ctx context.Context, f *os.File, raw syscall.RawConn, deadline time.Time) (info sockopt.Info, err error) {
	if err := f.SetDeadline(deadline); err != nil {
		return info, err
	}
	if ctx.Err() != nil { // see receiver.read
		return info, ctx.Err()
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		info, failed = sockopt.Inspect(fd)
		if failed == nil && info.State == sockopt.Dead {
			failed = sockopt.TakeError(fd)
		}
		return failed != nil || info.State != sockopt.SynSent
	})
	if err == nil {
		err = failed
	}
	return info, err
}

// sort reads the answer to the SYN out of what the kernel says.
func (k *viaKernel) sort(e *Event, info sockopt.Info, err error, took time.Duration) error {
	e.After = took
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.Answer, e.After = Nothing, 0
		return nil
	case isUnreachable(err):
		e.Answer, e.Detail = Unreachable, errnoOf(err).Error()
		return nil
	case errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET):
		e.Answer = Reset
		return nil
	case err != nil:
		return err
	}
	e.Answer = SYNACK
	if info.RTT > 0 && took < synTimer {
		e.After = info.RTT // better than a clock that looks when it is woken
	}
	lost := false
	switch e.Sent {
	case Plain:
		e.again = info.Retrans > 0
	case Data, BareData:
		if info.SynData {
			e.Acked = e.Data
		}
		lost = !info.SynData && (info.Failure == sockopt.SynRetransmits || info.Failure == sockopt.NoFailure && took >= synTimer)
	default:
		lost = info.Retrans > 0
		if e.Sent == Request && info.Failure == sockopt.NoFailure && !lost && paused() {
			return ErrPaused
		}
	}
	if lost {
		e.Answer, e.After, e.PlainAnswered = Nothing, 0, true
	}
	if e.again {
		e.Detail = "to a second one; the first was lost"
	}
	return nil
}

// exchange sends the payload, unless it is there already, and waits for the
// first byte of the answer.
func (k *viaKernel) exchange(ctx context.Context, e *Event, f *os.File, raw syscall.RawConn, sent time.Time) {
	if f.SetDeadline(time.Now().Add(patience(k.p.Wait, k.rtt, 1)+time.Second)) != nil || ctx.Err() != nil {
		return
	}
	if e.Sent == Plain {
		if _, err := f.Write(k.p.Payload); err != nil {
			return
		}
	}
	e.Awaited = true
	var n int
	var failed error
	err := raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, failed = unix.Read(int(fd), b[:])
		return failed != unix.EAGAIN && failed != unix.EINTR
	})
	switch {
	case n > 0:
		e.FirstByte = time.Since(sent)
	case errors.Is(failed, unix.ECONNRESET):
		e.Detail = "then a RST"
	case err == nil && failed == nil:
		e.Detail = "then closed by the server"
	}
}

// paused reports whether the kernel may be pausing its own Fast Open.
func paused() bool {
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_fastopen_blackhole_timeout_sec")
	return err == nil && strings.TrimSpace(string(text)) != "0"
}

func portOf(fd int) uint16 {
	name, _ := unix.Getsockname(fd)
	switch n := name.(type) {
	case *unix.SockaddrInet4:
		return uint16(n.Port)
	case *unix.SockaddrInet6:
		return uint16(n.Port)
	}
	return 0
}
