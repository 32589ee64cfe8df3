package tfo

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// KeyLen is the length of a Key in bytes.
const KeyLen = 16

// A Key is one secret from which a server makes cookies: the raw bytes that
// setsockopt(TCP_FASTOPEN_KEY) takes. Printing one shows a fingerprint.
type Key [KeyLen]byte

// Fingerprint returns ten hexadecimal digits that tell this key from others.
func (k Key) Fingerprint() string { return hex.EncodeToString(k.digest()) }

// Reveal returns the key as the sysctl net.ipv4.tcp_fastopen_key writes it.
func (k Key) Reveal() string {
	return fmt.Sprintf("%08x-%08x-%08x-%08x",
		binary.LittleEndian.Uint32(k[0:]), binary.LittleEndian.Uint32(k[4:]),
		binary.LittleEndian.Uint32(k[8:]), binary.LittleEndian.Uint32(k[12:]))
}

// String returns the fingerprint.
func (k Key) String() string { return k.Fingerprint() }

// Format prints the fingerprint, whatever the verb.
func (k Key) Format(f fmt.State, verb rune) { formatRedacted(f, verb, k.String()) }

// MarshalText returns the fingerprint.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Keys is an immutable set of keys: the primary makes cookies, all verify.
// The zero Keys has no key.
type Keys struct {
	_ [0]func() // not comparable with ==
	s *keySet   // behind a pointer, which fmt does not follow
}

type keySet struct {
	keys       []Key // primary first
	clientOnly bool
}

// A Match says which key made a cookie.
type Match uint8

const (
	NoMatch      Match = iota // no key of the set made it
	PrimaryMatch              // the primary made it
	BackupMatch               // a backup made it
)

// NewKeys makes a set.
func NewKeys(primary Key, backups ...Key) Keys {
	return Keys{s: &keySet{keys: append([]Key{primary}, backups...)}}
}

// GenerateKeys returns one random primary.
func GenerateKeys() Keys {
	var k Key
	rand.Read(k[:])
	return NewKeys(k)
}

// ParseKeys reads the sysctl's textual form.
func ParseKeys(text string) (Keys, error) {
	var keys []Key
	for _, t := range strings.Split(strings.TrimSpace(text), ",") {
		words := strings.Split(t, "-")
		if len(words) != 4 {
			return Keys{}, errors.New("tfo: a key is four hexadecimal words joined by dashes")
		}
		var k Key
		for i, w := range words {
			if len(w) < 1 || len(w) > 8 {
				return Keys{}, errors.New("tfo: a word of a key is one to eight hexadecimal digits")
			}
			b, err := hex.DecodeString(strings.Repeat("0", 8-len(w)) + w)
			if err != nil {
				return Keys{}, errors.New("tfo: a word of a key is one to eight hexadecimal digits")
			}
			binary.LittleEndian.PutUint32(k[4*i:], binary.BigEndian.Uint32(b))
		}
		keys = append(keys, k)
	}
	return NewKeys(keys[0], keys[1:]...), nil
}

// KeysFromRaw reads 16 or 32 bytes, as getsockopt(TCP_FASTOPEN_KEY) returns.
func KeysFromRaw(b []byte) (Keys, error) {
	switch len(b) {
	case KeyLen:
		return NewKeys(Key(b)), nil
	case 2 * KeyLen:
		return NewKeys(Key(b[:KeyLen]), Key(b[KeyLen:])), nil
	}
	return Keys{}, fmt.Errorf("tfo: raw keys are 16 or 32 bytes, not %d", len(b))
}

// AppendRaw appends primary and first backup: what setsockopt(TCP_FASTOPEN_KEY) takes.
func (k Keys) AppendRaw(dst []byte) []byte {
	if k.s == nil {
		return dst
	}
	for i := range min(2, len(k.s.keys)) {
		dst = append(dst, k.s.keys[i][:]...)
	}
	return dst
}

