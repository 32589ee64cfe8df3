package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A server of files shows what is below its directory, and nothing else.
func TestFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege here")
	}
	outside, dir := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "passwd"), "secret")
	write(filepath.Join(dir, "a b.txt"), "text")
	write(filepath.Join(dir, "x:y"), "colon")
	write(filepath.Join(dir, ".env"), "secret")
	write(filepath.Join(dir, ".git/config"), "secret")
	write(filepath.Join(dir, ".well-known/security.txt"), "contact")
	write(filepath.Join(dir, "site/index.html"), "<p>index")
	write(filepath.Join(dir, "sub/<b>"), "tag")
	for link, to := range map[string]string{
		"escape": filepath.Join(outside, "passwd"), "escapedir": outside, "up": "../" + filepath.Base(outside) + "/passwd",
		"inside": "a b.txt", "loop": "loop",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := openFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
		body         string // part of it
	}{
		{"GET", "/a%20b.txt", 200, "text"},
		{"HEAD", "/a%20b.txt", 200, ""},
		{"GET", "/x:y", 200, "colon"},
		{"GET", "/inside", 200, "text"},
		{"GET", "/site/", 200, "<p>index"},
		{"GET", "/site", 301, ""},
		{"GET", "/sub/", 200, "&lt;b&gt;"},
		{"GET", "/.well-known/security.txt", 200, "contact"},
		{"GET", "/", 200, `<a href="./a%20b.txt">a b.txt</a>`},
		{"GET", "/", 200, `<a href="./x:y">x:y</a>`},
		{"GET", "/", 200, `<a href="./inside">`},
		{"GET", "/.env", 404, ""},
		{"GET", "/.git/config", 404, ""},
		{"GET", "/.git/", 404, ""},
		{"GET", "/escape", 404, ""},
		{"GET", "/escapedir/", 404, ""},
		{"GET", "/escapedir/passwd", 404, ""},
		{"GET", "/up", 404, ""},
		{"GET", "/loop", 404, ""},
		{"GET", "/../" + filepath.Base(outside) + "/passwd", 404, ""},
		{"GET", "/%2e%2e/" + filepath.Base(outside) + "/passwd", 404, ""},
		{"GET", "/sub/..%2f..%2f" + filepath.Base(outside) + "/passwd", 404, ""},
		{"GET", "/none", 404, ""},
		{"GET", "/a%20b.txt/", 301, ""},
		{"GET", "/%00", 404, ""},
		{"POST", "/a%20b.txt", 405, "GET and HEAD"},
		{"DELETE", "/a%20b.txt", 405, ""},
		{"OPTIONS", "/", 204, ""},
	} {
		r := httptest.NewRequest(c.method, "http://host"+c.path, nil)
		w := httptest.NewRecorder()
		f.serve(w, r, account{})
		got := fmt.Sprintf("%d %s", w.Code, w.Body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: got %s; want %d and %q", c.method, c.path, got, c.status, c.body)
		}
		for _, never := range []string{"secret", ".env", ".git", "escape", "loop", "<b>"} {
			if strings.Contains(w.Body.String(), never) {
				t.Errorf("%s %s: the answer has %q in it:\n%s", c.method, c.path, never, w.Body)
			}
		}
	}
	// What replaces the directory under its name is not served: it was opened
	// for good.
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	defer os.Rename(dir+".old", dir)
	w := httptest.NewRecorder()
	f.serve(w, httptest.NewRequest("GET", "http://host/x:y", nil), account{})
	if w.Code != http.StatusOK {
		t.Errorf("after a rename: got %d", w.Code)
	}
}
