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

	before, after kernel.Bits       // of the running value
	boot          *kernel.Persisted // nil if the file was no matter
	forgetful     error             // why the former value could not be remembered
}

// change does what was asked, in the network namespace that was chosen. If it
// fails, all is as it was.
func (s *switching) change() error {
	var err error
	if s.before, err = kernel.FastOpen(); err != nil {
		return err
	}
	remembered, err := kernel.Remembered("")
	if err != nil {
		if s.flags.undo {
			return err
		}
		s.forgetful = err
	}
	bits := s.flags.bits()
	switch {
	case s.flags.undo:
		s.after = remembered.Only(bits).Undo(s.before)
	case s.on:
		s.after = s.before | bits
	default:
		s.after = s.before &^ bits
	}
	// What cannot be written is found out before anything is changed.
	if s.after != s.before {
		if err := kernel.MaySetFastOpen(); err != nil {
			return err
		}
	}
	if err := s.persist(true); err != nil || s.flags.dry {
		return err
	}
	now := remembered.And(s.before, s.after)
	if s.flags.undo {
		now = remembered.Without(bits)
	}
	if err := s.run(remembered, now); err != nil {
		return err
	}
	if err := s.persist(false); err != nil {
		if s.after != s.before {
			err = errors.Join(err, s.back(remembered))
		}
		return err
	}
	return nil
}

// run changes the running value. What it was is remembered first, so that no
// change is ever forgotten.
func (s *switching) run(remembered, now kernel.BitChange) error {
	if s.after == s.before && now == remembered {
		return nil
	}
	if !s.flags.undo && s.forgetful == nil {
		s.forgetful = kernel.Remember("", now)
	}
	if s.after != s.before {
		if err := kernel.SetFastOpen(s.after); err != nil {
			if s.forgetful == nil && !s.flags.undo {
				err = errors.Join(err, kernel.Remember("", remembered))
			}
			return err
		}
	}
	if s.flags.undo {
		return kernel.Remember("", now)
	}
	return nil
}

// back takes the running value back after the file could not be written.
func (s *switching) back(remembered kernel.BitChange) error {
	err := kernel.SetFastOpen(s.before)
	if s.forgetful == nil {
		err = errors.Join(err, kernel.Remember("", remembered))
	}
	return err
}

// persist changes the file, if that was asked for.
func (s *switching) persist(dry bool) error {
	bits := s.flags.bits()
	var p kernel.Persisted
	var err error
	switch {
	case s.flags.namespace.given, !s.flags.persist && !s.flags.undo:
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
