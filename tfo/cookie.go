package tfo

import (
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Lengths a cookie may have. They are even.
const (
	MinCookieLen = 4
	MaxCookieLen = 16
)

// A Cookie is what a server hands a client so that the client can later prove
// that it receives what is sent to its address. The zero Cookie is no cookie at
// all; a cookie whose bytes happen to be zero is a cookie.
//
// A Cookie can be copied, compared with == and used as a map key. To compare
// one that came from the network with one that must be kept secret use
// [Cookie.Equal]. Printing a Cookie does not show its bytes; [Cookie.Reveal]
// does.
type Cookie struct {
	b [MaxCookieLen]byte // beyond n all zero, so that == works
	n uint8
}

// CookieFrom makes a cookie of the bytes, which it copies. It reports false,
// and returns no cookie, unless there are 4 to 16 of them, an even number.
func CookieFrom(b []byte) (Cookie, bool) {
	if len(b) < MinCookieLen || len(b) > MaxCookieLen || len(b)%2 != 0 {
		return Cookie{}, false
	}
	var c Cookie
	c.n = uint8(copy(c.b[:], b))
	return c, true
}

// Len returns the number of bytes in the cookie, 0 for no cookie.
func (c Cookie) Len() int { return int(c.n) }

// IsZero reports whether there is no cookie.
func (c Cookie) IsZero() bool { return c.n == 0 }

// Append appends the bytes of the cookie in wire order.
func (c Cookie) Append(dst []byte) []byte { return append(dst, c.b[:c.n]...) }

// Equal reports whether the two cookies are the same, in a time that does not
// depend on their bytes. (It may depend on their lengths, which anyone on the
// path sees.)
func (c Cookie) Equal(d Cookie) bool {
	return c.n == d.n && subtle.ConstantTimeCompare(c.b[:], d.b[:]) == 1
}

// Reveal returns the bytes in hexadecimal, "" for no cookie. Anyone who can
// send from the client's address can use what it returns.
func (c Cookie) Reveal() string { return hex.EncodeToString(c.b[:c.n]) }

// String says how long the cookie is and nothing about its bytes.
func (c Cookie) String() string {
	if c.IsZero() {
		return "no cookie"
	}
	return "cookie of " + strconv.Itoa(c.Len()) + " bytes"
}

// Format prints what String returns, whatever the verb, so that no verb shows
// the bytes.
func (c Cookie) Format(f fmt.State, verb rune) { formatRedacted(f, verb, c.String()) }

// formatRedacted prints text for a value that must not be printed itself.
func formatRedacted(f fmt.State, verb rune, text string) {
	switch verb {
	case 'v', 's', 'q':
		fmt.Fprintf(f, fmt.FormatString(f, verb), text)
	default:
		fmt.Fprint(f, text)
	}
}
