package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// A Keeper keeps Fast Open on in listeners of other processes while these are
// reloaded, restarted and joined by others: call Look, then Wait, and again.
//
// Each socket is turned on once. Who turns it off again, with [Detach] or in
// the server itself, is taken to mean it: that socket is left off, and only
// the sockets that a restarted server opens are turned on. A Keeper is not
// safe for concurrent use.
type Keeper struct {
	Selection Selection
	Queue     int       // for each listener; 0 stands for its backlog, and leaves as it is what is on
	Namespace Namespace // whose listeners; the zero value is that of the calling thread

	known   map[uint64]*kept // by inode
	compare time.Time        // when to see again whether somebody turned one off
	pace    pace
}

// A Change is what a [Keeper] did or saw.
type Change struct {
	Kind     ChangeKind
	Listener Listener // as it was before
	Queue    int      // as it is now
	Err      error    // why it could not be turned on: for NotTurnedOn alone
}

// A ChangeKind tells changes apart.
type ChangeKind uint8

const (
	Attached    ChangeKind = iota + 1 // the Keeper turned Fast Open on, or changed its queue
	Found                             // it was on when the Keeper first saw it
	NotTurnedOn                       // the Keeper could not turn it on
	TurnedOff                         // somebody else turned it off
	TurnedOn                          // somebody else turned it on again
	Closed                            // a socket that had it on is closed
	Restored                          // [Keeper.Undo] made it what it was
)

// String returns the constant in words: "turned off".
func (k ChangeKind) String() string {
	names := [...]string{"", "attached", "found on", "failed", "turned off", "turned on", "closed", "restored"}
	if int(k) < len(names) && k > 0 {
		return names[k]
	}
	return fmt.Sprintf("change %d", uint8(k))
}

// kept is what a Keeper knows of a socket.
type kept struct {
	listener Listener
	before   int       // the queue it had when first seen
	attached bool      // the Keeper has changed it
	settled  bool      // Fast Open is on, or was turned off by somebody
	off      bool      // by somebody
	failure  string    // why it could not be turned on
	again    time.Time // when to look at its owners again, unless settled
}

// ownersAgain is how long a socket that is not one of those wanted, or that
// could not be turned on, is left alone: sockets pass from one process to
// another, but that is rare, and finding the owners takes a walk over all
// processes.
const ownersAgain = 30 * time.Second

// compareAgain is how often the queues of known sockets are looked at. That is
// much more work than to see whether there are new ones, and less urgent.
const compareAgain = 5 * time.Second

// Look compares the listeners with what they were, turns Fast Open on where
// it is missing, and returns what changed, oldest first.
func (k *Keeper) Look(now time.Time) (changes []Change, err error) {
	err = k.in(func() error {
		changes, err = k.look(now)
		return err
	})
	return changes, err
}

// Undo gives back to every listener that the Keeper changed, and that has not
// been turned off since, the queue that it had.
func (k *Keeper) Undo() (changes []Change, err error) {
	err = k.in(func() error {
		changes, err = k.undo()
		return err
	})
	return changes, err
}

func (k *Keeper) in(f func() error) error {
	if k.Namespace == (Namespace{}) {
		return f()
	}
	return k.Namespace.Do(f)
}

func (k *Keeper) look(now time.Time) ([]Change, error) {
	listeners, err := bareSockets()
	if err != nil {
		return nil, err
	}
	if k.known == nil {
		k.known = map[uint64]*kept{}
	}
	var changes []Change
	seen := make(map[uint64]bool, len(listeners))
	var open, settled []Listener
	for _, l := range listeners {
		seen[l.Inode] = true
		if !k.Selection.mayInclude(l) || l.Inode == 0 {
			continue
		}
		if s := k.known[l.Inode]; s != nil && s.settled {
			settled = append(settled, l)
		} else if s == nil || !now.Before(s.again) {
			open = append(open, l)
		}
	}
	for inode, s := range k.known {
		if seen[inode] {
			continue
		}
		delete(k.known, inode)
		if s.settled && !s.off {
			changes = append(changes, Change{Kind: Closed, Listener: s.listener})
			k.pace.hurry() // for the one that takes its place
		}
	}
	if !now.Before(k.compare) && len(settled) > 0 {
		k.compare = now.Add(compareAgain)
		if err := findQueues(settled); err != nil {
			return changes, err
		}
		for _, l := range settled {
			changes = append(changes, k.known[l.Inode].changed(l)...)
		}
	}
	if len(open) == 0 {
		return changes, nil
	}
	if err := findQueues(open); err != nil {
		return changes, err
	}
	if err := findOwners(open); err != nil {
		return changes, err
	}
	for _, l := range open {
		changes = append(changes, k.settle(now, l)...)
	}
	return changes, nil
}

// changed looks at a socket that was turned on some time ago.
func (s *kept) changed(l Listener) []Change {
	l.Owners, l.Hidden = s.listener.Owners, s.listener.Hidden
	before := s.listener
	s.listener = l
	switch {
	case l.Queue == 0 && !s.off:
		s.off = true
		return []Change{{Kind: TurnedOff, Listener: before}}
	case l.Queue > 0 && s.off:
		s.off = false
		return []Change{{Kind: TurnedOn, Listener: before, Queue: l.Queue}}
	}
	return nil
}

// settle turns Fast Open on in a socket whose owners are known now, if it is
// one of those wanted.
func (k *Keeper) settle(now time.Time, l Listener) []Change {
	s := k.known[l.Inode]
	if s == nil {
		s = &kept{before: l.Queue}
		k.known[l.Inode] = s
	}
	s.listener = l
	s.again = now.Add(ownersAgain)
	if !k.Selection.Includes(l) {
		return nil
	}
	k.pace.follow(l.Owners)
	if l.Queue > 0 && (k.Queue == 0 || k.Queue == l.Queue) {
		s.settled = true
		return []Change{{Kind: Found, Listener: l, Queue: l.Queue}}
	}
	queue, err := Attach(l, k.Queue)
	if errors.Is(err, fs.ErrNotExist) {
		s.again = now // most likely it is closed by the next time
		return nil
	}
	if err != nil {
		if s.failure == err.Error() {
			return nil
		}
		s.failure = err.Error()
		return []Change{{Kind: NotTurnedOn, Listener: l, Queue: l.Queue, Err: err}}
	}
	s.settled, s.attached = true, true
	s.listener.Queue = queue
	return []Change{{Kind: Attached, Listener: l, Queue: queue}}
}

func (k *Keeper) undo() ([]Change, error) {
	listeners, err := sockets()
	if err != nil {
		return nil, err
	}
	var mine []Listener
	for _, l := range listeners {
		if s := k.known[l.Inode]; s != nil && s.attached && l.Queue > 0 {
			mine = append(mine, l)
		}
	}
	if err := findOwners(mine); err != nil {
		return nil, err
	}
	var changes []Change
	for _, l := range mine {
		s := k.known[l.Inode]
		queue, err := setQueue(l, s.before)
		switch {
		case errors.Is(err, fs.ErrNotExist): // closed: nothing to undo
		case err != nil:
			changes = append(changes, Change{Kind: NotTurnedOn, Listener: l, Queue: l.Queue, Err: err})
		default:
			s.attached = false
			changes = append(changes, Change{Kind: Restored, Listener: l, Queue: queue})
		}
	}
	return changes, nil
}
