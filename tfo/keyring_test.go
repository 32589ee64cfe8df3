package tfo

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

func TestKeyring(t *testing.T) {
	var zero Keyring
	if !zero.Keys().IsZero() || zero.String() != "none" {
		t.Errorf("the zero Keyring holds %v", &zero)
	}
	a, b := NewKeys(Key{1}), NewKeys(Key{2}, Key{1})
	r := NewKeyring(a)
	if !r.Keys().Equal(a) {
		t.Errorf("holds %v want %v", r, a)
	}
	r.Set(b)
	if !r.Keys().Equal(b) || r.String() != b.String() {
		t.Errorf("holds %v want %v", r, b)
	}
	r.Set(Keys{})
	if !r.Keys().IsZero() {
		t.Errorf("holds %v want none", r)
	}
}

func TestKeyringOnChange(t *testing.T) {
	var r Keyring
	var told []string
	watch := func(name string) func(Keys) {
		return func(k Keys) {
			if !r.Keys().Equal(k) {
				t.Errorf("%s is told of %v while %v is in use", name, k, &r)
			}
			told = append(told, name)
		}
	}
	want := func(names ...string) {
		t.Helper()
		if !slices.Equal(told, names) {
			t.Errorf("told %v want %v", told, names)
		}
		told = nil
	}
	stopA := r.OnChange(watch("a"))
	want()
	r.Set(NewKeys(Key{1}))
	want("a")
	stopB := r.OnChange(watch("b"))
	f := watch("same")
	stopC := r.OnChange(f)
	r.OnChange(f)
	r.Set(NewKeys(Key{2}))
	want("a", "b", "same", "same")
	stopB()
	stopB()
	stopC()
	r.Set(NewKeys(Key{3}))
	want("a", "same")
	stopA()
	stopD := func() {}
	stopD = r.OnChange(func(Keys) { told = append(told, "once"); stopD() })
	r.Set(NewKeys(Key{4}))
	want("same", "once")
	r.Set(NewKeys(Key{5}))
	want("same")
}

// Requirement KEY-7: the swap is of the whole set. While sets come and go, who
// takes one gets a primary and backups that belong together, and a cookie made
// before a rotation is accepted after it.
func TestKeyringSwapsWholeSets(t *testing.T) {
	const rounds, readers = 2000, 4
	generation := func(i int) Keys { // as in a rotation: the backup is the primary before
		k := func(i int) Key { return Key{byte(i), byte(i >> 8), 1} }
		return NewKeys(k(i+1), k(i))
	}
	r := NewKeyring(generation(0))
	done := make(chan struct{})
	fail := make(chan string, readers)
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			last := 0
			for {
				k := r.Keys()
				p, b := k.Primary(), k.Backups()
				n := int(p[0]) | int(p[1])<<8
				switch {
				case len(b) != 1 || int(b[0][0])|int(b[0][1])<<8 != n-1:
					fail <- fmt.Sprintf("primary %d with backups %v", n, b)
					return
				case n < last:
					fail <- fmt.Sprintf("set %d after set %d", n, last)
					return
				case k.Check(client6, server6, k.Mint(client6, server6)) != PrimaryMatch:
					fail <- fmt.Sprintf("set %d does not know its own cookie", n)
					return
				}
				last = n
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	var told int
	r.OnChange(func(k Keys) { told++ })
	for i := 1; i <= rounds; i++ {
		before := r.Keys().Mint(client4, server4)
		r.Set(generation(i))
		if m := r.Keys().Check(client4, server4, before); m != BackupMatch {
			t.Fatalf("round %d: the cookie of the primary before is a %v", i, m)
		}
	}
	close(done)
	wg.Wait()
	select {
	case why := <-fail:
		t.Error(why)
	default:
	}
	if told != rounds {
		t.Errorf("told of %d changes, not %d", told, rounds)
	}
}

// Whoever sets at the same time as others, all watchers see one order, which
// ends with the set in use.
func TestKeyringTellsInOneOrder(t *testing.T) {
	var r Keyring
	var seen [3][]string
	for i := range seen {
		r.OnChange(func(k Keys) { seen[i] = append(seen[i], k.String()) })
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 50 {
				r.Set(NewKeys(Key{byte(i + 1), byte(j)}))
			}
		})
	}
	wg.Wait()
	for i := range seen {
		if len(seen[i]) != 200 || !slices.Equal(seen[i], seen[0]) {
			t.Errorf("watcher %d saw %d changes, or in another order than the first", i, len(seen[i]))
		}
	}
	if last := seen[0][199]; last != r.String() {
		t.Errorf("the last change told of is %s, in use is %v", last, &r)
	}
}

func BenchmarkKeyring(b *testing.B) {
	r := NewKeyring(GenerateKeys())
	b.ReportAllocs()
	for b.Loop() {
		r.Keys()
	}
}
