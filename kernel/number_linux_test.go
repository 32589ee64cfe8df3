package kernel

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
)

// parseInt takes what the kernel takes, and makes the same of it.
func TestParseIntAsTheKernel(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	texts := []string{"3", "0x3", "0X3", "0x", "0xg", "017", "08", "yes", "", " ", "3 4", "3\t4", "3,4", "3abc", "-1", "--1", "- 1", "+1", "3;", "3 # both", "\v3", "\xa03", "\xff3", "\xc2\xa03", "3\v",
		"2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296", "18446744073709551615", "18446744073709551616", "99999999999999999999",
		"000000000000000000003", "00000000000000000003", "00000000000000000003 ", "-00000000000000000003", "0x0000000000000000003", "-0x1", "1e3", "3.0", "3\r"}
	const alphabet = "0123789xXafg-+ \t\v\r,;#.\xa0\xff\n"
	for range 5000 {
		b := make([]byte, r.IntN(1+r.IntN(24)))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		texts = append(texts, string(b))
	}
	taken := 0
	for _, text := range texts {
		// Before each, a value that none of the texts is likely to be.
		if err := SetFastOpen(0x5a5a5a5a); err != nil {
			t.Fatal(err)
		}
		// Written as those do who read the files at boot, with one write(2).
		writeErr := os.WriteFile(sysctlFile(Name), []byte(text+"\n"), 0)
		got, err := FastOpen()
		if err != nil {
			t.Fatal(err)
		}
		want, parseErr := parseInt(text)
		if (writeErr == nil) != (parseErr == nil) || parseErr == nil && Bits(want) != got {
			t.Errorf("%q: the kernel says %v and reads %d; parseInt says %d, %v (seed %d)", text, writeErr, int32(got), want, parseErr, seed)
		}
		if parseErr == nil {
			taken++
		}
	}
	if taken < 100 || taken > len(texts)-100 {
		t.Errorf("of %d texts the kernel took %d, so this shows little", len(texts), taken)
	}
}

func FuzzParseInt(f *testing.F) {
	for _, s := range []string{"3", "0x403", "017", "-1", "", "yes", "99999999999999999999999", "3 4"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := parseInt(string(text))
		if err != nil && n != 0 {
			t.Errorf("%q: got %d and error %v", text, n, err)
		}
		if m, e := parseInt(string(text) + " "); bytes.IndexByte(text, 0) < 0 && err == nil && len(text) < numberMost && (e != nil || m != n) {
			t.Errorf("%q: got %d, and with a space behind it %d, %v", text, n, m, e)
		}
	})
}