// Reveal returns the kernel's textual form.
func (k Keys) Reveal() string {
	if k.s == nil {
		return ""
	}
	var t []string
	for _, key := range k.s.keys {
		t = append(t, key.Reveal())
	}
	return strings.Join(t, ",")
}

// Fingerprint tells sets apart without giving them away.
func (k Keys) Fingerprint() string {
	if k.s == nil {
		return "none"
	}
	t := "primary:" + k.s.keys[0].Fingerprint()
	for _, b := range k.s.keys[1:] {
		t += ",backup:" + b.Fingerprint()
	}
	if k.s.clientOnly {
		t += ",client-only"
	}
	return t
}

// String returns the fingerprint.
func (k Keys) String() string { return k.Fingerprint() }

// Format prints the fingerprint, whatever the verb.
func (k Keys) Format(f fmt.State, verb rune) { formatRedacted(f, verb, k.String()) }

// MarshalText returns the fingerprint.
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// IsZero reports whether there is no key at all.
func (k Keys) IsZero() bool { return k.s == nil }

// Equal reports whether both sets have the same keys in the same order and form.
func (k Keys) Equal(other Keys) bool {
	if k.s == nil || other.s == nil {
		return k.s == other.s
	}
	if len(k.s.keys) != len(other.s.keys) || k.s.clientOnly != other.s.clientOnly {
		return false
	}
	var d byte
	for i := range k.s.keys {
		for j := range k.s.keys[i] {
			d |= k.s.keys[i][j] ^ other.s.keys[i][j]
		}
	}
	return d == 0
}

// Primary returns the key that makes cookies.
func (k Keys) Primary() Key {
	if k.s == nil {
		return Key{}
	}
	return k.s.keys[0]
}

// Backups returns the keys that only verify.
func (k Keys) Backups() []Key {
	if k.s == nil {
		return nil
	}
	return append([]Key(nil), k.s.keys[1:]...)
}

// ClientOnly returns the same keys with FreeBSD's form of cookie.
func (k Keys) ClientOnly() Keys {
	if k.s == nil {
		return k
	}
	return Keys{s: &keySet{keys: k.s.keys, clientOnly: true}}
}

// Mint returns the cookie for a client at a server.
func (k Keys) Mint(client, server netip.Addr) Cookie {
	if k.s == nil {
		return Cookie{}
	}
	h, ok := k.s.hash(0, client, server)
	if !ok {
		return Cookie{}
	}
	c := Cookie{n: 8}
	binary.LittleEndian.PutUint64(c.b[:], h)
	return c
}

// Check says which key, if any, made the cookie.
func (k Keys) Check(client, server netip.Addr, c Cookie) Match {
	if k.s == nil || c.n != 8 {
		return NoMatch
	}
	for i := range k.s.keys {
		h, ok := k.s.hash(i, client, server)
		if !ok {
			return NoMatch
		}
		d := Cookie{n: 8}
		binary.LittleEndian.PutUint64(d.b[:], h)
		if c.Equal(d) {
			if i == 0 {
				return PrimaryMatch
			}
			return BackupMatch
		}
	}
	return NoMatch
}

func (s *keySet) hash(i int, client, server netip.Addr) (uint64, bool) {
	client, server = client.Unmap(), server.Unmap()
	var m [32]byte
	switch {
	case client.Is4() && s.clientOnly:
		a := client.As4()
		return siphash(&s.keys[i], append(m[:0], a[:]...)), true
	case client.Is6() && s.clientOnly:
		a := client.As16()
		return siphash(&s.keys[i], append(m[:0], a[:]...)), true
	case client.Is4() && server.Is4():
		a, b := client.As4(), server.As4()
		return siphash(&s.keys[i], append(append(m[:0], a[:]...), b[:]...)), true
	case client.Is6() && server.Is6():
		a, b := client.As16(), server.As16()
		return siphash(&s.keys[i], append(append(m[:0], a[:]...), b[:]...)), true
	}
	return 0, false
}
