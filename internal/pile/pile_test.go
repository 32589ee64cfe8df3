package pile

import "testing"

func TestPile(t *testing.T) {
	var p Pile[int]
	if _, ok := p.Take(); ok || p.Trim(10) != 0 {
		t.Fatal("something is in an empty pile")
	}
	for i := range 10 {
		p.Put(i)
	}
	if n := p.Trim(10); n != 0 {
		t.Fatalf("%d were dropped that came since the last time", n)
	}
	for want := 9; want >= 6; want-- {
		if x, ok := p.Take(); x != want || !ok {
			t.Fatalf("took %d, %v, want %d", x, ok, want)
		}
	}
	p.Put(6)
	// Six were never used: 0 to 5.
	if n := p.Trim(2); n != 2 || p.Len() != 5 {
		t.Fatalf("%d were dropped, and %d are left", n, p.Len())
	}
	if n := p.Trim(10); n != 5 || p.Len() != 0 {
		t.Fatalf("%d were dropped, and %d are left", n, p.Len())
	}
}
