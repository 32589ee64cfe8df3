package tfo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// Limits of the interval that Derive takes, as tofurkey sets them.
const (
	MinDeriveInterval     = 10 * time.Second
	MaxDeriveInterval     = 7 * 24 * time.Hour
	DefaultDeriveInterval = 24 * time.Hour
)

// Derive returns the keys that a fleet sharing the secret uses at this moment.
func Derive(secret *[32]byte, interval time.Duration, now time.Time) (Keys, error) {
	if secret == nil {
		return Keys{}, errors.New("tfo: no secret to derive keys from")
	}
	if interval < MinDeriveInterval || interval > MaxDeriveInterval || interval%(2*time.Second) != 0 {
		return Keys{}, fmt.Errorf("tfo: interval %v is not an even number of seconds from %v to %v", interval, MinDeriveInterval, MaxDeriveInterval)
	}
	t := now.Unix()
	if t < 1_000_000 || t > 100_000_000_000 {
		return Keys{}, fmt.Errorf("tfo: the clock says %v", now)
	}
	s := int64(interval / time.Second)
	n := t / s
	other := n - 1
	if t%s >= s/2 {
		other = n + 1
	}
	return NewKeys(deriveKey(secret, uint64(n)), deriveKey(secret, uint64(other))), nil
}

// DerivedUntil returns the moment at which Derive begins to return other keys.
func DerivedUntil(interval time.Duration, now time.Time) time.Time {
	half := int64(interval / time.Second / 2)
	if half <= 0 {
		return now
	}
	return time.Unix((now.Unix()/half+1)*half, 0)
}

func deriveKey(secret *[32]byte, counter uint64) (k Key) {
	var salt, person [16]byte
	binary.LittleEndian.PutUint64(salt[:], counter)
	copy(person[:], "tofurkey")
	var block [128]byte
	copy(block[:], secret[:])
	h := blake2b(KeyLen, len(secret), &salt, &person, &block, len(block))
	// tofurkey writes the sixteen bytes into the sysctl as hexadecimal, left to
	// right, and the kernel stores each word of that text little-endian.
	for i := 0; i < KeyLen; i += 4 {
		binary.LittleEndian.PutUint32(k[i:], binary.BigEndian.Uint32(h[i:]))
	}
	return k
}

func (k *Key) digest() []byte {
	var salt, person [16]byte
	copy(person[:], "fastopen key id")
	var block [128]byte
	copy(block[:], k[:])
	h := blake2b(KeyLen, 0, &salt, &person, &block, len(k))
	return h[:5]
}

var blakeIV = [8]uint64{
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
}

var blakeSigma = [12][16]uint8{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
}

// blake2b is BLAKE2b (RFC 7693) of a message of one block.
func blake2b(size, keyLen int, salt, person *[16]byte, block *[128]byte, n int) (out [64]byte) {
	h := blakeIV
	h[0] ^= uint64(size) | uint64(keyLen)<<8 | 1<<16 | 1<<24
	h[4] ^= binary.LittleEndian.Uint64(salt[0:])
	h[5] ^= binary.LittleEndian.Uint64(salt[8:])
	h[6] ^= binary.LittleEndian.Uint64(person[0:])
	h[7] ^= binary.LittleEndian.Uint64(person[8:])
	var m [16]uint64
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(block[8*i:])
	}
	var v [16]uint64
	copy(v[:8], h[:])
	copy(v[8:], blakeIV[:])
	v[12] ^= uint64(n)
	v[14] = ^v[14]
	g := func(a, b, c, d int, x, y uint64) {
		v[a] += v[b] + x
		v[d] = bits.RotateLeft64(v[d]^v[a], -32)
		v[c] += v[d]
		v[b] = bits.RotateLeft64(v[b]^v[c], -24)
		v[a] += v[b] + y
		v[d] = bits.RotateLeft64(v[d]^v[a], -16)
		v[c] += v[d]
		v[b] = bits.RotateLeft64(v[b]^v[c], -63)
	}
	for _, s := range blakeSigma {
		g(0, 4, 8, 12, m[s[0]], m[s[1]])
		g(1, 5, 9, 13, m[s[2]], m[s[3]])
		g(2, 6, 10, 14, m[s[4]], m[s[5]])
		g(3, 7, 11, 15, m[s[6]], m[s[7]])
		g(0, 5, 10, 15, m[s[8]], m[s[9]])
		g(1, 6, 11, 12, m[s[10]], m[s[11]])
		g(2, 7, 8, 13, m[s[12]], m[s[13]])
		g(3, 4, 9, 14, m[s[14]], m[s[15]])
	}
	for i := range h {
		binary.LittleEndian.PutUint64(out[8*i:], h[i]^v[i]^v[i+8])
	}
	return out
}
