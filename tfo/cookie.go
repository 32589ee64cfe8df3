package tfo

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Lengths a cookie may have, in bytes. Between them only even ones are legal.
//
// "Cookie          0, or 4 to 16 bytes in length (Length - 2)", as corrected by
// https://www.rfc-editor.org/errata/eid4238
const (
	MinCookieLen = 4
	MaxCookieLen = 16
)

// A Cookie is what a server hands to a client, so that the client can show
// later that it receives what is sent to its address
// (https://www.rfc-editor.org/rfc/rfc7413#section-4.1.2). The zero Cookie is no
// cookie at all; a cookie whose bytes all happen to be zero is a cookie.
//
// A Cookie is a value: it can be copied, compared with == and used as a map
// key. Where one of two cookies is a secret, compare with [Cookie.Equal].
// Printing a Cookie does not show its bytes, unless it sits in an unexported
// field of another type; [Cookie.Reveal] does.
type Cookie struct {
	// The bytes as they go on the wire, read as two little-endian words, zero
	// beyond n. Words and not an array, because words travel in registers.
	lo, hi uint64
	n      uint8
}

// CookieFrom makes a cookie of b, which it copies. It reports false, and
// returns no cookie, unless b has 4 to 16 bytes and an even number of them.
func CookieFrom(b []byte) (Cookie, bool) {
	if len(b) < MinCookieLen || len(b) > MaxCookieLen || len(b)%2 != 0 {
		return Cookie{}, false
	}
	var w [MaxCookieLen]byte
	copy(w[:], b)
	return Cookie{
		lo: binary.LittleEndian.Uint64(w[:8]),
		hi: binary.LittleEndian.Uint64(w[8:]),
		n:  uint8(len(b)),
	}, true
}

// Len returns the number of bytes in the cookie; 0 means no cookie.
func (c Cookie) Len() int { return int(c.n) }

// IsZero reports whether c is no cookie at all.
func (c Cookie) IsZero() bool { return c.n == 0 }

// Append appends the bytes of the cookie as they go on the wire. It does not
// allocate where dst has room.
func (c Cookie) Append(dst []byte) []byte {
	if c.n == 8 { // the length Linux, FreeBSD and this package hand out
		return binary.LittleEndian.AppendUint64(dst, c.lo)
	}
	w := c.bytes()
	return append(dst, w[:c.n]...)
}

// Equal reports whether c and d are the same cookie, in a time that does not
// depend on their bytes. It may depend on their lengths, which anyone on the
// path can see.
func (c Cookie) Equal(d Cookie) bool {
	// One comparison of everything at once: no branch on a part of it.
	return (c.lo^d.lo)|(c.hi^d.hi)|uint64(c.n^d.n) == 0
}

// Reveal returns the bytes in hexadecimal, as they go on the wire; "" for no
// cookie. Whoever learns them and can send from the client's address can have
// the server accept data in a SYN.
func (c Cookie) Reveal() string {
	w := c.bytes()
	return hex.EncodeToString(w[:c.n])
}

// String tells the length of the cookie and nothing of its bytes, as in
// "cookie of 8 bytes".
func (c Cookie) String() string {
	if c.IsZero() {
		return "no cookie"
	}
	return "cookie of " + strconv.Itoa(c.Len()) + " bytes"
}

// Format prints what String returns, whatever the verb, so that none of them
// shows the bytes.
func (c Cookie) Format(f fmt.State, verb rune) { formatRedacted(f, verb, c.String()) }

// MarshalText returns what String returns, so that encoders, and loggers that
// use them, do not show the bytes.
func (c Cookie) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c Cookie) bytes() (w [MaxCookieLen]byte) {
	binary.LittleEndian.PutUint64(w[:8], c.lo)
	binary.LittleEndian.PutUint64(w[8:], c.hi)
	return w
}

// formatRedacted prints text in the place of a secret. Verbs made for strings
// keep their flags; all others print the text as it is.
func formatRedacted(f fmt.State, verb rune, text string) {
	switch verb {
	case 'v', 's', 'q':
		fmt.Fprintf(f, fmt.FormatString(f, verb), text)
	default:
		fmt.Fprint(f, text)
	}
}
