package probe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fastopen-go/fastopen/tfo"
	"github.com/fastopen-go/fastopen/wire"
)

// A raw makes the packets of a probe itself. It sends them through a raw IP
// socket, so that the kernel finds the way, and reads what comes back through
// a packet socket that sees only what is from the target, and ICMP.
type raw struct {
	p       *Prober
	target  netip.AddrPort
	local   netip.Addr
	out     *sender
	in      *receiver
	began   time.Time
	rtt     time.Duration
	flows   []*flow
	holders []int // sockets that keep the ports, of the same indexes
	names   names
	cookie  tfo.Option // the first that was granted
	noRoute error
}

// openRaw returns ErrRawForbidden without CAP_NET_RAW.
func openRaw(p *Prober, target netip.AddrPort) (*raw, error) {
	r := &raw{p: p, target: target, began: time.Now()}
	var err error
	if r.local, err = sourceFor(target); err != nil {
		if !isUnreachable(err) {
			return nil, err
		}
		r.noRoute = err
		// Whether it is permitted at all is to be said all the same.
		r.local = netip.IPv6Unspecified()
		if target.Addr().Is4() {
			r.local = netip.IPv4Unspecified()
		}
	}
	if r.out, err = newSender(target); err != nil {
		return nil, forbidden(err)
	}
	if r.in, err = newReceiver(target.Addr()); err != nil {
		r.out.close()
		return nil, forbidden(err)
	}
	return r, nil
}

func forbidden(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return ErrRawForbidden
	}
	return err
}

func (r *raw) can(SYN) bool { return true }

func (r *raw) log() []Event {
	events := make([]Event, len(r.flows))
	for i, f := range r.flows {
		events[i] = f.event
	}
	return events
}

// try sends SYNs and reads until they are answered or time is up.
func (r *raw) try(ctx context.Context, trials []trial) error {
	first := len(r.flows)
	n := 1
	for _, t := range trials {
		n = max(n, 1+r.lost(t.kind))
		if err := r.start(t); err != nil {
			return err
		}
	}
	until := time.Now().Add(patience(r.p.Wait, r.rtt, min(n, 3)))
	stop := context.AfterFunc(ctx, r.in.interrupt)
	defer stop()
	for {
		pending, speaking := false, false
		for _, f := range r.flows[first:] {
			pending = pending || f.state == awaitsSYNACK
			speaking = speaking || f.state == awaitsByte
		}
		deadline := until
		switch {
		case !pending && !speaking:
			return nil
		case speaking:
			// A server takes its time to answer. It gets a second more.
			deadline = until.Add(time.Second)
		}
		packet, check, err := r.in.read(ctx, deadline)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return r.giveUp(first)
		case err != nil:
			return fmt.Errorf("read packets: %w", err)
		}
		if err := r.take(time.Now(), packet, check); err != nil {
			return err
		}
	}
}

// lost is how many SYNs of a kind got no answer.
func (r *raw) lost(kind SYN) (n int) {
	for _, f := range r.flows {
		if f.kind == kind && f.event.Answer == Nothing {
			n++
		}
	}
	return n
}

// start sends the SYN of a trial from a port of its own.
func (r *raw) start(t trial) error {
	now := time.Now()
	f := &flow{trial: t, target: r.target, isn: rand.Uint32(), tsval: uint32(now.UnixMilli()), payload: r.p.Payload}
	f.event = Event{At: now.Sub(r.began), Sent: t.kind}
	switch t.kind {
	case Cookie, Data:
		f.option = r.cookie
		f.event.Used = r.names.of(r.cookie)
	case Legacy:
		f.option = tfo.Option{Form: tfo.Experimental}
	}
	f.event.Data = len(f.early())
	if r.noRoute != nil {
		f.state = settled
		f.event.Answer, f.event.Detail = Unreachable, r.noRoute.Error()
		r.flows, r.holders = append(r.flows, f), append(r.holders, -1)
		return nil
	}
	holder, port, err := holdPort(r.local, r.target.Addr().Zone())
	if err != nil {
		return fmt.Errorf("find a free port: %w", err)
	}
	f.local = netip.AddrPortFrom(r.local, port)
	f.event.Port = port
	r.flows, r.holders = append(r.flows, f), append(r.holders, holder)
	f.sent = time.Now()
	f.event.At = f.sent.Sub(r.began)
	err = r.send([]wire.Segment{f.syn()})
	if isUnreachable(err) {
		f.state = settled
		f.event.Answer, f.event.Detail = Unreachable, unix.Errno.Error(errnoOf(err))
		return nil
	}
	return err
}

// take gives a packet to the flow it belongs to.
func (r *raw) take(now time.Time, packet []byte, check wire.Checksumming) error {
	p, ok := parseReply(packet, check, r.local, netip.AddrPortFrom(r.target.Addr().WithZone(""), r.target.Port()))
	if !ok {
		return nil
	}
	for _, f := range r.flows {
		if f.event.Port != p.port || p.port == 0 {
			continue
		}
		if p.icmp != nil {
			if p.about == f.isn {
				f.unreachable(now, p.icmp)
			}
			return nil
		}
		before := f.event.Answer
		out := f.take(now, &p.segment, p.erased)
		if before == Nothing && f.event.Answer == SYNACK {
			r.opened(f, &p.segment)
		}
		err := r.send(out)
		if isUnreachable(err) {
			err = nil // it was reachable a moment ago; the next SYN tells
		}
		return err
	}
	return nil
}

// opened learns from a SYN-ACK.
func (r *raw) opened(f *flow, s *wire.Segment) {
	r.rtt = shorter(r.rtt, f.event.After)
	o := s.Options.FastOpen
	// Requirement OPT-9: a cookie that was not asked for is not taken.
	if !s.Options.HasFastOpen || o.IsRequest() || f.kind == Plain || f.kind == BareData {
		return
	}
	f.event.Granted = r.names.of(o)
	f.event.cookieLen = o.Cookie.Len()
	if r.cookie.IsRequest() {
		r.cookie = o
	}
}

// giveUp waits no longer for the server's answer on the flows from first on.
func (r *raw) giveUp(first int) error {
	for _, f := range r.flows[first:] {
		if f.state == awaitsByte {
			if err := r.send(f.abandon()); err != nil && !isUnreachable(err) {
				return err
			}
		}
	}
	return nil
}

func (r *raw) send(segments []wire.Segment) error {
	for i := range segments {
		if err := r.out.send(segments[i].AppendPacket(nil, wire.Full)); err != nil {
			return fmt.Errorf("send a packet: %w", err)
		}
	}
	return nil
}

// close ends what is open. From here on the kernel answers whatever still
// comes with a RST of its own.
func (r *raw) close() {
	if r.noRoute == nil {
		r.giveUp(0)
	}
	for _, fd := range r.holders {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	r.out.close()
	r.in.close()
}
