package tfo

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// KeyLen is the length of a Key in bytes.
const KeyLen = 16

// A Key is one secret that cookies are made from: the 16 raw bytes that
// setsockopt(TCP_FASTOPEN_KEY) takes. Those are not the digits of the sysctl
// net.ipv4.tcp_fastopen_key read from left to right; [ParseKeys] converts. The
// zero Key is a key like any other.
//
// Printing a Key shows its fingerprint. Package fmt cannot see to that where a
// Key sits in an unexported field of another type, nor with the verbs %w and %p,
// which go vet refuses; [Keys] is safe from these too, so keep that.
type Key [KeyLen]byte

// Fingerprint returns ten hexadecimal digits by which people and logs can tell
// keys apart. They are stable, and the same on every host; nobody can compute a
// random key from them (a key that can be guessed can also be recognised). They
// are the first bytes of an unkeyed 16-byte BLAKE2b digest of the key,
// personalised "fastopen key id".
func (k Key) Fingerprint() string {
	p := blake2b{size: KeyLen}
	copy(p.person[:], "fastopen key id")
	d := p.sum(k[:])
	return hex.EncodeToString(d[:5])
}

// String returns the fingerprint.
func (k Key) String() string { return k.Fingerprint() }

// Format prints the fingerprint, whatever the verb.
func (k Key) Format(f fmt.State, verb rune) { formatRedacted(f, verb, k.String()) }

// MarshalText returns the fingerprint, so that encoders, and loggers that use
// them, do not show the key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Keys is the set of keys a server works with: a primary, from which it makes
// cookies, and any number of backups, which like the primary verify them. That
// is how keys rotate without refusing the cookies that clients hold. The
// kernel takes one backup.
//
// Keys is immutable and cheap to copy. The zero Keys has no key at all: it makes
// no cookies and matches none. Compare with [Keys.Equal]. Printing Keys in
// whatever way shows fingerprints; [Keys.Reveal] and [Keys.AppendRaw] give the
// keys themselves.
type Keys struct {
	_ [0]func() // no ==, which would compare pointers
	p *sealed
}

// sealed keeps the keys from fmt where it cannot call Format, which is in the
// unexported fields of other types. It prints a pointer inside of such a value
// as an address, but what a pointer points to if the verb is no use for
// pointers, such as %s. Two pointers in a row it never follows.
type sealed struct{ s *keySet }

type keySet struct {
	keys       []Key // the primary, then the backups; never changed
	clientOnly bool  // cookies in FreeBSD's form
}

// NewKeys returns the set of these keys, which it copies.
func NewKeys(primary Key, backups ...Key) Keys {
	keys := make([]Key, 0, 1+len(backups))
	return seal(&keySet{keys: append(append(keys, primary), backups...)})
}

// GenerateKeys returns a set with one random primary and no backup.
func GenerateKeys() Keys {
	var primary Key
	rand.Read(primary[:]) // never fails: it would end the program
	return NewKeys(primary)
}

// IsZero reports whether k has no key at all.
func (k Keys) IsZero() bool { return k.p == nil }

// Equal reports whether k and other have the same keys in the same order and
// make the same form of cookie. It takes the same time whatever the keys are.
func (k Keys) Equal(other Keys) bool {
	a, b := k.set(), other.set()
	if len(a.keys) != len(b.keys) || a.clientOnly != b.clientOnly {
		return false
	}
	same := 1
	for i := range a.keys {
		same &= subtle.ConstantTimeCompare(a.keys[i][:], b.keys[i][:])
	}
	return same == 1
}

// Primary returns the key cookies are made from, or the zero Key if k has none:
// ask [Keys.IsZero] first.
func (k Keys) Primary() Key {
	if k.IsZero() {
		return Key{}
	}
	return k.set().keys[0]
}

// Backups returns the keys that verify cookies and make none. The caller may
// keep and change the slice.
func (k Keys) Backups() []Key {
	if k.IsZero() {
		return nil
	}
	return slices.Clone(k.set().keys[1:])
}

// Fingerprint tells the set from others without giving it away, as in
// "primary:7ad0ac1a8b,backup:5f90c3f4e2"; "client-only" is added where the
// cookies are in FreeBSD's form, and no key at all is "none". Two hosts whose
// fingerprints agree accept each other's cookies; where one host's backup is
// the other's primary, they do so half-way.
func (k Keys) Fingerprint() string {
	if k.IsZero() {
		return "none"
	}
	s := k.set()
	var t strings.Builder
	t.WriteString("primary:" + s.keys[0].Fingerprint())
	for _, b := range s.keys[1:] {
		t.WriteString(",backup:" + b.Fingerprint())
	}
	if s.clientOnly {
		t.WriteString(",client-only")
	}
	return t.String()
}

// String returns the fingerprint.
func (k Keys) String() string { return k.Fingerprint() }

// Format prints the fingerprint, whatever the verb.
func (k Keys) Format(f fmt.State, verb rune) { formatRedacted(f, verb, k.String()) }

// MarshalText returns the fingerprint, so that encoders, and loggers that use
// them, do not show the keys.
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func seal(s *keySet) Keys { return Keys{p: &sealed{s}} }

var noKeys keySet

// set returns what k has, which is an empty set for the zero Keys.
func (k Keys) set() *keySet {
	if k.p == nil {
		return &noKeys
	}
	return k.p.s
}
