package kernel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// bootDirs are the directories of settings: the first that has a file of some
// name hides those of the others.
var bootDirs = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"}

const (
	sysctlConf      = "/etc/sysctl.conf"
	commandLineFile = "/proc/cmdline"
	devNull         = "/dev/null"

	mostBytes = 1 << 20 // of a file: systemd-sysctl takes no longer line, either
	mostLinks = 40      // on the way to a file, as in the kernel
)

// A tree is the root directory under which the files are, with one file
// perhaps that reads other than it is now.
type tree struct {
	root     string
	instead  string // the name of that file, if any
	contents []byte // nil if that file is to be missing
}

// reader returns who reads the files at boot.
func (t tree) reader() Reader {
	// sd_booted(3) goes by this directory. In the image of a host that does
	// not run, what it will run as init tells.
	if info, err := os.Stat(t.path("/run/systemd/system")); err == nil && info.IsDir() {
		return Systemd
	}
	for _, init := range []string{"/sbin/init", "/usr/sbin/init"} {
		if name, err := t.resolve(init); err == nil && filepath.Base(name) == "systemd" {
			return Systemd
		}
	}
	return Procps
}

func (t tree) path(name string) string { return filepath.Join(t.root, name) }

// resolve follows the links on the way to a file of the tree, and in it.
func (t tree) resolve(name string) (string, error) {
	done, left := "/", strings.Split(name, "/")
	for links := 0; len(left) > 0; {
		part := left[0]
		left = left[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = filepath.Dir(done)
			continue
		}
		next := filepath.Join(done, part)
		info, err := os.Lstat(t.path(next))
		if err != nil {
			if t.contents != nil && strings.HasPrefix(t.instead+"/", next+"/") {
				done = next // it is to be there
				continue
			}
			return filepath.Join(append([]string{next}, left...)...), err
		}
		if info.Mode()&fs.ModeSymlink == 0 || next == t.instead {
			done = next
			continue
		}
		if links++; links > mostLinks {
			return next, syscall.ELOOP
		}
		target, err := os.Readlink(t.path(next))
		if err != nil {
			return next, err
		}
		if target == devNull {
			return devNull, nil // the image of a host that does not run has none
		}
		if strings.HasPrefix(target, "/") {
			done = "/"
		}
		left = append(strings.Split(target, "/"), left...)
	}
	return done, nil
}

// A bootFile is a file to be read.
type bootFile struct {
	name, real string
	err        error    // why it leads nowhere
	hides      []string // files of the same name that are not read for it
	procpsOnly bool
}

// files returns the files in the order in which they are read.
func (b *bootReading) files() []bootFile {
	byName := map[string]*bootFile{}
	seen := map[string]bool{} // directories, of which /lib/sysctl.d may be another name of one before
	for _, dir := range bootDirs {
		real, err := b.tree.resolve(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			b.trouble(dir, 0, errors.Is(err, fs.ErrPermission), "cannot be read: %v", cause(err))
		}
		if err != nil || seen[real] {
			continue
		}
		seen[real] = true
		for _, base := range b.names(dir, real) {
			name := dir + "/" + base
			if first := byName[base]; first != nil {
				first.hides = append(first.hides, name)
				continue
			}
			f := &bootFile{name: name, procpsOnly: strings.HasPrefix(base, ".")} // hidden_or_backup_file in systemd
			f.real, f.err = b.tree.resolve(name)
			byName[base] = f
		}
	}
	var list []bootFile
	for _, f := range byName {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(x, y bootFile) int {
		return strings.Compare(filepath.Base(x.name), filepath.Base(y.name))
	})
	if real, err := b.tree.resolve(sysctlConf); !errors.Is(err, fs.ErrNotExist) {
		list = append(list, bootFile{name: sysctlConf, real: real, err: err, procpsOnly: true})
	}
	return list
}

// names returns the names in a directory that count.
func (b *bootReading) names(dir, real string) []string {
	entries, err := os.ReadDir(b.tree.path(real))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.trouble(dir, 0, true, "cannot be read: %v", cause(err))
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if at, base := filepath.Split(b.tree.instead); filepath.Clean(at) == dir {
		names = slices.DeleteFunc(names, func(n string) bool { return n == base })
		if b.tree.contents != nil {
			names = append(names, base)
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".conf") })
}

// read returns the contents of a file, or nil and why it has none.
func (t tree) read(f bootFile) ([]byte, fs.FileMode, error) {
	if f.err != nil {
		return nil, 0, f.err
	}
	if f.real == t.instead && t.contents != nil {
		return t.contents, 0o644, nil
	}
	if f.real == devNull {
		return nil, 0, nil // the customary way to hide the files of that name
	}
	info, err := os.Stat(t.path(f.real))
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errIrregular // reading a pipe might never end
	}
	file, err := os.Open(t.path(f.real))
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostBytes+1))
	if err == nil && len(text) > mostBytes {
		err = errHuge
	}
	return text, info.Mode(), err
}

var (
	errIrregular = errors.New("is no regular file")
	errHuge      = fmt.Errorf("has more than %d bytes", mostBytes)
)

// cause is err without the operation and the file, which the sentence around
// it names already.
func cause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
