package kernel

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Wait returns when it is time for the next Look: after interval, or sooner
// when a process has ended that holds one of the listeners, and for a moment
// after that several times, since a server that is restarted listens again
// soon. It returns the error of ctx once that is done.
//
// The kernel tells whoever asks (sock_diag's multicast groups) when sockets are
// closed, but of every connection of every server, and never when one begins
// to listen; so one has to look. Once a second that costs next to nothing.
func (k *Keeper) Wait(ctx context.Context, interval time.Duration) error {
	return k.pace.wait(ctx, interval)
}

// Close frees what Wait needs.
func (k *Keeper) Close() { k.pace.close() }

// pace says when to look next.
type pace struct {
	owners map[int]int   // file descriptors of processes (pidfd_open(2)), by pid
	soon   time.Duration // the next wait after something ended, 0 in quiet times
}

const (
	soonest   = 10 * time.Millisecond
	maxOwners = 128 // file descriptors are scarce; beyond, the interval has to do
)

// hurry lets the next waits be short ones.
func (p *pace) hurry() { p.soon = soonest }

// follow notices when any of the processes ends.
func (p *pace) follow(owners []Process) {
	for _, o := range owners {
		if _, ok := p.owners[o.PID]; ok || len(p.owners) >= maxOwners {
			continue
		}
		fd, err := unix.PidfdOpen(o.PID, 0)
		if err != nil {
			continue // it has ended, or this kernel has no pidfd_open
		}
		if p.owners == nil {
			p.owners = map[int]int{}
		}
		p.owners[o.PID] = fd
	}
}

func (p *pace) wait(ctx context.Context, interval time.Duration) error {
	if p.soon > 0 {
		if p.soon < interval {
			interval = p.soon
			p.soon *= 2
		} else {
			p.soon = 0
		}
	}
	// A pipe wakes poll(2) when ctx is done.
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	stop := context.AfterFunc(ctx, func() { w.Close() })
	defer func() {
		if stop() {
			w.Close()
		}
	}()
	fds := []unix.PollFd{{Fd: int32(r.Fd()), Events: unix.POLLIN}}
	pids := []int{0}
	for pid, fd := range p.owners {
		fds, pids = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}), append(pids, pid)
	}
	until := time.Now().Add(interval)
	for ctx.Err() == nil {
		left := time.Until(until)
		if left < 0 {
			return nil
		}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return os.NewSyscallError("poll", err)
		}
		if n == 0 {
			return nil
		}
		for i, f := range fds[1:] {
			if f.Revents != 0 {
				unix.Close(int(f.Fd))
				delete(p.owners, pids[i+1])
				p.soon = soonest
			}
		}
		break
	}
	return ctx.Err()
}

func (p *pace) close() {
	for _, fd := range p.owners {
		unix.Close(fd)
	}
	p.owners = nil
}
