package tfo

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// unhex reads hexadecimal with spaces in it.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

func cookie(t testing.TB, s string) Cookie {
	t.Helper()
	c, ok := CookieFrom(unhex(t, s))
	if !ok {
		t.Fatalf("%q is not a cookie", s)
	}
	return c
}

// Requirements OPT-1 and OPT-2.
//
// "Length          1 byte: range 2 to 18 (bytes)"
// https://www.rfc-editor.org/errata/eid4238
func TestOptionOnTheWire(t *testing.T) {
	for _, v := range []struct {
		o    Option
		wire string
	}{
		{Option{}, "22 02"},
		{Option{Standard, cookie(t, "01020304")}, "22 06 01020304"},
		{Option{Standard, cookie(t, "010203040506")}, "22 08 010203040506"},
		{Option{Standard, cookie(t, "0102030405060708")}, "22 0a 0102030405060708"},
		{Option{Standard, cookie(t, "0102030405060708090a")}, "22 0c 0102030405060708090a"},
		{Option{Standard, cookie(t, "000102030405060708090a0b0c0d0e0f")}, "22 12 000102030405060708090a0b0c0d0e0f"},
		{Option{Standard, cookie(t, "0000000000000000")}, "22 0a 0000000000000000"},
		{Option{Form: Experimental}, "fe 04 f989"},
		{Option{Experimental, cookie(t, "01020304")}, "fe 08 f989 01020304"},
		{Option{Experimental, cookie(t, "0102030405060708")}, "fe 0c f989 0102030405060708"},
		{Option{Experimental, cookie(t, "000102030405060708090a0b0c0d0e0f")}, "fe 14 f989 000102030405060708090a0b0c0d0e0f"},
	} {
		want := unhex(t, v.wire)
		if got := v.o.Append(nil); !bytes.Equal(got, want) {
			t.Errorf("%v: got % x want % x", v.o, got, want)
		}
		if v.o.Len() != len(want) {
			t.Errorf("%v: Len() = %d want %d", v.o, v.o.Len(), len(want))
		}
		if got, ok := ParseOption(want); !ok || got != v.o {
			t.Errorf("% x: parsed as %v, %t", want, got, ok)
		}
		if got := v.o.Append([]byte("before")); string(got) != "before"+string(want) {
			t.Errorf("%v: appended as % x", v.o, got)
		}
	}
}

// Requirement OPT-5: what Linux makes of each number of cookie bytes, in either
// form, with and without a good option before it.
func TestOptionOfEveryLength(t *testing.T) {
	good := Option{Standard, cookie(t, "a1a2a3a4a5a6a7a8")}
	for _, form := range []Form{Standard, Experimental} {
		for n := range 36 {
			body := make([]byte, n)
			for i := range body {
				body[i] = byte(i + 1)
			}
			wire := []byte{KindStandard, byte(2 + n)}
			if form == Experimental {
				wire = []byte{KindExperimental, byte(4 + n), 0xf9, 0x89}
			}
			wire = append(wire, body...)

			want, wantOK := Option{Form: form}, n == 0 || n >= 4 && n <= 16 && n%2 == 0
			switch {
			case !wantOK:
				want = Option{}
			case n > 0:
				want.Cookie = cookie(t, hex.EncodeToString(body))
			}
			if got, ok := ParseOption(wire); got != want || ok != wantOK {
				t.Errorf("%v, %d bytes: got %v, %t want %v, %t", form, n, got, ok, want, wantOK)
			}

			// "earlier valid FO option in same SYN still stands" where the length
			// is odd; any even one takes its place.
			if n%2 != 0 {
				want, wantOK = good, true
			}
			if got, ok := ParseOption(append(good.Append(nil), wire...)); got != want || ok != wantOK {
				t.Errorf("good option, then %v, %d bytes: got %v, %t want %v, %t", form, n, got, ok, want, wantOK)
			}
		}
	}
}

