package tfo

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"
)

// Requirements COOKIE-6 and KEY-3: the text is words, the raw form is those
// words little-endian.
func TestParseKeys(t *testing.T) {
	for _, v := range []struct{ text, raw, canonical string }{
		{"a0bf63f7-ed803d81-cd641d30-cebc4a90", "f763bfa0813d80ed301d64cd904abcce", ""},
		{"00010203-04050607-08090a0b-0c0d0e0f", "03020100070605040b0a09080f0e0d0c", ""},
		{"00000000-00000000-00000000-00000000", "00000000000000000000000000000000", ""},
		{"0-0-0-0", "00000000000000000000000000000000", "00000000-00000000-00000000-00000000"},
		{"1-2-3-4", "01000000020000000300000004000000", "00000001-00000002-00000003-00000004"},
		{"A-Bc-DEF-ABCDEF01", "0a000000bc000000ef0d000001efcdab", "0000000a-000000bc-00000def-abcdef01"},
		{"1-2-3-4\n", "01000000020000000300000004000000", "00000001-00000002-00000003-00000004"},
		{" \t1-2-3-4 \r\n", "01000000020000000300000004000000", "00000001-00000002-00000003-00000004"},
		{
			"1-2-3-4,ffffffff-00000000-deadbeef-12345678",
			"01000000020000000300000004000000 ffffffff00000000efbeadde78563412",
			"00000001-00000002-00000003-00000004,ffffffff-00000000-deadbeef-12345678",
		},
		{
			"1-2-3-4,5-6-7-8,9-a-b-c",
			"01000000020000000300000004000000 05000000060000000700000008000000",
			"00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008,00000009-0000000a-0000000b-0000000c",
		},
	} {
		k, err := ParseKeys(v.text)
		if err != nil {
			t.Errorf("%q: %v", v.text, err)
			continue
		}
		if got, want := k.AppendRaw([]byte("x")), append([]byte("x"), unhex(t, v.raw)...); !bytes.Equal(got, want) {
			t.Errorf("%q: raw %x want %x", v.text, got, want)
		}
		want := v.canonical
		if want == "" {
			want = v.text
		}
		if got := k.Reveal(); got != want {
			t.Errorf("%q: revealed as %q want %q", v.text, got, want)
		}
		if k.IsZero() {
			t.Errorf("%q: no key", v.text)
		}
		if n := strings.Count(want, ","); len(k.Backups()) != n {
			t.Errorf("%q: %d backups, not %d", v.text, len(k.Backups()), n)
		}
	}
}

// Requirement KEY-2: what the kernel refuses, and what it takes in silence. The
// error is one sentence that says which key, and shows none of it.
func TestParseKeysRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "there is no key in the text",
		" \n":                                  "there is no key in the text",
		"1-2-3":                                "the primary key has 3 words joined by dashes and not 4",
		"1-2-3-4-5":                            "the primary key has 5 words",
		"a0bf63f7ed803d81cd641d30cebc4a90":     "the primary key has no dashes; write it as xxxxxxxx-",
		"1-2-3-4xyz":                           "the primary key has a character in word 4 that is no hexadecimal digit",
		"1-2-3-4 ,5-6-7-8":                     "the primary key has a character in word 4",
		"1-2-3-4, 5-6-7-8":                     "the backup key has a character in word 1",
		"1-2-3-4\x00":                          "the primary key has a character in word 4",
		"1-2-3-٤":                              "the primary key has a character in word 4",
		"0x1-2-3-4":                            "the primary key has a word, number 1, that begins with 0x",
		"1-2-0X3-4":                            "the primary key has a word, number 3, that begins with 0x",
		"123456789-2-3-4":                      "the primary key has a word, number 1, of 9 characters",
		"1--3-4":                               "the primary key has a word, number 2, of 0 characters",
		"1-2-3-":                               "the primary key has a word, number 4, of 0 characters",
		"-1-2-3-4":                             "the primary key has 5 words",
		"1-2-3-+4":                             "the primary key has a character in word 4",
		"1-2-3-4_0":                            "the primary key has a character in word 4",
		"1-2-3-4,":                             "the backup key is empty",
		",1-2-3-4":                             "the primary key is empty",
		"1-2-3-4,5-6-7":                        "the backup key has 3 words",
		"1-2-3-4,5-6-7-8,deadbeef-1-2-wxyz":    "backup key 2 has a character in word 4",
		"1-2-3-4;5-6-7-8":                      "the primary key has 7 words",
		GenerateKeys().String():                "the text is the fingerprint of keys",
		"01234567-89abcdef-fedcba98-76543210g": "the primary key has a word, number 4, of 9 characters",
	} {
		k, err := ParseKeys(text)
		if err == nil || !k.IsZero() {
			t.Errorf("%q: taken", text)
			continue
		}
		if !strings.HasPrefix(err.Error(), "tfo: "+want) {
			t.Errorf("%q: %v; want %s", text, err, want)
		}
		if !strings.Contains(err.Error(), ";") {
			t.Errorf("%q: %v; that does not say what to do", text, err)
		}
		noKeyMaterial(t, text, err)
	}
}

