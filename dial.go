package fastopen

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fastopen-go/fastopen/tfo"
)

// A dialing is one call of DialContext or DialEarly.
type dialing struct {
	*Dialer
	network    string
	early      []byte // nil if the first bytes come by Write
	candidates []candidate

	mu    sync.Mutex
	spoke int   // 1 + index of the candidate whose SYN spoke of Fast Open
	err   error // what that attempt ended with
}

// An attempt is what became of one connect to one candidate.
type attempt struct {
	tc     *socket
	to     int         // index of the candidate
	hedge  bool        // plain, because an attempt that spoke of Fast Open did not get through
	asked  bool        // its SYN speaks of Fast Open
	cookie bool        // a cookie is at hand: connect was put off
	out    tfo.Outcome // so far
	entry  tfo.Entry   // what the cache knew
	rest   []byte      // what of the early data is still to be written
}

// dial races the candidates of address. With nil early the winner may be a
// connection that has sent nothing yet; otherwise early rides in its SYN.
func (d *dialing) dial(ctx context.Context, address string) (*Conn, error) {
	ctx, cancel := d.limit(ctx)
	defer cancel()
	var err error
	if d.candidates, err = d.resolve(ctx, d.network, address); err != nil {
		return nil, d.error(nil, err)
	}
	first := d.cache().Lookup(time.Now(), d.path(d.candidates[0].remote))
	a, err := race(ctx, d.delay(first), d.delay(first), d.tries(), func(a attempt) { a.tc.Close() })
	if err != nil {
		return nil, d.error(d.candidates[0].addr(), err)
	}
	return d.newConn(ctx, a)
}

// tries lists the attempts: one for each candidate, and as the second or
// third one a plain connection to the first candidate, for paths that eat
// SYNs with Fast Open in them.
func (d *dialing) tries() []try[attempt] {
	var tries []try[attempt]
	for i := range d.candidates {
		tries = append(tries, func(ctx context.Context, alone bool) (attempt, error) {
			return d.attempt(ctx, i, alone)
		})
		if i == min(1, len(d.candidates)-1) {
			tries = append(tries, func(ctx context.Context, _ bool) (attempt, error) {
				if d.spokeTo() != 0 {
					return attempt{}, errors.ErrUnsupported
				}
				return d.attempt(ctx, 0, false)
			})
		}
	}
	return tries
}

// attempt connects to one candidate. It speaks of Fast Open only when alone:
// an attempt beside another is there to get through where that one does not.
func (d *dialing) attempt(ctx context.Context, i int, alone bool) (a attempt, err error) {
	to := d.candidates[i]
	a = attempt{to: i, rest: d.early}
	a.entry = d.cache().Lookup(time.Now(), d.path(to.remote))
	switch {
	case d.Off:
	case a.entry.Avoid.Active(time.Now()):
		a.out.Cause, a.out.Avoid = tfo.Avoided, a.entry.Avoid
	case alone:
		a.asked = true
	default:
		a.hedge = d.spokeTo() >= 0
	}
	defer func() {
		if a.asked && err != nil && ctx.Err() == nil {
			d.failed(err)
		}
	}()
	a.tc, err = d.open(ctx, &a, to)
	if err != nil || !a.asked {
		return a, err
	}
	a.cookie = a.tc.Handshake().PutOff
	if !a.cookie || d.early == nil {
		return a, nil
	}
	if err := d.sendEarly(ctx, &a); err != nil {
		a.tc.abandon()
		return a, err
	}
	return a, nil
}

// open makes attempt a at to, by the Dialer's TCP.
func (d *dialing) open(ctx context.Context, a *attempt, to candidate) (*socket, error) {
	var c NetworkConn
	var err error
	if d.Network != nil {
		c, err = d.openOver(ctx, a, to)
	} else {
		c, err = d.openSystem(ctx, a, to)
	}
	if err != nil {
		return nil, err
	}
	return &socket{c}, nil
}

// sendEarly opens a connection that was put off and waits for the answer.
func (d *dialing) sendEarly(ctx context.Context, a *attempt) error {
	n, err := a.tc.Begin(d.early[:min(len(d.early), maxEarly)])
	if err != nil {
		return err
	}
	a.rest = d.early[n:]
	a.out.Sent, a.out.Wanted = n, len(d.early)
	if a.out.Status = tfo.DataSent; n == 0 {
		a.out.Status, a.out.Cause = tfo.Off, tfo.NoData
	}
	return a.tc.Await(ctx, "", answered)
}

// speak notes that a SYN that speaks of Fast Open is about to leave.
func (d *dialing) speak(to int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spoke, d.err = to+1, nil
}

// failed notes what became of it.
func (d *dialing) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// spokeTo returns the candidate whose SYN spoke of Fast Open, -1 for none.
func (d *dialing) spokeTo() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.spoke - 1
}

// silenced returns what became of that SYN, nil if it was only slow.
func (d *dialing) silenced() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
