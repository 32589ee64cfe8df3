package tfo

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Keyring holds the Keys a server uses now and lets them be exchanged while
// it runs. The zero Keyring has no keys. It is safe for concurrent use.
type Keyring struct {
	keys atomic.Pointer[keySet]

	setting sync.Mutex // held through a Set and the calls it makes
	mu      sync.Mutex // guards watchers
	watch   []*watcher
}

type watcher struct{ f func(Keys) }

// NewKeyring returns a Keyring that holds k.
func NewKeyring(k Keys) *Keyring {
	r := new(Keyring)
	r.keys.Store(k.s)
	return r
}

// Keys returns the set in use. It takes no lock.
func (r *Keyring) Keys() Keys { return Keys{s: r.keys.Load()} }

// Set puts k in the place of the whole set, then calls every function that
// OnChange registered, in the order of registration, before it returns.
func (r *Keyring) Set(k Keys) {
	r.setting.Lock()
	defer r.setting.Unlock()
	r.keys.Store(k.s)
	r.mu.Lock()
	watch := slices.Clone(r.watch)
	r.mu.Unlock()
	for _, w := range watch {
		w.f(k)
	}
}

// OnChange has f called with the new set after every Set. stop ends that.
func (r *Keyring) OnChange(f func(Keys)) (stop func()) {
	w := &watcher{f}
	r.mu.Lock()
	r.watch = append(r.watch, w)
	r.mu.Unlock()
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.watch = slices.DeleteFunc(r.watch, func(v *watcher) bool { return v == w })
	}
}

// String returns the fingerprint of the keys in use.
func (r *Keyring) String() string { return r.Keys().String() }
