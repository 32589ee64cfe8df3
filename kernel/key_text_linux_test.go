package kernel

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/fastopen-go/fastopen/internal/netns"
	"github.com/fastopen-go/fastopen/tfo"
)

// Requirement KEY-2: parseKeysLoosely makes of a text what the kernel makes of
// it.
func TestParseKeysAsTheKernel(t *testing.T) {
	if netns.Isolate(t) {
		return
	}
	const key = "a0bf63f7-ed803d81-cd641d30-cebc4a90"
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	texts := []string{key, key + "," + key, key + "," + key + "," + key, "1-2-3-4", "1-2-3-4,", ",1-2-3-4", "1-2-3-4xyz", "0x1-0X2-3-4", "123456789-1-1-1", "1-2-3", "1-2-3-g",
		"1--2-3-4", "-1-2-3-4", " 1- 2-3-4", "1 -2-3-4", "1-2-3-4 , 5-6-7-8", "1-2-3-4,5-6-7", "", "0-0-0-0", "0x-1-1-1", "0xg-1-1-1", "1-2-3-0x", "\xa01-2-3-4", "\xff1-2-3-4",
		"00000000000000000000000000000001-2-3-4", key + "                        ," + key}
	for fixed := texts; len(texts) < 5000; {
		b := []byte(fixed[r.IntN(len(fixed))])
		for range r.IntN(4) {
			const alphabet = "09afxXgG-, \t\v\xa0\xff\x00"
			if i := r.IntN(len(b) + 1); i == len(b) || r.IntN(2) == 0 {
				b = append(b[:i:i], append([]byte{alphabet[r.IntN(len(alphabet))]}, b[i:]...)...)
			} else {
				b[i] = alphabet[r.IntN(len(alphabet))]
			}
		}
		texts = append(texts, string(b))
	}
	taken := 0
	for _, text := range texts {
		if err := writeSetting(KeyName, "5a5a5a5a-5a5a5a5a-5a5a5a5a-5a5a5a5a"); err != nil {
			t.Fatal(err)
		}
		writeErr := os.WriteFile(sysctlFile(KeyName), []byte(text+"\n"), 0)
		got, err := readSetting(KeyName)
		if err != nil {
			t.Fatal(err)
		}
		keys, ok := parseKeysLoosely(text)
		if (writeErr == nil) != ok || ok && keys.Reveal() != strings.TrimSpace(got) {
			t.Errorf("%q: the kernel says %v and reads %s; parseKeysLoosely says %s, %t (seed %d)", text, writeErr, strings.TrimSpace(got), keys.Reveal(), ok, seed)
		}
		strict, err := tfo.ParseKeys(text)
		if err == nil && len(strict.Backups()) < 2 && (!ok || !keys.Equal(strict)) {
			t.Errorf("%q: ParseKeys and the kernel differ (seed %d)", text, seed)
		}
		if ok {
			taken++
		}
	}
	if taken < 500 || taken > len(texts)-500 {
		t.Errorf("of %d texts the kernel took %d, so this shows little", len(texts), taken)
	}
}

func FuzzParseKeysLoosely(f *testing.F) {
	for _, s := range []string{"1-2-3-4", "1-2-3-4,5-6-7-8", "0x1-2-3-4z", ",", "-", "1-2-3-4,", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		keys, ok := parseKeysLoosely(text)
		strict, err := tfo.ParseKeys(text)
		if err == nil && len(text) < 72 && len(strict.Backups()) < 2 && !strings.ContainsAny(text, "\x00\n\u0085") && (!ok || !keys.Equal(strict)) {
			t.Errorf("%q: got %v, %t; ParseKeys says %v", text, keys, ok, strict)
		}
	})
}
