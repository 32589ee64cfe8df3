package tfo

import (
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// vectors returns the rows of a table in testdata, split at tabs.
func vectors(t *testing.T, file string) [][]string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			rows = append(rows, strings.Split(line, "\t"))
		}
	}
	return rows
}

func TestCookieVectors(t *testing.T) {
	rows := vectors(t, "cookies.tsv")
	if len(rows) < 19 {
		t.Fatalf("%d vectors", len(rows))
	}
	for _, r := range rows {
		k, err := ParseKeys(r[0])
		if err != nil {
			t.Fatal(err)
		}
		client, server := netip.MustParseAddr(r[1]), netip.MustParseAddr(r[2])
		if got := k.Mint(client, server).Reveal(); got != r[3] {
			t.Errorf("%v: got %s want %s", r, got, r[3])
		}
	}
}

func TestDerivedKeyVectors(t *testing.T) {
	rows := vectors(t, "derived-keys.tsv")
	if len(rows) < 24 {
		t.Fatalf("%d vectors", len(rows))
	}
	for _, r := range rows {
		secret, err := hex.DecodeString(r[0])
		if err != nil {
			t.Fatal(err)
		}
		interval, _ := strconv.Atoi(r[1])
		unix, _ := strconv.ParseInt(r[2], 10, 64)
		k, err := Derive((*[32]byte)(secret), time.Duration(interval)*time.Second, time.Unix(unix, 0))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := k.Reveal(), r[3]+","+r[4]; got != want {
			t.Errorf("%s s at %d: got %s want %s", r[1], unix, got, want)
		}
	}
}
