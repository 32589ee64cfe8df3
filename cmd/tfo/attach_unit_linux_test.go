package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// systemd understands the unit file, and finds the program that it starts.
func TestAttachUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip(err)
	}
	unit, err := exec.Command("tfo", "attach", "--print-unit").Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tfo-attach@443.service")
	if err := os.WriteFile(path, unit, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s\n%s", err, out, unit)
	}
}

func TestUnitWord(t *testing.T) {
	for word, want := range map[string]string{
		"/usr/bin/tfo": "/usr/bin/tfo", "/a b/tfo": `"/a b/tfo"`, "/50%/$x/tfo": "/50%%/$$x/tfo", `/a"b`: `"/a\"b"`,
	} {
		if got := unitWord(word); got != want {
			t.Errorf("%s: got %s, want %s", word, got, want)
		}
	}
}
