package fastopen

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"
)

// An opening is the time of a Conn between a dial that returned early and
// the end of its handshake. Its methods take the Conn that it belongs to.
//
// It has few waiting places, and all of them are the socket's own: a Read
// waits there although nothing was sent yet, and a Write waits there for the
// handshake. So deadlines, and Close from another goroutine, work by
// themselves. When another attempt takes over, the old socket is closed;
// whoever waits on it wakes with an error, finds a new socket and goes on
// there.
type opening struct {
	dialing         *dialing
	rest            []candidate   // what to try if the first attempt fails or is slow
	delay           time.Duration // how slow
	timeout         time.Duration // left of the dial's time, counted from the SYN; 0 for no limit
	writing         sync.Mutex    // held by a Write from its first byte to its last
	mu              sync.Mutex    // guards what follows, and Conn.tc while opening
	phase           phase
	inWrite         bool
	racing          bool
	early           []byte // what rode in the SYN
	err             error  // why phase is failed
	readBy, writeBy time.Time
	options         []func(NetworkConn) error
	readWait        *time.Timer
	hedge           *time.Timer
	giveUp          *time.Timer
	cancel          context.CancelFunc // of the race
}

type phase uint8

const (
	deferred phase = iota // nothing was sent
	syn                   // the SYN is on its way
	opened                // the handshake is done
	failed                // it never will be
	closed                // by the user, before that
)

// begin sends the SYN with as much of b as the policy allows and fits, and
// returns how much that was. c.mu is held.
func (o *opening) begin(c *Conn, b []byte) (int, error) {
	allowed := 0
	if len(b) > 0 {
		if !o.writeBy.IsZero() && !time.Now().Before(o.writeBy) {
			return 0, os.ErrDeadlineExceeded
		}
		policy := o.dialing.Policy
		if policy == nil {
			policy = Safe
		}
		allowed = min(max(policy(b), 0), len(b), maxEarly)
	}
	n, err := c.tc.Load().Begin(b[:allowed])
	o.phase = syn
	o.early = slices.Clone(b[:n])
	c.dialed.sent(n, len(b), allowed)
	if err != nil {
		o.takeOver(c, err)
		return 0, nil
	}
	if o.delay < never {
		o.hedge = time.AfterFunc(o.delay, func() { o.tick(c) })
	}
	if o.timeout > 0 {
		o.giveUp = time.AfterFunc(o.timeout, func() { o.expire(c) })
	}
	return n, nil
}

// tick comes when the SYN has gone unanswered for delay, or was answered
// without anybody looking.
func (o *opening) tick(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.phase != syn {
		return
	}
	switch tc := c.tc.Load(); {
	case tc.unopened():
		o.takeOver(c, tc.death())
	case tc.pending():
		o.takeOver(c, nil)
	default:
		o.settle(c)
	}
}

// expire comes when the dial's time is over.
func (o *opening) expire(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch tc := c.tc.Load(); {
	case o.phase != syn:
	case tc.pending(), tc.unopened():
		o.fail(c, errTimeout)
	default:
		o.settle(c)
	}
}

// settle ends the opening: the connection's socket was answered. o.mu is
// held.
func (o *opening) settle(c *Conn) {
	o.phase = opened
	o.stop()
	c.open.Store(!o.inWrite)
	c.note()
}

// answered is settle for those who do not hold o.mu, unless tc is no longer
// the connection's socket.
func (o *opening) answered(c *Conn, tc *socket) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.phase == syn && c.tc.Load() == tc {
		o.settle(c)
	}
}

// fail ends the opening for good. Whoever waits on the socket wakes and
// finds err. o.mu is held.
func (o *opening) fail(c *Conn, err error) {
	tc := c.tc.Load()
	o.phase, o.err = failed, o.dialing.error(tc.RemoteAddr(), err)
	o.stop()
	c.dialed.died(err)
	tc.abandon()
}

// stop ends the timers and the race.
func (o *opening) stop() {
	for _, t := range []*time.Timer{o.readWait, o.hedge, o.giveUp} {
		if t != nil {
			t.Stop()
		}
	}
	if o.cancel != nil {
		o.cancel()
	}
}

// takeOver starts, once, the race of the attempts that are left against the
// one under way; err is why that one has failed, if it has. c.mu is held.
func (o *opening) takeOver(c *Conn, err error) {
	if o.racing || o.phase != syn {
		return
	}
	o.racing = true
	var ctx context.Context
	ctx, o.cancel = context.WithCancel(context.Background())
	go o.race(ctx, c, c.tc.Load(), err)
}

// race opens plain connections to what is left, beside tc if that has not
// failed, and lets the first that is answered carry on.
func (o *opening) race(ctx context.Context, c *Conn, tc *socket, failure error) {
	tries := []try[*socket]{func(ctx context.Context, _ bool) (*socket, error) {
		if failure != nil {
			return nil, failure
		}
		return tc, tc.Await(ctx, "", answered)
	}}
	for _, to := range o.rest {
		tries = append(tries, func(ctx context.Context, _ bool) (*socket, error) {
			return o.dialing.open(ctx, &attempt{}, to)
		})
	}
	head := o.delay
	if failure == nil {
		head = 0 // tc had its time
	}
	winner, err := race(ctx, head, o.delay, tries, func(loser *socket) {
		if loser != tc {
			loser.Close()
		}
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.phase != syn:
		if err == nil && winner != tc {
			winner.Close()
		}
	case err != nil:
		o.fail(c, err)
	case winner == tc:
		o.settle(c)
	default:
		o.replace(c, winner, failure)
	}
}

// replace lets winner carry on: what was sent in the first SYN is sent
// again. o.mu is held.
func (o *opening) replace(c *Conn, winner *socket, failure error) {
	if _, err := winner.Write(o.early); err != nil {
		winner.Close()
		o.fail(c, err)
		return
	}
	for _, option := range o.options {
		option(winner) // worked before, on a socket of the same kind
	}
	winner.SetReadDeadline(o.readBy)
	winner.SetWriteDeadline(o.writeBy)
	c.dialed.overtaken(failure)
	loser := c.tc.Swap(winner)
	o.settle(c)
	loser.abandon()
}
