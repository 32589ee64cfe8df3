package kernel

// ListenersAgain is [Listeners] for who looks time and again: it takes the
// owners of sockets that are among known from there, and walks over the files
// of all processes, which is what costs most, only if there is a socket that
// is not. Owners that have come or gone since are not noticed, so ask with nil
// now and then.
func ListenersAgain(known []Listener) ([]Listener, error) {
	listeners, err := sockets()
	if err != nil {
		return nil, err
	}
	byInode := make(map[uint64]*Listener, len(known))
	for i := range known {
		byInode[known[i].Inode] = &known[i]
	}
	for i := range listeners {
		l := &listeners[i]
		before, ok := byInode[l.Inode]
		// Inodes are used again, so the address has to be the same, too.
		if !ok || before.Local != l.Local {
			return Listeners()
		}
		l.Owners, l.Hidden = before.Owners, before.Hidden
	}
	return listeners, nil
}
