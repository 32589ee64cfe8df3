package main

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen/probe"
)

// A survey probes many hosts, a few at a time, and shows them in the order in
// which they were named.
type survey struct {
	prober probe.Prober
	family string
	jobs   int
	pace   *pace
	show   *probeOutput
}

// probed is what came of an address, or of a host that has none.
type probed struct {
	host   host
	report probe.Report
	err    error
}

// run returns an error if nothing can be probed at all, from here.
func (s *survey) run(ctx context.Context, hosts []host) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Those who wait to be shown are few, however long the list is.
	slots := make(chan chan probed, 8*s.jobs)
	lookups, probes := make(chan struct{}, s.jobs), make(chan struct{}, s.jobs)
	go func() {
		defer close(slots)
		for _, h := range hosts {
			slot := make(chan probed)
			select {
			case slots <- slot:
			case <-ctx.Done():
				return
			}
			lookups <- struct{}{}
			go func() {
				defer close(slot)
				s.host(ctx, h, slot, lookups, probes)
			}()
		}
	}()
	for slot := range slots {
		for f := range slot {
			if hopeless(f.err) {
				cancel(f.err)
			}
			if ctx.Err() == nil {
				s.show.one(f)
			}
		}
		s.show.progress(1)
	}
	if ctx.Err() != nil {
		s.show.clear()
		if err := context.Cause(ctx); hopeless(err) {
			return unwrapped(err)
		}
		return errors.New("stopped before all was done")
	}
	return nil
}

// host probes all addresses of a host at the same time, as far as there are
// probes to spare.
func (s *survey) host(ctx context.Context, h host, slot chan<- probed, lookups, probes chan struct{}) {
	var all []netip.AddrPort
	err := h.err
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		all, err = h.addresses(limited, s.family)
		cancel()
	}
	<-lookups
	if err != nil {
		slot <- probed{host: h, err: err}
		return
	}
	findings := make([]probed, len(all))
	var work sync.WaitGroup
	for i, to := range all {
		work.Go(func() {
			probes <- struct{}{}
			defer func() { <-probes }()
			findings[i] = probed{host: h}
			if findings[i].err = s.pace.wait(ctx); findings[i].err == nil {
				p := s.prober
				if p.Payload == nil {
					p.Payload = probe.Payload(to.Port(), h.serverName())
				}
				findings[i].report, findings[i].err = p.Probe(ctx, to)
			}
		})
	}
	work.Wait()
	for _, f := range findings {
		slot <- f
	}
}

// serverName is the host's name for TLS and HTTP, "" for an address.
func (h host) serverName() string {
	if _, err := netip.ParseAddr(h.name); err == nil {
		return ""
	}
	return h.name
}

// hopeless reports whether an error is of this very host, and would be the
// same for all others.
func hopeless(err error) bool { return err != nil && unwrapped(err) != nil }

// unwrapped is the error of this very host within err.
func unwrapped(err error) error {
	for _, e := range []error{probe.ErrClientOff, probe.ErrPaused, probe.ErrRawForbidden, errors.ErrUnsupported} {
		if errors.Is(err, e) {
			if e == errors.ErrUnsupported {
				return errors.New("probing works on Linux only, for now")
			}
			return e
		}
	}
	return nil
}

// A pace lets something happen so and so many times a second.
type pace struct {
	mu   sync.Mutex
	gap  time.Duration
	next time.Time
}

func newPace(rate float64) *pace { return &pace{gap: time.Duration(float64(time.Second) / rate)} }

// take returns how long to wait from now on.
func (p *pace) take(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	d := p.next.Sub(now)
	p.next = p.next.Add(p.gap)
	return d
}

func (p *pace) wait(ctx context.Context) error {
	t := time.NewTimer(p.take(time.Now()))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
