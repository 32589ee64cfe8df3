package tfo

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// Requirements COOKIE-5 to COOKIE-8: bit for bit what the kernel computes.
func TestMintIsWhatLinuxMints(t *testing.T) {
	rows := vectors(t, "cookies.tsv")
	if len(rows) != 19 {
		t.Fatalf("%d vectors, not 19", len(rows))
	}
	for _, r := range rows {
		k, err := ParseKeys(r[0])
		if err != nil {
			t.Fatal(err)
		}
		client, server := netip.MustParseAddr(r[1]), netip.MustParseAddr(r[2])
		c := k.Mint(client, server)
		if got := c.Reveal(); got != r[3] {
			t.Errorf("%v: got %s", r, got)
		}
		if m := k.Check(client, server, cookie(t, r[3])); m != PrimaryMatch {
			t.Errorf("%v: checked as %v", r, m)
		}
	}
}

// Requirement KEY-8. The values come from a SipHash in Python.
func TestMintClientOnly(t *testing.T) {
	k, _ := ParseKeys("a0bf63f7-ed803d81-cd641d30-cebc4a90")
	linux := k
	k = k.ClientOnly()
	for client, want := range map[string]string{
		"10.248.0.2":        "29958947a39c7245",
		"::ffff:10.248.0.2": "29958947a39c7245",
		"fd77::100":         "5d5e0cc811c75576",
		"fd77::100%eth0":    "5d5e0cc811c75576",
	} {
		client := netip.MustParseAddr(client)
		for _, server := range []netip.Addr{server4, server6, {}} {
			c := k.Mint(client, server)
			if c.Reveal() != want {
				t.Errorf("%v at %v: got %s want %s", client, server, c.Reveal(), want)
			}
			if m := k.Check(client, server, c); m != PrimaryMatch {
				t.Errorf("%v at %v: %v", client, server, m)
			}
		}
	}
	if k.Check(client4, server4, linux.Mint(client4, server4)) != NoMatch {
		t.Error("a cookie in Linux's form passed for one in FreeBSD's")
	}
	if c := k.Mint(netip.Addr{}, server4); !c.IsZero() {
		t.Error("a cookie for no client")
	}
	if k.Equal(linux) || linux.Equal(k) || k.Fingerprint() == linux.Fingerprint() {
		t.Error("the forms cannot be told apart")
	}
	if !(Keys{}).ClientOnly().IsZero() {
		t.Error("no keys became keys")
	}
}

// Requirement COOKIE-7: an IPv4 client is an IPv4 client, however its address is
// written.
func TestMintUnmaps(t *testing.T) {
	k := GenerateKeys()
	mapped := func(a netip.Addr) netip.Addr { return netip.AddrFrom16(a.As16()) }
	want := k.Mint(client4, server4)
	for _, got := range []Cookie{
		k.Mint(mapped(client4), mapped(server4)),
		k.Mint(mapped(client4), server4),
		k.Mint(client4, mapped(server4)),
	} {
		if got != want || got.IsZero() {
			t.Errorf("got %s want %s", got.Reveal(), want.Reveal())
		}
	}
	zoned := netip.MustParseAddr("fe80::1%eth0")
	if k.Mint(zoned, server6) != k.Mint(zoned.WithZone(""), server6) {
		t.Error("the zone counts")
	}
}

func TestMintRefuses(t *testing.T) {
	k := GenerateKeys()
	some := k.Mint(client4, server4)
	for _, v := range []struct {
		why            string
		k              Keys
		client, server netip.Addr
	}{
		{"no keys", Keys{}, client4, server4},
		{"IPv4 at IPv6", k, client4, server6},
		{"IPv6 at IPv4", k, client6, server4},
		{"no client", k, netip.Addr{}, server4},
		{"no server", k, client4, netip.Addr{}},
		{"neither", k, netip.Addr{}, netip.Addr{}},
	} {
		if c := v.k.Mint(v.client, v.server); !c.IsZero() {
			t.Errorf("%s: %s", v.why, c.Reveal())
		}
		if m := v.k.Check(v.client, v.server, some); m != NoMatch {
			t.Errorf("%s: %v", v.why, m)
		}
		if m := v.k.Check(v.client, v.server, Cookie{}); m != NoMatch {
			t.Errorf("%s: no cookie is a %v", v.why, m)
		}
	}
}

