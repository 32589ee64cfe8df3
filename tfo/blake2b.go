package tfo

import (
	"encoding/binary"
	"math/bits"
)

// blake2b is BLAKE2b (RFC 7693) of messages that fit into one block, with the
// salt and the personalisation that RFC 7693 leaves out of its parameter block
// and "BLAKE2: simpler, smaller, fast as MD5" (2013) puts there. The package of
// that name in golang.org/x/crypto takes neither.
type blake2b struct {
	size         uint8 // of the digest, in bytes, 1 to 64
	salt, person [16]byte
}

// sum returns the digest of msg, at most 128 bytes, padded with bytes that are
// not part of it up to 64.
func (p blake2b) sum(msg []byte) [64]byte {
	return p.compress(0, msg)
}

// keyed returns the digest of the empty message under a key of at most 64
// bytes, padded likewise.
func (p blake2b) keyed(key []byte) [64]byte {
	// The key goes first, padded to a block of its own; an empty message adds
	// no other (https://www.rfc-editor.org/rfc/rfc7693#section-3.3).
	var block [blakeBlock]byte
	copy(block[:], key)
	return p.compress(uint8(len(key)), block[:])
}

const blakeBlock = 128

// compress is the function F of
// https://www.rfc-editor.org/rfc/rfc7693#section-3.2 for a block that is both
// first and last.
func (p blake2b) compress(keyLen uint8, block []byte) (digest [64]byte) {
	h := blakeIV
	h[0] ^= uint64(p.size) | uint64(keyLen)<<8 | 1<<16 | 1<<24 // fanout and depth 1: no tree
	h[4] ^= binary.LittleEndian.Uint64(p.salt[:8])
	h[5] ^= binary.LittleEndian.Uint64(p.salt[8:])
	h[6] ^= binary.LittleEndian.Uint64(p.person[:8])
	h[7] ^= binary.LittleEndian.Uint64(p.person[8:])

	var padded [blakeBlock]byte
	copy(padded[:], block)
	var m [16]uint64
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(padded[8*i:])
	}

	var v [16]uint64
	copy(v[:8], h[:])
	copy(v[8:], blakeIV[:])
	v[12] ^= uint64(len(block)) // bytes so far
	v[14] = ^v[14]              // last block
	mix := func(a, b, c, d int, x, y uint64) {
		v[a] += v[b] + x
		v[d] = bits.RotateLeft64(v[d]^v[a], -32)
		v[c] += v[d]
		v[b] = bits.RotateLeft64(v[b]^v[c], -24)
		v[a] += v[b] + y
		v[d] = bits.RotateLeft64(v[d]^v[a], -16)
		v[c] += v[d]
		v[b] = bits.RotateLeft64(v[b]^v[c], -63)
	}
	for round := range 12 {
		s := &blakeSigma[round%10]
		mix(0, 4, 8, 12, m[s[0]], m[s[1]])
		mix(1, 5, 9, 13, m[s[2]], m[s[3]])
		mix(2, 6, 10, 14, m[s[4]], m[s[5]])
		mix(3, 7, 11, 15, m[s[6]], m[s[7]])
		mix(0, 5, 10, 15, m[s[8]], m[s[9]])
		mix(1, 6, 11, 12, m[s[10]], m[s[11]])
		mix(2, 7, 8, 13, m[s[12]], m[s[13]])
		mix(3, 4, 9, 14, m[s[14]], m[s[15]])
	}
	for i := range h {
		binary.LittleEndian.PutUint64(digest[8*i:], h[i]^v[i]^v[i+8])
	}
	return digest
}

var blakeIV = [8]uint64{
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
}

// https://www.rfc-editor.org/rfc/rfc7693#section-2.7
var blakeSigma = [10][16]uint8{
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
}
