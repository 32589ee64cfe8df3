package tfo

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
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

// The tables are kept twice where the project's shared folder lies beside the
// checkout; then they must be the same.
func TestVectorsAreTheSharedOnes(t *testing.T) {
	for _, file := range []string{"cookies.tsv", "derived-keys.tsv"} {
		ours, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		shared, err := os.ReadFile("../../shared/vectors/" + file)
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("no ../shared/vectors beside this checkout")
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours, shared) {
			t.Errorf("testdata/%s differs from ../shared/vectors/%[1]s; copy it anew", file)
		}
	}
}