// Requirement KEY-1.
func TestCheck(t *testing.T) {
	p, b1, b2, other := Key{1}, Key{2}, Key{3}, Key{4}
	k := NewKeys(p, b1, b2)
	for _, a := range []struct{ client, server netip.Addr }{{client4, server4}, {client6, server6}} {
		for _, v := range []struct {
			why  string
			c    Cookie
			want Match
		}{
			{"primary", NewKeys(p).Mint(a.client, a.server), PrimaryMatch},
			{"backup", NewKeys(b1).Mint(a.client, a.server), BackupMatch},
			{"second backup", NewKeys(b2).Mint(a.client, a.server), BackupMatch},
			{"another key", NewKeys(other).Mint(a.client, a.server), NoMatch},
			{"another server", k.Mint(a.client, a.client), NoMatch},
			{"another client", k.Mint(a.server, a.server), NoMatch},
			{"the other way round", k.Mint(a.server, a.client), NoMatch},
			{"no cookie", Cookie{}, NoMatch},
		} {
			if got := k.Check(a.client, a.server, v.c); got != v.want {
				t.Errorf("%v, %s: %v want %v", a, v.why, got, v.want)
			}
		}
		good := k.Mint(a.client, a.server).Append(nil)
		// Requirement COOKIE-9, and not XNU's habit of comparing only as many
		// bytes as the client sent.
		for _, n := range []int{4, 6, 10, 12, 14, 16} {
			c, _ := CookieFrom(append(good, make([]byte, 8)...)[:n])
			if m := k.Check(a.client, a.server, c); m != NoMatch {
				t.Errorf("%d bytes: %v", n, m)
			}
		}
		for bit := range 64 {
			b := [8]byte(good)
			b[bit/8] ^= 1 << (bit % 8)
			c, _ := CookieFrom(b[:])
			if m := k.Check(a.client, a.server, c); m != NoMatch {
				t.Errorf("bit %d does not count: %v", bit, m)
			}
		}
	}
	// The same key as primary and as backup is the primary.
	if m := NewKeys(p, p).Check(client4, server4, NewKeys(p).Mint(client4, server4)); m != PrimaryMatch {
		t.Error(m)
	}
	// An all-zero key is a key.
	zero := NewKeys(Key{})
	if zero.IsZero() || zero.Check(client4, server4, zero.Mint(client4, server4)) != PrimaryMatch {
		t.Error("the zero key is none")
	}
}

func TestMintAndCheckDoNotAllocate(t *testing.T) {
	k := NewKeys(Key{1}, Key{2})
	if n := testing.AllocsPerRun(100, func() {
		k.Check(client4, server4, k.Mint(client4, server4))
		k.Check(client6, server6, k.Mint(client6, server6))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// hashBytes is SipHash of up to 39 bytes, by way of the words that the real
// messages are made of.
func hashBytes(k Key, b []byte) string {
	m := message{n: len(b) / 8}
	for i := range m.n {
		m.words[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	var last [8]byte
	copy(last[:7], b[8*m.n:])
	last[7] = byte(len(b))
	m.last = binary.LittleEndian.Uint64(last[:])
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, siphash(&k, &m)))
}

// The published values (Appendix A of the SipHash paper is the one of 15 bytes,
// the others are of vectors_sip64 of its reference implementation), for the
// lengths cookies need among others.
func TestSipHashVectors(t *testing.T) {
	var k Key
	msg := make([]byte, 32)
	for i := range msg {
		msg[i] = byte(i)
	}
	copy(k[:], msg)
	for n, want := range map[int]string{
		0: "310e0edd47db6f72", 1: "fd67dc93c539f874", 4: "b7877127e09427cf", 8: "6224939a79f5f593",
		15: "e545be4961ca29a1", 16: "db9bc2577fcc2a3f", 32: "ce7cf2722f512771",
	} {
		if got := hashBytes(k, msg[:n]); got != want {
			t.Errorf("%d bytes: got %s want %s", n, got, want)
		}
	}
}

func TestSipHashAgreesWithThePaper(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		var k Key
		msg := make([]byte, r.IntN(40))
		for i := range k {
			k[i] = byte(r.Uint32())
		}
		for i := range msg {
			msg[i] = byte(r.Uint32())
		}
		if got, want := hashBytes(k, msg), slowSipHash(k, msg); got != want {
			t.Fatalf("seed %d: key %x, message %x: got %s want %s", seed, [16]byte(k), msg, got, want)
		}
	}
}

// slowSipHash is SipHash-2-4 written down from the paper, line by line.
func slowSipHash(k Key, msg []byte) string {
	k0, k1 := binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:])
	v := [4]uint64{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	round := func() {
		v[0] += v[1]
		v[2] += v[3]
		v[1] = bits.RotateLeft64(v[1], 13)
		v[3] = bits.RotateLeft64(v[3], 16)
		v[1] ^= v[0]
		v[3] ^= v[2]
		v[0] = bits.RotateLeft64(v[0], 32)
		v[2] += v[1]
		v[0] += v[3]
		v[1] = bits.RotateLeft64(v[1], 17)
		v[3] = bits.RotateLeft64(v[3], 21)
		v[1] ^= v[2]
		v[3] ^= v[0]
		v[2] = bits.RotateLeft64(v[2], 32)
	}
	padded := append([]byte(nil), msg...)
	for len(padded)%8 != 7 {
		padded = append(padded, 0)
	}
	padded = append(padded, byte(len(msg)))
	for ; len(padded) > 0; padded = padded[8:] {
		m := binary.LittleEndian.Uint64(padded)
		v[3] ^= m
		round()
		round()
		v[0] ^= m
	}
	v[2] ^= 0xff
	for range 4 {
		round()
	}
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, v[0]^v[1]^v[2]^v[3]))
}
