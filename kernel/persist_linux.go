package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Persist makes the next boot turn these bits on and off, and leave the others
// as it would: it writes a block into [PersistFile] below the directory root,
// "" for this host. All else in that file is kept, also its mode and owner.
// Where the next boot does so by itself nothing is written.
//
// The file is replaced in one go. If Persist fails, all is as it was; the
// error is one sentence. With dry it only says what it would do.
//
// Persist does not fail when a line elsewhere wins over the file: see Winner.
func Persist(root string, on, off Bits, dry bool) (Persisted, error) {
	p := persisting{tree: tree{root: root}}
	return p.do(dry, func(d dropIn, without, now Bits) dropIn {
		want := now&^off | on
		if want == without {
			return d.without()
		}
		return d.with(want)
	})
}

// Unpersist takes back what [Persist] did to these bits, or to all of them
// with ^Bits(0). Nothing is left of it then, and the file is what it was, or
// gone if Persist made it.
func Unpersist(root string, only Bits, dry bool) (Persisted, error) {
	p := persisting{tree: tree{root: root}}
	return p.do(dry, func(d dropIn, without, now Bits) dropIn {
		want := now&^only | without&only
		if want == without {
			return d.without()
		}
		return d.with(want)
	})
}

// persisting is one change to the file.
type persisting struct {
	tree  tree
	fault func(step string) error // for tests
}

// do changes the file as edit says, which is given what the next boot would
// set without our block, and what our block or else the next boot sets now.
func (p persisting) do(dry bool, edit func(d dropIn, without, now Bits) dropIn) (Persisted, error) {
	text, exists, err := p.read()
	if err != nil {
		return Persisted{}, err
	}
	d, err := parseDropIn(text)
	if err != nil {
		return Persisted{}, fmt.Errorf("kernel: %s %w, so it was left alone: take these lines out by hand", PersistFile, err)
	}
	if !exists {
		d.made = true
	}
	without := p.with(d.without()).Bits()
	now := without
	if d.block {
		now = d.value
	}
	next := edit(d, without, now)
	r := Persisted{Before: p.with(d).Bits(), Want: without, Boot: p.with(next)}
	if next.block {
		r.Want = next.value
	}
	if r.After = r.Boot.Bits(); r.After != r.Want {
		r.Winner = r.Boot.FastOpen.After(r.Boot.Reader).inTheWay(r.Boot.Reader)
	}
	r.Removed = exists && next.gone()
	r.Wrote = !next.gone() && next.text() != text
	if dry || !r.Removed && !r.Wrote {
		return r, nil
	}
	if err := p.write(next); err != nil {
		return Persisted{}, err
	}
	return r, nil
}

// with foretells the next boot with another text in the file.
func (p persisting) with(d dropIn) BootPlan {
	t := p.tree
	t.instead = PersistFile
	if !d.gone() {
		t.contents = []byte(d.text()) // never nil
	}
	return bootWith(t)
}

// read returns the file as it is.
func (p persisting) read() (text string, exists bool, err error) {
	name := p.tree.path(PersistFile)
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("kernel: cannot look at %s: %w", name, cause(err))
	case info.Mode()&fs.ModeSymlink != 0:
		target, _ := os.Readlink(name)
		return "", false, fmt.Errorf("kernel: %s is a link to %s and was left alone: change what it leads to, or remove the link, which may be there to keep that file from being read", name, target)
	}
	b, _, err := p.tree.read(bootFile{name: PersistFile, real: PersistFile})
	if err == errIrregular || err == errHuge {
		return "", false, fmt.Errorf("kernel: %s %w and was left alone: move it away", name, err)
	}
	if err != nil {
		return "", false, fmt.Errorf("kernel: cannot read %s: %w", name, cause(err))
	}
	return string(b), true, nil
}

// write puts the file in place.
func (p persisting) write(d dropIn) error {
	dir, err := p.tree.resolve(filepath.Dir(PersistFile))
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		err = os.Mkdir(p.tree.path(dir), 0o755)
	}
	if err == nil {
		r := replacement{dir: p.tree.path(dir), name: filepath.Base(PersistFile), contents: []byte(d.text()), fault: p.fault}
		if d.gone() {
			r.contents = nil
		}
		err = r.do()
	}
	if err == nil {
		return nil
	}
	if made {
		os.Remove(p.tree.path(dir)) // only if it is empty
	}
	name := p.tree.path(PersistFile)
	why := cause(err).Error()
	switch {
	case err == errLink || err == errIrregular:
		why = "it became something else in the meantime; look at it and try again"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		why += "; make room and try again"
	case errors.Is(err, syscall.EROFS):
		why += "; in a container, run this on the host instead, whose boot it is"
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0:
		why += ", although this is root; lsattr shows whether the file may not be changed, or else something such as SELinux forbids it"
	case errors.Is(err, fs.ErrPermission):
		why += "; run this as root"
	}
	return sentencef(err, "cannot write %s, and all is as it was: %s", name, why)
}
