package kernel

import (
	"errors"
	"fmt"
	"strings"
)

// A dropIn is the text of the file of settings that this package writes to.
// Other people's lines in it are kept byte for byte: what is ours is one block
// at the end, where it wins over them. Without the block the file is what it
// was, so that is all undoing takes.
type dropIn struct {
	others string // all but the block
	block  bool   // there is one
	value  Bits   // that it sets
	made   bool   // the file was made for the block
	joined bool   // others had no newline at its end before the block came
}

const (
	blockBegin = "# begin tfo"
	blockMade  = ", in a file of its own"
	blockJoin  = ", after a line without an end"
	blockNote  = "# Written by tfo enable and tfo disable. To take it out: tfo disable --undo"
	blockEnd   = "# end tfo"
)

// parseDropIn finds the block. The errors continue a sentence that begins with
// the name of the file.
func parseDropIn(text string) (dropIn, error) {
	var d dropIn
	var others strings.Builder
	inside, sets := false, false
	for line := range strings.SplitAfterSeq(text, "\n") {
		bare := strings.TrimRight(line, "\r\n")
		attributes, begins := strings.CutPrefix(bare, blockBegin)
		switch {
		case begins && d.block:
			return dropIn{}, errors.New("has two lines that begin with " + blockBegin)
		case begins:
			attributes, d.joined = strings.CutSuffix(attributes, blockJoin)
			attributes, d.made = strings.CutSuffix(attributes, blockMade)
			if attributes != "" {
				return dropIn{}, errors.New("has a line that begins with " + blockBegin + " and goes on with something that tfo does not write")
			}
			inside, d.block = true, true
		case inside && bare == blockEnd:
			inside = false
		case inside && bare == blockNote:
		case inside && d.assign(bare):
			sets = true
		default: // what somebody wrote between our lines is theirs, too
			others.WriteString(line)
		}
	}
	switch {
	case inside:
		return dropIn{}, errors.New("has a line " + blockBegin + " and none that says " + blockEnd)
	case d.block && !sets:
		return dropIn{}, fmt.Errorf("sets no %s to a number between %s and %s", Name, blockBegin, blockEnd)
	}
	d.others = others.String()
	return d, nil
}

// assign takes the value of a line that sets one.
func (d *dropIn) assign(line string) bool {
	name, value, _ := strings.Cut(line, "=")
	if normalize(strings.TrimSpace(name)) != bootSettings[0] {
		return false
	}
	n, err := parseInt(value)
	if err == nil {
		d.value = Bits(n)
	}
	return err == nil
}

// gone reports whether nothing is left that the file is needed for.
func (d dropIn) gone() bool { return d.made && !d.block && d.others == "" }

// text returns the file.
func (d dropIn) text() string {
	if !d.block {
		return d.others
	}
	begin := blockBegin
	if d.made {
		begin += blockMade
	}
	if d.joined {
		begin += blockJoin
	}
	return fmt.Sprintf("%s%s\n%s\n%s = %d\n%s\n", d.others, begin, blockNote, Name, int32(d.value), blockEnd)
}

// with returns d with a block that sets value.
func (d dropIn) with(value Bits) dropIn {
	if d.others != "" && !strings.HasSuffix(d.others, "\n") {
		d.others += "\n"
		d.joined = true
	}
	d.block, d.value = true, value
	return d
}

// without returns d without the block.
func (d dropIn) without() dropIn {
	if d.joined {
		d.others = strings.TrimSuffix(d.others, "\n")
	}
	return dropIn{others: d.others, made: d.made}
}
