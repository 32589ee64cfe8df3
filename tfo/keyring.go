package tfo

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Keyring holds the [Keys] a server works with now, and lets another set take
// their place while it runs. The zero Keyring holds no keys. A Keyring is safe
// for concurrent use and must not be copied.
//
// A server that checks or makes a cookie takes the set once, by Keys, and works
// with that: two calls may return two sets.
type Keyring struct {
	keys atomic.Pointer[sealed]

	setting sync.Mutex // held from the swap until everyone has been told

	mu       sync.Mutex // guards watchers
	watchers []*watcher
}

type watcher struct{ f func(Keys) }

// NewKeyring returns a Keyring that holds k.
func NewKeyring(k Keys) *Keyring {
	r := new(Keyring)
	r.keys.Store(k.p)
	return r
}

// Keys returns the set in use. It takes no lock and does not allocate.
func (r *Keyring) Keys() Keys { return Keys{p: r.keys.Load()} }

// Set puts k in the place of the whole set, so that whoever calls Keys gets all
// of the one or all of the other. Then, before it returns, it calls the
// functions that OnChange registered with k, one after the other, in the order
// in which they were registered. Concurrent calls of Set wait for each other, so
// every function sees the sets in the order in which they came into use.
//
// The functions must not call Set on the same Keyring: it would wait for itself.
func (r *Keyring) Set(k Keys) {
	r.setting.Lock()
	defer r.setting.Unlock()
	r.keys.Store(k.p)
	r.mu.Lock()
	watchers := slices.Clone(r.watchers)
	r.mu.Unlock()
	for _, w := range watchers {
		w.f(k)
	}
}

// OnChange registers f to be called by every later [Keyring.Set]. It does not
// call f with the set in use: to miss none, register f and then call Keys.
//
// stop ends the registration. It does not wait for a call of f that is under
// way, so it may be called from f; calls after the first do nothing.
func (r *Keyring) OnChange(f func(Keys)) (stop func()) {
	w := &watcher{f}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers = append(r.watchers, w)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.watchers = slices.DeleteFunc(r.watchers, func(v *watcher) bool { return v == w })
	}
}

// String returns the fingerprint of the set in use.
func (r *Keyring) String() string { return r.Keys().String() }
