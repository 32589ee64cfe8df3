package tfo

import (
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"
)

func secretOf(t *testing.T, text string) *[32]byte {
	t.Helper()
	return (*[32]byte)(unhex(t, text))
}

func TestDeriveIsWhatTofurkeyDerives(t *testing.T) {
	rows := vectors(t, "derived-keys.tsv")
	if len(rows) != 24 {
		t.Fatalf("%d vectors, not 24", len(rows))
	}
	for _, r := range rows {
		interval, err := strconv.Atoi(r[1])
		if err != nil {
			t.Fatal(err)
		}
		unix, err := strconv.ParseInt(r[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		// Whatever the fraction of the second.
		for _, ns := range []int64{0, 999_999_999} {
			k, err := Derive(secretOf(t, r[0]), time.Duration(interval)*time.Second, time.Unix(unix, ns))
			if err != nil {
				t.Fatalf("%v: %v", r, err)
			}
			if got, want := k.Reveal(), r[3]+","+r[4]; got != want {
				t.Errorf("%s s at %s: got %s want %s", r[1], r[2], got, want)
			}
		}
	}
}

// Over three intervals, second by second: the primary changes at the interval's
// start, the backup then and in its middle, DerivedUntil says when, and a cookie
// of any moment is accepted half an interval before and after by every host.
func TestDeriveOverlaps(t *testing.T) {
	secret := secretOf(t, strings.Repeat("5a", 32))
	const interval = 20 * time.Second
	start := time.Unix(1_763_800_000, 0) // a multiple of 20
	at := func(t *testing.T, now time.Time) Keys {
		t.Helper()
		k, err := Derive(secret, interval, now)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for s := range 60 {
		now := start.Add(time.Duration(s) * time.Second)
		k, next := at(t, now), at(t, now.Add(time.Second))
		until, err := DerivedUntil(interval, now)
		if err != nil {
			t.Fatal(err)
		}
		if want := start.Add(time.Duration(s/10+1) * 10 * time.Second); !until.Equal(want) {
			t.Errorf("second %d: until %v want %v", s, until, want)
		}
		if changes := !next.Equal(k); changes != until.Equal(now.Add(time.Second)) {
			t.Errorf("second %d: changes %t, but until %v", s, changes, until)
		}
		if changes := next.Primary() != k.Primary(); changes != (s%20 == 19) {
			t.Errorf("second %d: the primary changes: %t", s, changes)
		}
		for skew := -10; skew <= 10; skew++ {
			other := at(t, now.Add(time.Duration(skew)*time.Second))
			if other.Check(client4, server4, k.Mint(client4, server4)) == NoMatch {
				t.Errorf("second %d: a host %d s off refuses the cookie", s, skew)
			}
		}
	}
}

func TestDeriveRefuses(t *testing.T) {
	secret, now := secretOf(t, strings.Repeat("5a", 32)), time.Unix(1_763_800_000, 0)
	for _, v := range []struct {
		why      string
		secret   *[32]byte
		interval time.Duration
		now      time.Time
		want     string
	}{
		{"no secret", nil, time.Hour, now, "the secret to derive keys from is all zero"},
		{"zero secret", new([32]byte), time.Hour, now, "the secret to derive keys from is all zero"},
		{"no interval", secret, 0, now, "keys cannot change every 0s"},
		{"negative interval", secret, -time.Hour, now, "keys cannot change every -1h0m0s"},
		{"short interval", secret, 8 * time.Second, now, "keys cannot change every 8s"},
		{"long interval", secret, MaxDeriveInterval + 2*time.Second, now, "keys cannot change every 168h0m2s"},
		{"odd interval", secret, 11 * time.Second, now, "keys cannot change every 11s"},
		{"broken interval", secret, 12*time.Second + 1, now, "keys cannot change every 12.000000001s"},
		{"clock not set", secret, time.Hour, time.Unix(0, 0), "the clock says 1970-01-01T00:00:00Z"},
		{"no time", secret, time.Hour, time.Time{}, "the clock says 0001-01-01T00:00:00Z"},
		{"clock before", secret, time.Hour, time.Unix(999_999, 999_999_999), "the clock says 1970-01-12T13:46:39Z"},
		{"clock far ahead", secret, time.Hour, time.Unix(100_000_000_001, 0), "the clock says 5138-11-16T09:46:41Z"},
	} {
		k, err := Derive(v.secret, v.interval, v.now)
		if err == nil || !k.IsZero() || !strings.HasPrefix(err.Error(), "tfo: "+v.want) || !strings.Contains(err.Error(), ";") {
			t.Errorf("%s: %v, %v", v.why, k, err)
		}
		if !strings.Contains(v.why, "secret") {
			if until, err := DerivedUntil(v.interval, v.now); err == nil || !until.IsZero() {
				t.Errorf("%s: until %v, %v", v.why, until, err)
			}
		}
	}
	for _, v := range []struct {
		interval time.Duration
		unix     int64
	}{
		{MinDeriveInterval, minDeriveUnix}, {MaxDeriveInterval, minDeriveUnix},
		{MinDeriveInterval, maxDeriveUnix}, {MaxDeriveInterval, maxDeriveUnix},
	} {
		if _, err := Derive(secret, v.interval, time.Unix(v.unix, 0)); err != nil {
			t.Errorf("%v at %d: %v", v.interval, v.unix, err)
		}
	}
}

// Values of Python's hashlib.blake2b, of which the first is Appendix A of RFC
// 7693 and the fourth the first of BLAKE2's keyed known answers.
func TestBLAKE2b(t *testing.T) {
	upTo := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		return b
	}
	spiced := blake2b{size: 20, salt: [16]byte([]byte("salt of sixteen!")), person: [16]byte([]byte("a person of 16 b"))}
	for _, v := range []struct {
		why  string
		got  [64]byte
		want string
	}{
		{"abc", blake2b{size: 64}.sum([]byte("abc")), "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"},
		{"nothing", blake2b{size: 64}.sum(nil), "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce"},
		{"a whole block", blake2b{size: 64}.sum(upTo(128)), "2319e3789c47e2daa5fe807f61bec2a1a6537fa03f19ff32e87eecbfd64b7e0e8ccff439ac333b040f19b0c4ddd11a61e24ac1fe0f10a039806c5dcc0da3d115"},
		{"nothing under a key", blake2b{size: 64}.keyed(upTo(64)), "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568"},
		{"salt and person", spiced.sum([]byte("abc")), "0068e5fba4485514e24a72391bd2c1bc4cd0c94c"},
		{"one byte", blake2b{size: 1}.sum(nil), "2e"},
	} {
		if got := hex.EncodeToString(v.got[:])[:len(v.want)]; got != v.want {
			t.Errorf("%s: got %s want %s", v.why, got, v.want)
		}
	}
}
