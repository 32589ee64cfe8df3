package kernel

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A replacement puts other contents in the place of a file, so that whoever
// reads it, at whatever time, finds the whole of the one or the whole of the
// other. The file keeps its mode and its owner.
//
// It never writes through a link: where the file is one, it fails.
type replacement struct {
	dir      string // absolute
	name     string
	contents []byte // nil removes the file

	// fault, where a test sets it, is asked before each step, and its error
	// is taken for that of the step.
	fault func(step string) error
}

// The steps, in order. "backup" keeps the former file until the new one is
// known to be on the disk.
const (
	stepOpen    = "open"
	stepCreate  = "create"
	stepWrite   = "write"
	stepMode    = "mode"
	stepOwner   = "owner"
	stepSync    = "sync"
	stepBackup  = "backup"
	stepRename  = "rename"
	stepSyncDir = "sync directory"
)

var errLink = errors.New("is a link")

// do carries it out. If it returns an error the former file is there, and
// nothing else.
func (r replacement) do() error {
	if err := r.try(stepOpen); err != nil {
		return err
	}
	dir, err := os.OpenRoot(r.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	former, err := dir.Lstat(r.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		former = nil
	case err != nil:
		return err
	case former.Mode()&fs.ModeSymlink != 0:
		return errLink
	case !former.Mode().IsRegular():
		return errIrregular
	}
	// Names that do not end in .conf are read by nobody.
	suffix := rand.Text()[:8]
	fresh, backup := "."+r.name+"."+suffix+".new", "."+r.name+"."+suffix+".old"
	if r.contents != nil {
		if err := r.write(dir, fresh, r.contents, former); err != nil {
			dir.Remove(fresh)
			return err
		}
	}
	if former != nil {
		if err := r.keep(dir, backup, former); err != nil {
			dir.Remove(backup)
			dir.Remove(fresh)
			return err
		}
		defer dir.Remove(backup)
	}
	if err := r.swap(dir, fresh); err != nil {
		dir.Remove(fresh)
		return err
	}
	if err := r.syncDir(dir); err != nil {
		if former == nil {
			return errors.Join(err, dir.Remove(r.name))
		}
		return errors.Join(err, dir.Rename(backup, r.name))
	}
	return nil
}

// write makes a file beside the former one.
func (r replacement) write(dir *os.Root, name string, contents []byte, former fs.FileInfo) (err error) {
	if err := r.try(stepCreate); err != nil {
		return err
	}
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if err := r.try(stepWrite); err != nil {
		f.Write(contents[:len(contents)/2]) // as a full disk does
		return err
	}
	if _, err := f.Write(contents); err != nil {
		return err
	}
	mode := fs.FileMode(0o644) // whatever the umask: everybody may know the settings
	if former != nil {
		mode = former.Mode().Perm()
		owner := former.Sys().(*syscall.Stat_t)
		if err := r.try(stepOwner); err != nil {
			return err
		}
		if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	if err := r.try(stepMode); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := r.try(stepSync); err != nil {
		return err
	}
	return f.Sync()
}

// keep gives the former file a second name, or makes a copy of it where files
// can have but one.
func (r replacement) keep(dir *os.Root, backup string, former fs.FileInfo) error {
	err := r.try(stepBackup)
	if err == nil {
		err = dir.Link(r.name, backup)
	}
	// FAT says EPERM, others EOPNOTSUPP; ENOSYS comes from FUSE.
	if !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EOPNOTSUPP) && !errors.Is(err, syscall.ENOSYS) {
		return err
	}
	contents, err := dir.ReadFile(r.name)
	if err != nil {
		return err
	}
	return r.write(dir, backup, contents, former)
}

func (r replacement) swap(dir *os.Root, fresh string) error {
	if err := r.try(stepRename); err != nil {
		return err
	}
	if r.contents == nil {
		return dir.Remove(r.name)
	}
	return dir.Rename(fresh, r.name)
}

// syncDir makes the new name survive a power failure.
func (r replacement) syncDir(dir *os.Root) error {
	if err := r.try(stepSyncDir); err != nil {
		return err
	}
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (r replacement) try(step string) error {
	if r.fault == nil {
		return nil
	}
	if err := r.fault(step); err != nil {
		return &fs.PathError{Op: step, Path: filepath.Join(r.dir, r.name), Err: err}
	}
	return nil
}
