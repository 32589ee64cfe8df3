package tfo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Limits of the interval that [Derive] takes, and what is usual: those of
// tofurkey.
const (
	MinDeriveInterval     = 10 * time.Second
	MaxDeriveInterval     = 7 * 24 * time.Hour
	DefaultDeriveInterval = 24 * time.Hour
)

// Clock readings outside of these are taken for a clock that was never set, as
// in tofurkey: 12 January 1970 and 16 November 5138.
const (
	minDeriveUnix = 1_000_000
	maxDeriveUnix = 100_000_000_000
)

// Derive returns the keys that all hosts of a fleet use at the time now, if they
// share the secret and the interval. It is the derivation of tofurkey, so hosts
// that run either can be mixed.
//
// The primary is new in every interval, counted from 1970. The backup is the key
// of the interval before in the first half of an interval, and the key of the
// one to come in the second. So every host has a key before any other host, its
// clock up to half an interval ahead, makes cookies from it, and a cookie is
// accepted for at least half an interval after it was made.
//
// It fails if the interval is not an even number of seconds from
// MinDeriveInterval to MaxDeriveInterval, if now is out of all reason, which
// tells of a clock that was never set, and if the secret is nil or all zero.
func Derive(secret *[32]byte, interval time.Duration, now time.Time) (Keys, error) {
	if secret == nil || *secret == [32]byte{} {
		return Keys{}, errors.New("tfo: the secret to derive keys from is all zero, which anyone can guess; fill it with 32 random bytes")
	}
	n, firstHalf, err := deriveCounter(interval, now)
	if err != nil {
		return Keys{}, err
	}
	other := n + 1
	if firstHalf {
		other = n - 1
	}
	return NewKeys(deriveKey(secret, n), deriveKey(secret, other)), nil
}

// DerivedUntil returns the time at which [Derive] begins to return other keys
// than it does now: the end of the half interval. It fails as Derive does.
func DerivedUntil(interval time.Duration, now time.Time) (time.Time, error) {
	n, firstHalf, err := deriveCounter(interval, now)
	if err != nil {
		return time.Time{}, err
	}
	s := uint64(interval / time.Second)
	if firstHalf {
		return time.Unix(int64(n*s+s/2), 0), nil
	}
	return time.Unix(int64((n+1)*s), 0), nil
}

// deriveCounter returns how many whole intervals have passed since 1970 and
// whether this one is in its first half.
func deriveCounter(interval time.Duration, now time.Time) (n uint64, firstHalf bool, err error) {
	if interval < MinDeriveInterval || interval > MaxDeriveInterval || interval%(2*time.Second) != 0 {
		return 0, false, fmt.Errorf("tfo: keys cannot change every %v; choose an even number of seconds from %v to %v, the same on all hosts", interval, MinDeriveInterval, MaxDeriveInterval)
	}
	t := now.Unix()
	if t < minDeriveUnix || t > maxDeriveUnix {
		return 0, false, fmt.Errorf("tfo: the clock says %s, so keys derived from it would be those of no other host; set the clock", now.UTC().Format(time.RFC3339))
	}
	s := int64(interval / time.Second)
	return uint64(t / s), t%s < s/2, nil
}

// deriveKey is crypto_kdf_blake2b_derive_from_key of libsodium, for 16 bytes and
// the context "tofurkey".
func deriveKey(secret *[32]byte, counter uint64) (k Key) {
	p := blake2b{size: KeyLen}
	binary.LittleEndian.PutUint64(p.salt[:], counter)
	copy(p.person[:], "tofurkey")
	d := p.keyed(secret[:])
	// tofurkey writes the bytes into the sysctl from left to right, four to a
	// word, and the kernel stores each word little-endian.
	for i := 0; i < KeyLen; i += 4 {
		binary.LittleEndian.PutUint32(k[i:], binary.BigEndian.Uint32(d[i:]))
	}
	return k
}
