package tfo

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
)

// traces returns the ways in which three bytes in a row of b could show up in
// print.
func traces(b []byte) []string {
	var all []string
	for i := 0; i+3 <= len(b); i++ {
		three := b[i : i+3]
		all = append(all, string(three), hex.EncodeToString(three), fmt.Sprintf("%X", three))
		for _, f := range []string{"%d %d %d", "%d, %d, %d", "%d,%d,%d", "%x %x %x", "%02x %02x %02x", "%X %X %X", "%02X %02X %02X", "%#x, %#x, %#x", "%#x %#x %#x", "%o %o %o", "%b %b %b", "%c %c %c"} {
			all = append(all, fmt.Sprintf(f, three[0], three[1], three[2]))
		}
		all = append(all, hex.EncodeToString([]byte{three[2], three[1], three[0]}))
	}
	for i := 0; i+8 <= len(b); i += 8 { // a cookie is words within
		var le, be uint64
		for j := range 8 {
			le |= uint64(b[i+j]) << (8 * j)
			be = be<<8 | uint64(b[i+j])
		}
		for _, w := range []uint64{le, be} {
			all = append(all, strconv.FormatUint(w, 10), strconv.FormatUint(w, 16), strconv.FormatUint(w, 8), strconv.FormatUint(w, 2))
		}
	}
	return all
}

// Requirement COOKIE-4: neither verb nor encoder nor logger shows a secret.
func TestSecretsAreNotPrinted(t *testing.T) {
	primary := Key(unhex(t, "a1b2c3d4e5f6071829304b5c6d7e8f90"))
	backup := Key(unhex(t, "91a2b3c4d5e6f708192a3b4c5d6e7f80"))
	k := NewKeys(primary, backup)
	c := cookie(t, "d1e2f3a4b5c6d7e8")
	secrets := append(append(traces(primary[:]), traces(backup[:])...), traces(c.Append(nil))...)
	for _, s := range []string{primary.Reveal(), backup.Reveal()} {
		secrets = append(secrets, strings.Split(s, "-")...)
	}

	check := func(how, printed string) {
		t.Helper()
		for _, s := range secrets {
			if strings.Contains(printed, s) {
				t.Errorf("%s shows %q: %s", how, s, printed)
				return
			}
		}
	}
	type exported struct {
		Key    Key
		Keys   Keys
		Cookie Cookie
		Option Option
		Entry  Entry
		Ring   *Keyring
	}
	type unexported struct {
		keys Keys
		ring *Keyring
	}
	ring := NewKeyring(k)
	values := []any{
		primary, &primary, k, &k, c, &c, Option{Cookie: c}, Entry{Cookie: Option{Cookie: c}}, ring,
		[]Key{primary}, map[Key]bool{primary: true}, []Keys{k}, []Cookie{c}, map[Cookie]bool{c: true},
		exported{primary, k, c, Option{Cookie: c}, Entry{Cookie: Option{Cookie: c}}, ring},
		&exported{primary, k, c, Option{Cookie: c}, Entry{Cookie: Option{Cookie: c}}, ring},
		unexported{k, ring}, &unexported{k, ring}, []any{k, primary, c},
		fmt.Errorf("wrapped: %v", k), errors.Join(fmt.Errorf("%x", primary), fmt.Errorf("%+v", c)),
	}
	for _, v := range values {
		for _, verb := range "vsqxXdobcUeEfFgGtTz" {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "40", "#40", ".2", "[1]"} {
				format := "%" + flags + string(verb)
				check(fmt.Sprintf("%s of %T", format, v), fmt.Sprintf(format, v))
			}
		}
		check(fmt.Sprintf("Sprint of %T", v), fmt.Sprint(v))
		check(fmt.Sprintf("%T too many", v), fmt.Sprintf(tooMany(), v))
		if b, err := json.Marshal(v); err == nil {
			check(fmt.Sprintf("JSON of %T", v), string(b))
		}
		for name, h := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(h(&b)).Info("message", "value", v)
			check(fmt.Sprintf("slog %s of %T", name, v), b.String())
		}
	}
	// fmt calls no method for verbs that are no use for a value, such as %w for
	// what is no error (go vet refuses them). Keys is safe from these as well.
	for _, v := range []any{k, &k, ring, []Keys{k}, unexported{k, ring}, &unexported{k, ring}} {
		for _, verb := range "wp" {
			format := "%" + string(verb)
			check(fmt.Sprintf("%s of %T", format, v), fmt.Sprintf(format, v))
		}
	}
	// The test would find what it looks for.
	for _, leak := range []string{
		fmt.Sprint([KeyLen]byte(primary)), fmt.Sprintf("%x", [KeyLen]byte(primary)), k.Reveal(), c.Reveal(),
		fmt.Sprintf("%#v", [KeyLen]byte(backup)), string(primary[:]), fmt.Sprintf("%+v", struct{ c Cookie }{c}),
	} {
		found := false
		for _, s := range secrets {
			found = found || strings.Contains(leak, s)
		}
		if !found {
			t.Errorf("nothing found in %s", leak)
		}
	}
}

func TestWhatIsPrintedInstead(t *testing.T) {
	k := NewKeys(Key{})
	c := cookie(t, "0102030405060708")
	for _, v := range []struct{ got, want string }{
		{fmt.Sprintf("%v", k), "primary:f8c51834bf"},
		{fmt.Sprintf("%+v", k), "primary:f8c51834bf"},
		{fmt.Sprintf("%#v", k), `"primary:f8c51834bf"`},
		{fmt.Sprintf("%q", k), `"primary:f8c51834bf"`},
		{fmt.Sprintf("%x", k), "primary:f8c51834bf"},
		{fmt.Sprintf("%d", k), "primary:f8c51834bf"},
		{fmt.Sprintf("%20s|", k), "  primary:f8c51834bf|"},
		{fmt.Sprintf("%-20s|", k), "primary:f8c51834bf  |"},
		{fmt.Sprintf("%x", k.Primary()), "f8c51834bf"},
		{fmt.Sprintf("%v", Keys{}), "none"},
		{fmt.Sprintf("%x", c), "cookie of 8 bytes"},
		{fmt.Sprintf("%v", Cookie{}), "no cookie"},
		{fmt.Sprintf("%v", Option{Cookie: c}), "cookie of 8 bytes (kind 34)"},
		{fmt.Sprintf("%v", NewKeyring(k)), "primary:f8c51834bf"},
	} {
		if v.got != v.want {
			t.Errorf("got %s want %s", v.got, v.want)
		}
	}
}

// tooMany is a format for fewer arguments than it will be given, unknown to
// vet.
func tooMany() string { return os.Getenv("FASTOPEN_NO_SUCH_VARIABLE") }
