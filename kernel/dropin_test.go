package kernel

import (
	"strings"
	"testing"
)

func TestChange(t *testing.T) {
	for _, c := range []struct {
		why    string
		values []Bits // one after the other
		want   BitChange
		undone Bits // the last of them undone
	}{
		{"none", []Bits{1}, BitChange{}, 1},
		{"the same", []Bits{1, 1}, BitChange{}, 1},
		{"one on", []Bits{1, 3}, BitChange{2, 0}, 1},
		{"one off", []Bits{3, 2}, BitChange{1, 1}, 3},
		{"one on, another off", []Bits{1, 3, 2}, BitChange{3, 1}, 1},
		{"on and off again", []Bits{1, 3, 1}, BitChange{}, 1},
		{"twice", []Bits{0, 2, 3, 1}, BitChange{1, 0}, 0},
		{"others are left alone", []Bits{0x401, 0x403}, BitChange{2, 0}, 0x401},
		{"the sign bit", []Bits{0xffffffff, 0x7fffffff}, BitChange{0x80000000, 0x80000000}, 0xffffffff},
	} {
		got := BitChange{}
		for i := 1; i < len(c.values); i++ {
			got = got.And(c.values[i-1], c.values[i])
		}
		last := c.values[len(c.values)-1]
		if got != c.want || got.Undo(last) != c.undone {
			t.Errorf("%s: got %v, which undoes %d to %d; want %v and %d", c.why, got, last, got.Undo(last), c.want, c.undone)
		}
		if back, err := ParseBitChange(got.String()); err != nil || back != got {
			t.Errorf("%s: %q reads as %v, %v", c.why, got.String(), back, err)
		}
	}
	// What somebody else did since is kept.
	if got := (BitChange{2, 0}).Undo(0x403); got != 0x401 {
		t.Errorf("got %#x, want 0x401", got)
	}
	if c := (BitChange{3, 1}); c.Only(2) != (BitChange{2, 0}) || c.Without(2) != (BitChange{1, 1}) {
		t.Errorf("only 2: %v, without 2: %v", c.Only(2), c.Without(2))
	}
	for _, bad := range []string{"", "changed 0x1, were 0x2", "changed 1", "changed x, were 0x1", "changed 0x100000000, were 0x0"} {
		if c, err := ParseBitChange(bad); err == nil {
			t.Errorf("%q: got %v", bad, c)
		}
	}
}

const others = "# ours\nnet.core.somaxconn = 8192\n net.ipv4.tcp_fastopen=1\n"

// The block comes last and goes without a trace.
func TestDropIn(t *testing.T) {
	for _, before := range []string{"", others, strings.TrimSuffix(others, "\n"), "\n\n", "\r\n#x", "# end tfo\n"} {
		d, err := parseDropIn(before)
		if err != nil || d.block {
			t.Errorf("%q: got %+v, %v", before, d, err)
			continue
		}
		d = d.with(3)
		text := d.text()
		if !strings.HasPrefix(text, before) || !strings.HasSuffix(text, "\nnet.ipv4.tcp_fastopen = 3\n# end tfo\n") {
			t.Errorf("%q: became %q", before, text)
		}
		again, err := parseDropIn(text)
		if err != nil || again != d {
			t.Errorf("%q: became %q, which reads as %+v, %v; want %+v", before, text, again, err, d)
		}
		// Further changes change the block and nothing else.
		if more := again.with(2).text(); !strings.HasPrefix(more, before) || !strings.HasSuffix(more, "\nnet.ipv4.tcp_fastopen = 2\n# end tfo\n") || strings.Count(more, blockBegin) != 1 {
			t.Errorf("%q: became %q", before, more)
		}
		if got := again.without().text(); got != before {
			t.Errorf("%q: without the block it is %q", before, got)
		}
	}
}

// Lines that somebody wrote into or after the block are kept, and so is a value
// that somebody changed.
func TestDropInEdited(t *testing.T) {
	d, err := parseDropIn("a = 1\n# begin tfo, in a file of its own\n# Written by somebody\nnet/ipv4/tcp_fastopen = 0x7\nb = 2\n# end tfo\nc = 3\n")
	if err != nil || d.others != "a = 1\n# Written by somebody\nb = 2\nc = 3\n" || !d.block || d.value != 7 || !d.made {
		t.Errorf("got %+v, %v", d, err)
	}
	for _, bad := range []string{
		"# begin tfo\n", "# begin tfo\nnet.ipv4.tcp_fastopen = 3\n# end\n", "# begin tfo nonsense\n# end tfo\n", "# begin tfo\n# end tfo\n",
		"# begin tfo\nnet.ipv4.tcp_fastopen = yes\n# end tfo\n", "# begin tfo\nnet.ipv4.tcp_fastopen = 3\n# end tfo\n# begin tfo\nnet.ipv4.tcp_fastopen = 3\n# end tfo\n",
	} {
		if d, err := parseDropIn(bad); err == nil {
			t.Errorf("%q: got %+v", bad, d)
		}
	}
}

func FuzzDropIn(f *testing.F) {
	for _, s := range []string{"", others, "# begin tfo\nnet.ipv4.tcp_fastopen = 3\n# end tfo\n", "x", "\r", "# begin tfo, in a file of its own, after a line without an end\nnet.ipv4.tcp_fastopen = 3\n# end tfo"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, before string) {
		d, err := parseDropIn(before)
		if err != nil || d.block {
			return
		}
		changed := d.with(3)
		again, err := parseDropIn(changed.text())
		if err != nil || again != changed {
			t.Fatalf("%q: became %q, which reads as %+v, %v", before, changed.text(), again, err)
		}
		if got := again.without().text(); got != before {
			t.Fatalf("%q: without the block it is %q", before, got)
		}
	})
}

func FuzzParseBitChange(f *testing.F) {
	for _, s := range []string{"changed 0x3, were 0x1", "", "changed 3, were 1", ", were ", "changed -1, were 0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseBitChange(text)
		if err != nil {
			return
		}
		if back, err := ParseBitChange(c.String()); err != nil || back != c {
			t.Errorf("%q: got %v, which reads as %v, %v", text, c, back, err)
		}
	})
}