// noKeyMaterial fails if a word of the text, of a length worth hiding, is in the
// error.
func noKeyMaterial(t *testing.T, text string, err error) {
	t.Helper()
	words := strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) })
	for _, w := range words {
		if len(w) > 3 && strings.Contains(err.Error(), w) {
			t.Errorf("%q: the error repeats %q: %v", text, w, err)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	for _, s := range []string{
		"", "0-0-0-0", "a0bf63f7-ed803d81-cd641d30-cebc4a90\n", "1-2-3-4,5-6-7-8", "1-2-3-4xyz", "0x1-2-3-4",
		"123456789-2-3-4", "1-2-3-4,", "1-2-3-4,5-6-7-8,9-A-b-C", " 1-2-3-4", "1- 2-3-4", "primary:", "\x00", "1-2-3-4\n,5-6-7-8",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKeys(text)
		if err != nil {
			noKeyMaterial(t, text, err)
			if !k.IsZero() {
				t.Fatalf("%q: an error and keys", text)
			}
			return
		}
		again, err := ParseKeys(k.Reveal())
		if err != nil || !again.Equal(k) {
			t.Fatalf("%q: revealed as %q, which gives %v, %v", text, k.Reveal(), again, err)
		}
		// What is taken means to the kernel, which scans each key with
		// "%x-%x-%x-%x", the same.
		keys := append([]Key{k.Primary()}, k.Backups()...)
		for i, field := range strings.Split(strings.TrimSpace(text), ",") {
			var w [4]uint32
			if n, err := fmt.Sscanf(field, "%x-%x-%x-%x", &w[0], &w[1], &w[2], &w[3]); n != 4 || err != nil {
				t.Fatalf("%q: key %d is not four words: %v", text, i, err)
			}
			if want := fmt.Sprintf("%08x-%08x-%08x-%08x", w[0], w[1], w[2], w[3]); keys[i].Reveal() != want {
				t.Fatalf("%q: key %d is %s, not %s", text, i, keys[i].Reveal(), want)
			}
		}
		if raw, err := KeysFromRaw(k.AppendRaw(nil)); err != nil || !strings.HasPrefix(k.Reveal(), raw.Reveal()) {
			t.Fatalf("%q: raw %v, %v", text, raw, err)
		}
	})
}

