package kernel

import (
	"fmt"
	"strconv"
	"strings"
)

// A BitChange remembers which bits of net.ipv4.tcp_fastopen were changed, and what
// they were before. The zero BitChange is none.
//
// It is what undoing needs: bits that somebody else changed in the meantime
// stay as they are.
type BitChange struct {
	Bits   Bits // that were changed
	Former Bits // those of them that were set before
}

// And returns c together with a later change from before to after. What c
// remembers of a bit stays; a bit that is as it was at first is forgotten.
func (c BitChange) And(before, after Bits) BitChange {
	fresh := (before ^ after) &^ c.Bits
	c.Bits |= fresh
	c.Former |= before & fresh
	c.Bits &= after ^ c.Former // not those that are back to what they were
	c.Former &= c.Bits
	return c
}

// Undo returns what now becomes when the change is undone.
func (c BitChange) Undo(now Bits) Bits { return now&^c.Bits | c.Former }

// Only returns the part of c that is about these bits.
func (c BitChange) Only(b Bits) BitChange { return BitChange{c.Bits & b, c.Former & b} }

// Without returns the part of c that is not about these bits.
func (c BitChange) Without(b Bits) BitChange { return c.Only(^b) }

// String returns the form that [ParseBitChange] reads: "changed 0x3, were 0x1".
func (c BitChange) String() string {
	return fmt.Sprintf("changed %#x, were %#x", uint32(c.Bits), uint32(c.Former))
}

// ParseBitChange reads what [BitChange.String] returns.
func ParseBitChange(text string) (BitChange, error) {
	changed, were, ok := strings.Cut(text, ", were ")
	changed, begins := strings.CutPrefix(changed, "changed ")
	bits, err := strconv.ParseUint(changed, 0, 32)
	former, err2 := strconv.ParseUint(were, 0, 32)
	c := BitChange{Bits(bits), Bits(former)}
	if !ok || !begins || err != nil || err2 != nil || c.Former&^c.Bits != 0 {
		return BitChange{}, fmt.Errorf("kernel: %.60q does not tell of a change, as in %q", text, BitChange{3, 1})
	}
	return c, nil
}
