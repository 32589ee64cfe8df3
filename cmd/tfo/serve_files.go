package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// files offers what is below a directory.
type files struct {
	fsys   fs.FS
	server http.Handler
}

// openFiles opens dir for good: what is reached through it stays below it,
// whatever symbolic links say.
func openFiles(dir string) (*files, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no directory %s: name one that exists, or none for the built-in page", dir)
	case err != nil:
		return nil, fmt.Errorf("cannot serve %s: %w", dir, err)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a directory: name the one that it is in", dir)
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		_, err = fs.ReadDir(root.FS(), ".")
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("cannot read the directory %s: this user may not; see who may with: ls -ld %s", dir, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot serve %s: %w", dir, err)
	}
	shown := visible{root.FS()}
	return &files{shown, http.FileServerFS(shown)}, nil
}

// serve answers a request for a file or a directory.
func (f *files) serve(w http.ResponseWriter, r *http.Request, _ account) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		http.Error(w, "Files can be read with GET and HEAD, and not be changed.", http.StatusMethodNotAllowed)
		return
	}
	name := strings.Trim(path.Clean("/"+r.URL.Path), "/")
	if name == "" {
		name = "."
	}
	if strings.HasSuffix(r.URL.Path, "/") {
		if info, err := fs.Stat(f.fsys, name); err == nil && info.IsDir() {
			if _, err := fs.Stat(f.fsys, path.Join(name, "index.html")); err != nil {
				f.list(w, r, name)
				return
			}
		}
	}
	f.server.ServeHTTP(w, r)
}

//go:embed listing.html
var listingHTML string

var listingTemplate = template.Must(template.New("listing").Parse(listingHTML))

// An entry is a line in the list of a directory.
type entry struct {
	Name, Link, Size, Changed string
	Dir                       bool
}

// list shows a directory that has no index.html.
func (f *files) list(w http.ResponseWriter, r *http.Request, dir string) {
	found, err := fs.ReadDir(f.fsys, dir)
	if err != nil {
		http.Error(w, "This directory cannot be read.", http.StatusForbidden)
		return
	}
	data := struct {
		Path    string
		Up      bool
		Entries []entry
	}{Path: r.URL.Path, Up: dir != "."}
	for _, d := range found {
		info, err := fs.Stat(f.fsys, path.Join(dir, d.Name())) // follows links, if they stay inside
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		e := entry{
			Name:    d.Name(),
			Link:    (&url.URL{Path: "./" + d.Name()}).String(), // a name may have a colon
			Dir:     info.IsDir(),
			Changed: info.ModTime().UTC().Format(time.DateTime),
		}
		if e.Dir {
			e.Name, e.Link = e.Name+"/", e.Link+"/"
		} else {
			e.Size = size(info.Size())
		}
		data.Entries = append(data.Entries, e)
	}
	slices.SortStableFunc(data.Entries, func(a, b entry) int {
		switch {
		case a.Dir == b.Dir:
			return strings.Compare(a.Name, b.Name)
		case a.Dir:
			return -1
		}
		return 1
	})
	writeHTML(w, r, listingTemplate, data)
}

// writeHTML renders a page and sends it.
func writeHTML(w http.ResponseWriter, r *http.Request, t *template.Template, data any) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		http.Error(w, "The page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	pageHeader(w)
	w.Write(b.Bytes())
}

// visible is a file system without what nobody shall see: names that begin
// with a dot, what is neither file nor directory (opening a pipe would wait
// for a writer), and links that lead out of it.
type visible struct{ fs.FS }

// Open implements [fs.FS].
func (v visible) Open(name string) (fs.File, error) {
	hidden := &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	for part := range strings.SplitSeq(name, "/") {
		if isHidden(part) {
			return nil, hidden
		}
	}
	info, err := fs.Stat(v.FS, name)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, err
	case err != nil:
		return nil, hidden
	case info.IsDir():
		f, err := v.FS.Open(name)
		if err != nil {
			return nil, err
		}
		if d, ok := f.(fs.ReadDirFile); ok {
			return visibleDir{d}, nil
		}
		return f, nil
	case !info.Mode().IsRegular():
		return nil, hidden
	}
	return v.FS.Open(name)
}

// Stat implements [fs.StatFS], also for files that may not be read.
func (v visible) Stat(name string) (fs.FileInfo, error) {
	for part := range strings.SplitSeq(name, "/") {
		if isHidden(part) {
			return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
		}
	}
	return fs.Stat(v.FS, name)
}

func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") && name != "." && name != ".well-known"
}

// visibleDir is a directory without the names that nobody shall see.
type visibleDir struct{ fs.ReadDirFile }

// ReadDir implements [fs.ReadDirFile].
func (d visibleDir) ReadDir(n int) ([]fs.DirEntry, error) {
	list, err := d.ReadDirFile.ReadDir(n)
	return slices.DeleteFunc(list, func(e fs.DirEntry) bool { return isHidden(e.Name()) }), err
}