// Requirements OPT-3, OPT-5 and OPT-6.
func TestParseOption(t *testing.T) {
	a, b := cookie(t, "a1a2a3a4a5a6a7a8"), cookie(t, "b1b2b3b4b5b6b7b8")
	none := Option{Form: 99} // stands for no option
	const (
		mss    = "0204 05b4 "
		sackTS = "0402 080a 00000001 00000000 "
		ws     = "01 0303 07 "
		a34    = "220a a1a2a3a4a5a6a7a8 "
		b34    = "220a b1b2b3b4b5b6b7b8 "
		b254   = "fe0c f989 b1b2b3b4b5b6b7b8 "
	)
	for _, v := range []struct {
		why, wire string
		want      Option
	}{
		{"no options", "", none},
		{"no such option", mss + sackTS + ws, none},
		{"as Linux sends it", mss + sackTS + ws + a34 + "01 01", Option{Standard, a}},
		{"as Linux asks for it", mss + sackTS + ws + "2202 01 01", Option{}},
		{"first of all", a34 + mss, Option{Standard, a}},
		{"unaligned", "01 01 01 " + a34 + "01 " + mss, Option{Standard, a}},

		{"34, then 254", a34 + b254, Option{Experimental, b}},
		{"254, then 34", b254 + a34, Option{Standard, a}},
		{"twice", a34 + b34, Option{Standard, b}},
		{"cookie, then request", a34 + "2202", Option{}},
		{"request, then cookie", "2202 " + a34, Option{Standard, a}},
		{"cookie, then request in the other form", a34 + "fe04 f989", Option{Form: Experimental}},
		{"cookie, then 2 bytes", a34 + "2204 0102", none},
		{"cookie, then 2 bytes in the other form", a34 + "fe06 f989 0102", none},
		{"cookie, then 18 bytes", a34 + "2214 000102030405060708090a0b0c0d0e0f1011", none},
		{"2 bytes, then cookie", "2204 0102 " + a34, Option{Standard, a}},
		{"cookie, then 7 bytes", a34 + "2209 01020304050607", Option{Standard, a}},
		{"cookie, then 1 byte", a34 + "2203 01", Option{Standard, a}},
		{"cookie, 2 bytes, 1 byte", a34 + "2204 0102 2203 01", none},

		{"cookie, then length 0", a34 + "2200", Option{Standard, a}},
		{"cookie, then length 1", a34 + "2201", Option{Standard, a}},
		{"cookie, then a kind and no more", a34 + "22", Option{Standard, a}},
		{"cookie, then one that overruns", a34 + "220a b1", Option{Standard, a}},
		{"length 0, then cookie", "0500 " + a34, none},
		{"length 1, then cookie", "0501 " + a34, none},
		{"one that overruns", "220a a1a2a3a4a5a6a7", none},
		{"one that overruns hides what is in it", "ff28 " + a34, none},
		{"one option's body is not searched", "ff0c " + a34, none},
		{"after the end", "00 " + a34, none},
		{"before the end", a34 + "00 " + b34, Option{Standard, a}},

		{"254, another experiment", "fe0c f98a a1a2a3a4a5a6a7a8", none},
		{"254, too short for an experiment", "fe03 f9", none},
		{"254, no experiment", "fe02", none},
		{"cookie, then another experiment", a34 + "fe06 e2d4 0102", Option{Standard, a}},
		{"253", "fd0c f989 a1a2a3a4a5a6a7a8", none},
		{"the identifier is big-endian", "fe0c 89f9 a1a2a3a4a5a6a7a8", none},
		{"34 that begins like the identifier", "2208 f989 a1a2a3a4", Option{Standard, cookie(t, "f989a1a2a3a4")}},
		{"all zero", "220a 0000000000000000", Option{Standard, cookie(t, "0000000000000000")}},
	} {
		want, wantOK := v.want, true
		if want == none {
			want, wantOK = Option{}, false
		}
		if got, ok := ParseOption(unhex(t, v.wire)); got != want || ok != wantOK {
			t.Errorf("%s: got %v, %t want %v, %t", v.why, got, ok, want, wantOK)
		}
		if got, ok := slowParseOption(unhex(t, v.wire)); got != want || ok != wantOK {
			t.Errorf("%s: the slow parser got %v, %t want %v, %t", v.why, got, ok, want, wantOK)
		}
	}
}

