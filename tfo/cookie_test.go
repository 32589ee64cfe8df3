package tfo

import (
	"bytes"
	"testing"
)

func TestCookieFrom(t *testing.T) {
	for n := range 40 {
		b := bytes.Repeat([]byte{0xee}, n)
		c, ok := CookieFrom(b)
		if want := n >= 4 && n <= 16 && n%2 == 0; ok != want {
			t.Errorf("%d bytes: %t", n, ok)
		}
		if !ok {
			if c != (Cookie{}) || !c.IsZero() || c.Len() != 0 || c.Append(nil) != nil {
				t.Errorf("%d bytes: a cookie all the same", n)
			}
			continue
		}
		if c.Len() != n || c.IsZero() || !bytes.Equal(c.Append(nil), b) {
			t.Errorf("%d bytes: came out as %d", n, c.Len())
		}
		b[0] = 0
		if c.Append(nil)[0] != 0xee {
			t.Errorf("%d bytes: the cookie shares the caller's memory", n)
		}
	}
}

func TestCookieEqual(t *testing.T) {
	full := unhex(t, "000102030405060708090a0b0c0d0e0f")
	for n := MinCookieLen; n <= MaxCookieLen; n += 2 {
		c, _ := CookieFrom(full[:n])
		if d, _ := CookieFrom(full[:n]); !c.Equal(d) || c != d {
			t.Errorf("%d bytes: not equal to itself", n)
		}
		for bit := range 8 * n {
			b := bytes.Clone(full[:n])
			b[bit/8] ^= 1 << (bit % 8)
			if d, _ := CookieFrom(b); c.Equal(d) || d.Equal(c) || c == d {
				t.Errorf("%d bytes: bit %d does not count", n, bit)
			}
		}
	}
	// Cookies that differ in length only.
	if a, b := cookie(t, "00000000"), cookie(t, "0000000000000000"); a.Equal(b) || b.Equal(a) {
		t.Error("cookies of 4 and 8 zero bytes are equal")
	}
	// A cookie of zeros is a cookie.
	if z := cookie(t, "0000000000000000"); z.IsZero() || z.Equal(Cookie{}) {
		t.Error("a cookie of zero bytes is no cookie")
	}
}

func TestCookieReveal(t *testing.T) {
	for _, s := range []string{"00abaaab", "00abaaabe8e954c2", "000102030405060708090a0b0c0d0e0f"} {
		if got := cookie(t, s).Reveal(); got != s {
			t.Errorf("got %s want %s", got, s)
		}
	}
	if got := (Cookie{}).Reveal(); got != "" {
		t.Errorf("no cookie: %q", got)
	}
}
