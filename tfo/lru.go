package tfo

// lru is a map that keeps its entries in order of use, so that the one unused
// for longest is found at once.
type lru[K comparable, V any] struct {
	m    map[K]*node[K, V]
	root node[K, V] // root.next is the most recently used, root.prev the least
}

type node[K comparable, V any] struct {
	next, prev *node[K, V]
	key        K
	value      V
}

// get returns the entry of k and marks it used, or nil.
func (l *lru[K, V]) get(k K) *node[K, V] {
	n := l.m[k]
	if n != nil {
		n.unlink()
		l.pushFront(n)
	}
	return n
}

// add makes an entry for k, which has none.
func (l *lru[K, V]) add(k K) *node[K, V] {
	if l.m == nil {
		l.m = make(map[K]*node[K, V])
		l.root.next, l.root.prev = &l.root, &l.root
	}
	n := &node[K, V]{key: k}
	l.m[k] = n
	l.pushFront(n)
	return n
}

func (l *lru[K, V]) remove(n *node[K, V]) {
	n.unlink()
	delete(l.m, n.key)
}

func (l *lru[K, V]) removeIf(f func(K) bool) {
	for k, n := range l.m {
		if f(k) {
			l.remove(n)
		}
	}
}

func (l *lru[K, V]) len() int { return len(l.m) }

func (n *node[K, V]) unlink() {
	n.prev.next, n.next.prev = n.next, n.prev
	n.next, n.prev = nil, nil
}

func (l *lru[K, V]) pushFront(n *node[K, V]) {
	n.next, n.prev = l.root.next, &l.root
	n.next.prev, l.root.next = n, n
}