// Requirement KEY-3.
func TestKeysFromRaw(t *testing.T) {
	b := unhex(t, "f763bfa0813d80ed301d64cd904abcce 03020100070605040b0a09080f0e0d0c")
	for n := range 50 {
		in := make([]byte, n)
		copy(in, b)
		k, err := KeysFromRaw(in)
		if ok := n == 16 || n == 32; (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err != nil {
			if !k.IsZero() {
				t.Errorf("%d bytes: an error and keys", n)
			}
			continue
		}
		if got := k.AppendRaw(nil); !bytes.Equal(got, in) {
			t.Errorf("%d bytes came out as %x", n, got)
		}
		in[0] ^= 0xff
		if got := k.AppendRaw(nil); got[0] == in[0] {
			t.Errorf("%d bytes: the keys share the caller's memory", n)
		}
	}
	k, _ := KeysFromRaw(b)
	if got, want := k.Reveal(), "a0bf63f7-ed803d81-cd641d30-cebc4a90,00010203-04050607-08090a0b-0c0d0e0f"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestKeysAreImmutable(t *testing.T) {
	backups := []Key{{2}, {3}}
	k := NewKeys(Key{1}, backups...)
	want := k.Reveal()
	backups[0] = Key{9}
	k.Backups()[0] = Key{9}
	k.AppendRaw(nil)[0] = 9
	if got := k.Reveal(); got != want {
		t.Errorf("changed to %s from %s", got, want)
	}
}

func TestKeysEqual(t *testing.T) {
	distinct := []Keys{
		{}, NewKeys(Key{}), NewKeys(Key{1}), NewKeys(Key{1}, Key{2}), NewKeys(Key{2}, Key{1}),
		NewKeys(Key{1}, Key{2}, Key{3}), NewKeys(Key{15: 1}), NewKeys(Key{1}).ClientOnly(),
	}
	for i, a := range distinct {
		for j, b := range distinct {
			if a.Equal(b) != (i == j) || (a.Fingerprint() == b.Fingerprint()) != (i == j) {
				t.Errorf("%v and %v: equal %t", a, b, a.Equal(b))
			}
		}
	}
	if !NewKeys(Key{1}, Key{2}).Equal(NewKeys(Key{1}, Key{2})) {
		t.Error("the same keys, made twice, differ")
	}
}

func TestGenerateKeys(t *testing.T) {
	a, b := GenerateKeys(), GenerateKeys()
	if a.Equal(b) || a.IsZero() || len(a.Backups()) != 0 || a.Primary() == (Key{}) {
		t.Errorf("%v and %v", a, b)
	}
	// Every bit of the key is random: over 256 keys each is set in about half.
	var set [8 * KeyLen]float64
	for range 256 {
		k := GenerateKeys().Primary()
		for i := range set {
			set[i] += float64(k[i/8] >> (i % 8) & 1)
		}
	}
	for i, n := range set {
		if math.Abs(n-128) > 80 { // ten standard deviations
			t.Errorf("bit %d is set in %v of 256 keys", i, n)
		}
	}
}

// The digits are those that Python's
// hashlib.blake2b(key, digest_size=16, person=b"fastopen key id") gives.
func TestFingerprint(t *testing.T) {
	k, err := ParseKeys("a0bf63f7-ed803d81-cd641d30-cebc4a90,0-0-0-0")
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]string{
		"none":                                 Keys{}.Fingerprint(),
		"primary:f59421371f,backup:f8c51834bf": k.Fingerprint(),
		"primary:f59421371f,backup:f8c51834bf,client-only": k.ClientOnly().Fingerprint(),
		"f59421371f": k.Primary().Fingerprint(),
	} {
		if got != want {
			t.Errorf("got %q want %q", got, want)
		}
	}
}

func TestZeroKeys(t *testing.T) {
	var k Keys
	if !k.IsZero() || k.Reveal() != "" || k.AppendRaw(nil) != nil || k.Backups() != nil || k.Primary() != (Key{}) {
		t.Error("no keys are keys")
	}
	if NewKeys(Key{}).IsZero() {
		t.Error("an all-zero key is no key")
	}
}

func TestRevealRoundTrips(t *testing.T) {
	k := GenerateKeys().Primary()
	text := k.Reveal()
	if len(text) != 35 {
		t.Errorf("%d characters", len(text))
	}
	again, err := ParseKeys(text)
	if err != nil || again.Primary() != k {
		t.Errorf("key %s came back as another: %v", hex.EncodeToString(k[:]), err)
	}
}