// slowParseOption says the same as ParseOption in another way: it first takes
// the block apart into options, then sorts out those of Fast Open, then chooses.
func slowParseOption(block []byte) (Option, bool) {
	type raw struct {
		kind byte
		body []byte
	}
	var all []raw
	for i := 0; i < len(block) && block[i] != 0; {
		if block[i] == 1 {
			i++
			continue
		}
		if i+1 == len(block) || block[i+1] < 2 || i+int(block[i+1]) > len(block) {
			break
		}
		all = append(all, raw{block[i], block[i+2 : i+int(block[i+1])]})
		i += int(block[i+1])
	}
	magic := []byte{0xf9, 0x89}
	fastOpen := slices.DeleteFunc(all, func(r raw) bool {
		mine := r.kind == 34 || r.kind == 254 && bytes.HasPrefix(r.body, magic)
		return !mine || len(r.body)%2 == 1
	})
	if len(fastOpen) == 0 {
		return Option{}, false
	}
	last := fastOpen[len(fastOpen)-1]
	o := Option{}
	if last.kind == 254 {
		o.Form = Experimental
		last.body = last.body[len(magic):]
	}
	switch len(last.body) {
	case 0:
		return o, true
	case 4, 6, 8, 10, 12, 14, 16:
		o.Cookie, _ = CookieFrom(last.body)
		return o, true
	}
	return Option{}, false
}

// Blocks made of the pieces that matter, which fuzzing takes long to find.
func TestParseOptionAgreesWithTheSlowOne(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	found := 0
	for range 20_000 {
		var block []byte
		for range r.IntN(6) {
			n := r.IntN(20)
			body := make([]byte, n)
			for i := range body {
				body[i] = byte(r.Uint32())
			}
			switch r.IntN(6) {
			case 0:
				block = append(block, []byte{0, 1, 1, 1, 2, 4, 5, 180}[r.IntN(5):]...)
			case 1, 2:
				block = append(append(block, KindStandard, byte(2+n)), body...)
			case 3, 4:
				block = append(append(block, KindExperimental, byte(4+n), 0xf9, 0x89^byte(r.IntN(5)/4)), body...)
			case 5:
				block = append(append(block, byte(r.Uint32()), byte(r.IntN(24))), body...)
			}
		}
		block = block[:len(block)-min(len(block), r.IntN(3))]
		o, ok := ParseOption(block)
		if slow, slowOK := slowParseOption(block); o != slow || ok != slowOK {
			t.Fatalf("seed %d: % x: got %v, %t; the slow parser %v, %t", seed, block, o, ok, slow, slowOK)
		}
		if ok {
			found++
		}
	}
	if found < 2000 {
		t.Errorf("seed %d: options in %d blocks only, so the test says little", seed, found)
	}
}

