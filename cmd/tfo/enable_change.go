package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/fastopen-go/fastopen/kernel"
)

// switching is one run of tfo enable or tfo disable.
type switching struct {
	flags *switchFlags
	on    bool // enable
	cmd   *cobra.Command

	passing string // see there

	before, after kernel.Bits       // of the running value
	boot          *kernel.Persisted // nil if the file was no matter
	memory        memory
	forgetful     error // why the former value could not be remembered
	obstacle      error // why the running value cannot be changed, of a dry run
}

// memory is what is remembered of the former running value. If ok is false
// nothing was remembered since the last boot, and it is what the boot did.
type memory struct {
	change kernel.BitChange
	ok     bool
}

// change does what was asked, in the network namespace that was chosen. If it
// fails, all is as it was.
func (s *switching) change() error {
	var err error
	if s.before, err = kernel.FastOpen(); err != nil {
		return err
	}
	if s.memory.change, s.memory.ok, err = kernel.Remembered(""); err != nil {
		if s.flags.undo {
			return err
		}
		s.forgetful = err
	}
	if !s.memory.ok {
		s.memory.change = s.atBoot()
	}
	// What cannot be written is found out before anything is changed.
	if err := s.persist(true); err != nil {
		return err
	}
	s.after = s.wanted()
	if s.after != s.before {
		s.obstacle = kernel.MaySetFastOpen()
	}
	switch {
	case s.flags.dry:
		return nil
	case s.obstacle != nil:
		return s.obstacle
	}
	if err := s.run(); err != nil {
		return err
	}
	if err := s.persist(false); err != nil {
		return errors.Join(err, s.back())
	}
	return nil
}

// elsewhere reports whether the namespace is known to be one that the next boot
// is not about.
func (s *switching) elsewhere() bool { return s.flags.namespace.given || s.passing != "" }

// wanted returns what the running value is to be.
func (s *switching) wanted() kernel.Bits {
	bits := s.flags.bits()
	switch {
	case s.flags.undo:
		return s.memory.change.Only(bits).Undo(s.before)
	case s.on:
		return s.before | bits
	}
	return s.before &^ bits
}

// atBoot returns what our block in the file changed of the running value at the
// last boot, save what somebody else has changed since.
func (s *switching) atBoot() kernel.BitChange {
	p, err := kernel.Unpersist("", ^kernel.Bits(0), true)
	if err != nil || s.elsewhere() {
		return kernel.BitChange{}
	}
	set := (p.Before ^ p.After) &^ (p.Before ^ s.before)
	return kernel.BitChange{Bits: set, Former: p.After & set}
}

// run changes the running value. What it was is remembered first, so that no
// change is ever forgotten.
func (s *switching) run() error {
	if !s.flags.undo && s.forgetful == nil {
		block := s.flags.persist || s.memory.ok && !s.elsewhere()
		s.forgetful = s.memory.with(s.before, s.after, block).save()
	}
	if s.after != s.before {
		if err := kernel.SetFastOpen(s.after); err != nil {
			return errors.Join(err, s.recall())
		}
	}
	if s.flags.undo {
		return s.memory.without(s.flags.bits()).save()
	}
	return nil
}

// back takes the running value back after the file could not be written.
func (s *switching) back() error {
	if s.after == s.before {
		return s.recall()
	}
	return errors.Join(kernel.SetFastOpen(s.before), s.recall())
}

// recall makes what is remembered what it was.
func (s *switching) recall() error {
	if s.forgetful != nil {
		return nil
	}
	return s.memory.save()
}

// with returns m with a further change. That nothing was changed is worth
// remembering only where there may be a block in the file, which otherwise
// would be taken for what set the running value at boot.
func (m memory) with(before, after kernel.Bits, block bool) memory {
	m.change = m.change.And(before, after)
	m.ok = block || m.change != kernel.BitChange{}
	return m
}

// without returns m after these bits were undone.
func (m memory) without(bits kernel.Bits) memory {
	m.change = m.change.Without(bits)
	m.ok = m.ok && bits != ^kernel.Bits(0)
	return m
}

func (m memory) save() error {
	now, ok, err := kernel.Remembered("")
	switch {
	case err == nil && m == memory{now, ok}:
		return nil
	case m.ok:
		return kernel.Remember("", m.change)
	}
	return kernel.Forget("")
}

// persist changes the file, if that was asked for.
func (s *switching) persist(dry bool) error {
	bits := s.flags.bits()
	var p kernel.Persisted
	var err error
	switch {
	case s.elsewhere(), !s.flags.persist && !s.flags.undo:
		return nil
	case s.flags.undo:
		p, err = kernel.Unpersist("", bits, dry)
	case s.on:
		p, err = kernel.Persist("", bits, 0, dry)
	default:
		p, err = kernel.Persist("", 0, bits, dry)
	}
	if err == nil {
		s.boot = &p
	}
	return err
}
