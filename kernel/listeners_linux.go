package kernel

import (
	"cmp"
	"slices"
)

// Listeners returns every TCP socket that listens in the network namespace of
// the calling thread, over IPv4 and IPv6, in the order of port and address,
// and the processes that hold them, whatever namespace those are in. Several
// may listen at one address, where the server uses SO_REUSEPORT.
//
// Any user may ask. Only root sees which processes of other users hold a
// socket: see [Listener.Hidden].
func Listeners() ([]Listener, error) {
	listeners, err := sockets()
	if err != nil {
		return nil, err
	}
	return listeners, findOwners(listeners)
}

// sockets returns the listeners without their owners.
func sockets() ([]Listener, error) {
	listeners, err := bareSockets()
	if err != nil {
		return nil, err
	}
	return listeners, findQueues(listeners)
}

// bareSockets returns the listeners without owners and Fast Open queues, in
// some 0.1 ms.
func bareSockets() ([]Listener, error) {
	listeners, err := diagnose()
	slices.SortFunc(listeners, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(a.Local.Port(), b.Local.Port()), a.Local.Compare(b.Local), cmp.Compare(a.Inode, b.Inode))
	})
	return listeners, err
}

// errNoDiag is what a kernel without the module inet_diag says.
func errNoDiag(err error) error {
	return sentencef(err, "cannot ask who listens, since this kernel does not answer (%v): load its modules with modprobe -a inet_diag tcp_diag", err)
}
