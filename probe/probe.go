package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Mode is how a probe sends its SYNs.
type Mode uint8

const (
	// Auto is Raw where that is permitted, else Kernel.
	Auto Mode = iota
	// Raw makes the packets itself and looks at what comes back, which
	// takes CAP_NET_RAW. It leaves the kernel's memory of cookies alone.
	Raw
	// Kernel has the kernel open connections with its own Fast Open, and
	// asks it what came of them. Any user may.
	Kernel
)

var modeNames = [...]string{"auto", "raw", "kernel"}

// String returns "auto", "raw" or "kernel".
func (m Mode) String() string { return nameOf(modeNames[:], uint8(m)) }

// MarshalText returns [Mode.String].
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modeNames {
		if name == string(text) {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("probe: there is no mode %.40q: it is auto, raw or kernel", text)
}

var (
	// ErrClientOff says that this host's setting net.ipv4.tcp_fastopen does
	// not let programs use Fast Open as clients, so that mode Kernel can
	// learn nothing.
	ErrClientOff = errors.New("this host's own Fast Open is off for clients: turn it on with tfo enable --client, or probe with raw packets as root")
	// ErrPaused says that the kernel has found, or believes, that Fast Open
	// harms its connections, and uses it with nobody for a while
	// (net.ipv4.tcp_fastopen_blackhole_timeout_sec).
	ErrPaused = errors.New("this host's kernel pauses its Fast Open, after it had failed somewhere: " +
		"end that with sysctl -w net.ipv4.tcp_fastopen_blackhole_timeout_sec=0, or probe with raw packets as root")
	// ErrRawForbidden says that mode Raw needs a right that this process
	// does not have.
	ErrRawForbidden = errors.New("probing with raw packets takes the right CAP_NET_RAW: run as root, or use mode kernel")
)

// A Prober finds out what servers, and the paths to them, do with Fast Open.
// The zero value works. It may be used by several goroutines at once; do not
// change it meanwhile.
type Prober struct {
	// Mode is how SYNs are sent.
	Mode Mode
	// Payload is what is put into SYNs as data, and sent on plain
	// connections for comparison. The server may receive it any number of
	// times. Nil means [Payload] for the port. What does not fit into one
	// packet is cut off.
	Payload []byte
	// Repeat is how many connections with a cookie and data are made, each
	// from another port, to see whether all the servers behind the address
	// accept it. Zero means 6; negative means 1.
	Repeat int
	// Tries is how many SYNs in a row have to stay without answer, next to
	// as many plain ones that are answered, to call them dropped. Zero means
	// 3; it is never less than 2.
	Tries int
	// Wait is how long an answer to a SYN is waited for as long as the
	// round-trip time is not known; then it is three times that and a bit.
	// In mode Kernel the kernel waits its own second. Zero means 1 s.
	Wait time.Duration
	// Timeout is how long probing an address may take. What is known by then
	// is judged. Zero means 20 s.
	Timeout time.Duration
}

// Probe finds out what becomes of Fast Open on the way to target and there. It
// makes some ten short connections, all of which it ends.
//
// The error says why nothing could be tried: the context was cancelled, a right
// is missing ([ErrRawForbidden], [ErrClientOff], [ErrPaused]), the operating
// system has no such thing ([errors.ErrUnsupported]), target is not an address.
// That a host does not answer is no error but a verdict.
func (p *Prober) Probe(ctx context.Context, target netip.AddrPort) (Report, error) {
	if !target.IsValid() || target.Port() == 0 || target.Addr().IsUnspecified() || target.Addr().IsMulticast() {
		return Report{}, fmt.Errorf("probe: %v is not the address and port of a server", target)
	}
	target = netip.AddrPortFrom(target.Addr().Unmap(), target.Port())
	q := p.filled(target)
	m, mode, err := open(q.Mode, target, &q)
	if err != nil {
		return Report{}, fmt.Errorf("probe %v: %w", target, err)
	}
	defer m.close()
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	for len(m.log()) < maxSYNs(&q) {
		next := plan(m.log(), m.can, q.Tries, q.Repeat)
		if len(next) == 0 {
			break
		}
		if err := m.try(limited, next); err != nil {
			if ctx.Err() != nil {
				return Report{}, fmt.Errorf("probe %v: %w", target, context.Cause(ctx))
			}
			if limited.Err() != nil {
				break // judged by what is known
			}
			return Report{}, fmt.Errorf("probe %v: %w", target, err)
		}
	}
	return newReport(target, mode, began, time.Since(began), m.log(), q.Tries), nil
}

// filled returns p with the defaults in place of zeros.
func (p *Prober) filled(target netip.AddrPort) Prober {
	q := *p
	if q.Payload == nil {
		q.Payload = Payload(target.Port(), "")
	}
	q.Payload = q.Payload[:min(len(q.Payload), maxPayload(target.Addr()))]
	switch {
	case q.Repeat == 0:
		q.Repeat = 6
	case q.Repeat < 0:
		q.Repeat = 1
	}
	if q.Tries == 0 {
		q.Tries = 3
	}
	q.Tries = max(q.Tries, 2)
	if q.Wait <= 0 {
		q.Wait = time.Second
	}
	if q.Timeout <= 0 {
		q.Timeout = 20 * time.Second
	}
	return q
}

// maxSYNs bounds what one address is bothered with, whatever it does.
func maxSYNs(p *Prober) int { return 12*p.Tries + 4*p.Repeat }

// means are a mode's way to send SYNs.
type means interface {
	// can says whether SYNs of a kind can be sent.
	can(SYN) bool
	// try sends SYNs side by side and returns when all that is awaited of
	// them has come, or has been waited for long enough. The error is of this
	// host or the context's.
	try(ctx context.Context, trials []trial) error
	// log is everything tried so far. An answer that comes late, during a
	// later trial, still counts.
	log() []Event
	close()
}

// maxPayload is the room for data in a SYN: the smallest MTU that IPv6 promises, and that IPv4 has wherever IPv6 goes,
// less the headers and all 40 bytes of TCP options, which Linux too holds free
// in a SYN with data.
func maxPayload(a netip.Addr) int {
	if a.Is4() {
		return 1280 - 20 - 20 - 40
	}
	return 1280 - 40 - 20 - 40
}

// patience is how long an answer is waited for on the n-th try, from 1, given
// the round-trip time, zero for unknown. It grows, so that a host that is far
// away is not taken for one that is silent.
func patience(wait, rtt time.Duration, n int) time.Duration {
	if rtt > 0 {
		wait = min(wait, 3*rtt+200*time.Millisecond)
		wait = max(wait, rtt+rtt/2)
	}
	return wait * time.Duration(max(n, 1))
}