func FuzzParseOption(f *testing.F) {
	for _, s := range []string{
		"", "2202", "22", "fe04f989", "220aa1a2a3a4a5a6a7a8", "fe0cf989a1a2a3a4a5a6a7a8",
		"020405b40402080a0000000100000000010303072202 0101",
		"220aa1a2a3a4a5a6a7a82204 0102", "2209 01020304050607 fe06f9890102", "01010100220a",
		"2212000102030405060708090a0b0c0d0e0f2203ff", "fe03f9 fe02 2200",
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		before := bytes.Clone(block)
		o, ok := ParseOption(block)
		if slow, slowOK := slowParseOption(block); o != slow || ok != slowOK {
			t.Fatalf("% x: got %v %s, %t; the slow parser %v %s, %t", block, o, o.Cookie.Reveal(), ok, slow, slow.Cookie.Reveal(), slowOK)
		}
		if !bytes.Equal(block, before) {
			t.Fatalf("% x: changed into % x", before, block)
		}
		if !ok {
			if o != (Option{}) {
				t.Fatalf("% x: no option, but %v", block, o)
			}
			return
		}
		wire := o.Append(nil)
		if len(wire) != o.Len() || len(wire) > MaxOptionLen {
			t.Fatalf("%v: %d bytes, Len() = %d", o, len(wire), o.Len())
		}
		if again, ok := ParseOption(wire); !ok || again != o {
			t.Fatalf("%v: appended as % x, parsed as %v, %t", o, wire, again, ok)
		}
		if !bytes.Contains(block, o.Cookie.Append(nil)) {
			t.Fatalf("% x: the cookie %s is not in it", block, o.Cookie.Reveal())
		}
	})
}

// Requirement OPT-10: what fits beside the options that TCPs put into a SYN.
func TestOptionSpace(t *testing.T) {
	request, long := Option{}, Option{Standard, cookie(t, "000102030405060708090a0b0c0d0e0f")}
	usual := Option{Standard, cookie(t, "0102030405060708")}
	for _, v := range []struct {
		why  string
		left int
		o    Option
		fits bool
	}{
		{"MSS, SACK, timestamps, window scale", 40 - 20, usual, true},
		{"MSS, SACK, timestamps, window scale", 40 - 20, long, true},
		{"with MP_CAPABLE", 40 - 24, usual, true},
		{"with MP_CAPABLE", 40 - 24, long, false},
		{"with an MD5 signature", 40 - 32, request, true},
		{"with an MD5 signature", 40 - 32, Option{Standard, cookie(t, "01020304")}, true},
		{"with an MD5 signature", 40 - 32, usual, false},
		{"with TCP-AO", 40 - 36, request, true},
		{"with TCP-AO", 40 - 36, Option{Form: Experimental}, true},
		{"with TCP-AO", 40 - 36, Option{Standard, cookie(t, "01020304")}, false},
	} {
		padded := (v.o.Len() + 3) &^ 3
		if fits := padded <= v.left; fits != v.fits {
			t.Errorf("%s: %v takes %d bytes of %d", v.why, v.o, padded, v.left)
		}
	}
}

func TestOptionDoesNotAllocate(t *testing.T) {
	syn := unhex(t, "020405b4 0402 080a0000000100000000 01030307 220aa1a2a3a4a5a6a7a8 0101")
	buf := make([]byte, 0, MaxOptionLen)
	if n := testing.AllocsPerRun(100, func() {
		o, ok := ParseOption(syn)
		if !ok || len(o.Append(buf)) != o.Len() {
			t.Fatal("not parsed")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestOptionString(t *testing.T) {
	for want, o := range map[string]Option{
		"cookie request (kind 34)":      {},
		"cookie request (kind 254)":     {Form: Experimental},
		"cookie of 8 bytes (kind 34)":   {Standard, cookie(t, "0102030405060708")},
		"cookie of 16 bytes (kind 254)": {Experimental, cookie(t, "000102030405060708090a0b0c0d0e0f")},
	} {
		if got := o.String(); got != want {
			t.Errorf("got %q want %q", got, want)
		}
	}
}

func BenchmarkParseOption(b *testing.B) {
	syn := unhex(b, "020405b4 0402 080a0000000100000000 01030307 220aa1a2a3a4a5a6a7a8 0101")
	b.ReportAllocs()
	for b.Loop() {
		ParseOption(syn)
	}
}

func BenchmarkAppendOption(b *testing.B) {
	o := Option{Standard, cookie(b, "0102030405060708")}
	buf := make([]byte, 0, MaxOptionLen)
	b.ReportAllocs()
	for b.Loop() {
		o.Append(buf)
	}
}
