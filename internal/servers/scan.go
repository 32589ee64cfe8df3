package servers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// A Line is one that makes a server listen for TCP connections.
type Line struct {
	Server  string // "nginx" or "haproxy"
	File    string // without the root that was given to Scan
	Number  int    // of the line, from 1
	Text    string // the directive, as in "listen 80 default_server"
	Address string // where it listens, as in "*:80"

	// FastOpen says that the line, or another one for the same address, turns
	// Fast Open on there; Queue is the number it gives, 0 if the server
	// chooses it.
	FastOpen bool
	Queue    int

	// Add is what to add to this line to turn Fast Open on at its address, ""
	// if it is on, or if another line is the one to change.
	Add string
}

// places are where the servers' packages put their configurations.
var places = []struct {
	patterns []string
	scan     func(r *reader, name string) []Line
}{
	{[]string{"/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf", "/usr/local/etc/nginx/nginx.conf", "/usr/local/openresty/nginx/conf/nginx.conf"}, scanNginx},
	{[]string{"/etc/haproxy/haproxy.cfg", "/etc/haproxy/conf.d/*.cfg", "/usr/local/etc/haproxy/haproxy.cfg"}, scanHAProxy},
}

// Scan reads the configurations of the servers found under root, "/" for those
// of this machine. The problems are files that could not be read or
// understood, a sentence each; the lines are those of all the others.
func Scan(root string) (lines []Line, problems []error) {
	r := &reader{root: root}
	for _, p := range places {
		for _, pattern := range p.patterns {
			for _, name := range r.glob(pattern) {
				lines = append(lines, p.scan(r, name)...)
			}
		}
	}
	return lines, r.problems
}

// A reader reads files under a root.
type reader struct {
	root     string
	problems []error
	files    int
}

// Limits on what is read, far above what any server has.
const (
	maxFile  = 8 << 20
	maxFiles = 10_000
	maxDepth = 32 // of files that include files
)

// glob returns the files that match, in order.
func (r *reader) glob(pattern string) []string {
	found, err := filepath.Glob(filepath.Join(r.root, pattern))
	if err != nil {
		r.problem("%s is no pattern of file names: %v", pattern, err)
	}
	for i, name := range found {
		if rel, err := filepath.Rel(r.root, name); err == nil {
			found[i] = filepath.Join("/", rel)
		}
	}
	slices.Sort(found)
	return found
}

// read returns the text of a file. Links that lead to absolute names stay
// under the root.
func (r *reader) read(name string) (string, bool) {
	if r.files++; r.files > maxFiles {
		if r.files == maxFiles+1 {
			r.problem("there are more than %d files: the rest, from %s on, was not read", maxFiles, name)
		}
		return "", false
	}
	path := filepath.Join(r.root, name)
	for range 16 {
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if filepath.IsAbs(target) {
			path = filepath.Join(r.root, target)
		} else {
			path = filepath.Join(filepath.Dir(path), target)
		}
	}
	text, err := readFile(path)
	if err != nil {
		r.problem("cannot read %s: %v", name, reason(err))
		return "", false
	}
	return text, true
}

func readFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() { // a FIFO would make it wait
		return "", errors.New("it is no file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return string(b), err
}

func (r *reader) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf(format, args...))
}

// reason is err without the operation and the file.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
