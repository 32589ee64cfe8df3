package tfo

// An lru is a map that keeps its entries in the order of their last use. Its
// zero value is empty. It must not be copied while it has entries.
type lru[K comparable, V any] struct {
	m    map[K]*node[K, V]
	ring node[K, V] // the ring's start: next is the newest entry, prev the oldest
}

type node[K comparable, V any] struct {
	next, prev *node[K, V]
	key        K
	value      V
}

// get returns the entry of k, which becomes the newest, or nil.
func (l *lru[K, V]) get(k K) *node[K, V] {
	n := l.m[k]
	if n != nil && n != l.ring.next {
		n.unlink()
		l.insert(n)
	}
	return n
}

// add makes an entry for k, which must have none. It becomes the newest.
func (l *lru[K, V]) add(k K) *node[K, V] {
	if l.m == nil {
		l.m = make(map[K]*node[K, V])
		l.ring.next, l.ring.prev = &l.ring, &l.ring
	}
	n := &node[K, V]{key: k}
	l.m[k] = n
	l.insert(n)
	return n
}

// oldest returns the entry unused for longest. There must be one.
func (l *lru[K, V]) oldest() *node[K, V] { return l.ring.prev }

// newer returns the entry used next after n, or nil.
func (l *lru[K, V]) newer(n *node[K, V]) *node[K, V] {
	if n.prev == &l.ring {
		return nil
	}
	return n.prev
}

func (l *lru[K, V]) remove(n *node[K, V]) {
	n.unlink()
	delete(l.m, n.key)
}

// removeIf removes the entries for whose keys f is true.
func (l *lru[K, V]) removeIf(f func(K) bool) {
	for k, n := range l.m {
		if f(k) {
			l.remove(n)
		}
	}
}

func (l *lru[K, V]) insert(n *node[K, V]) {
	n.prev, n.next = &l.ring, l.ring.next
	n.prev.next, n.next.prev = n, n
}

func (n *node[K, V]) unlink() {
	n.prev.next, n.next.prev = n.next, n.prev
}
