package wire

import (
	"encoding/binary"

	"github.com/fastopen-go/fastopen/tfo"
)

// Option kinds.
//
// https://www.iana.org/assignments/tcp-parameters
const (
	optionEnd           = 0
	optionNop           = 1
	optionMSS           = 2
	optionWindowScale   = 3
	optionSACKPermitted = 4
	optionSACK          = 5
	optionTimestamps    = 8
)

// MaxOptionsLen is how many bytes of options a TCP header can hold.
const MaxOptionsLen = 40

// MaxSACK is how many blocks a SACK option can hold.
const MaxSACK = 4

// Range is a stretch of sequence space: Start included, End not.
type Range struct{ Start, End uint32 }

// Options are the TCP options of one segment. The zero value has none.
type Options struct {
	// MSS is the maximum segment size the sender takes, in bytes; 0 when
	// absent. Only on SYN.
	MSS uint16
	// WindowScale is the shift count plus one; 0 when absent. Only on SYN.
	// A shift above 14 is read as 14.
	WindowScale uint8
	// SACKPermitted is only on SYN.
	SACKPermitted bool
	// Timestamps says that TSVal and TSEcr are present.
	Timestamps   bool
	TSVal, TSEcr uint32
	// HasFastOpen says that FastOpen is present. Only on SYN.
	HasFastOpen bool
	FastOpen    tfo.Option
	// SACKs is how many of SACK are present.
	SACKs uint8
	SACK  [MaxSACK]Range
}

// Len is how many bytes the options take, padding included.
func (o *Options) Len() int {
	n := o.fixedLen()
	if o.HasFastOpen {
		if f := o.FastOpen.Len(); n+f <= MaxOptionsLen {
			n += (f + 3) &^ 3
		}
	}
	return n + o.sackLen(n)
}

// Room is how many bytes are left for a Fast Open option or for SACK blocks.
func (o *Options) Room() int { return MaxOptionsLen - o.Len() }

// Ranges is the SACK blocks that are present.
func (o *Options) Ranges() []Range { return o.SACK[:min(int(o.SACKs), MaxSACK)] }

func (o *Options) fixedLen() int {
	n := 0
	if o.MSS != 0 {
		n += 4
	}
	if o.Timestamps {
		n += 12
	} else if o.SACKPermitted {
		n += 4
	}
	if o.WindowScale != 0 {
		n += 4
	}
	return n
}

func (o *Options) sackLen(used int) int {
	if n := min(int(o.SACKs), MaxSACK, (MaxOptionsLen-used-4)/8); n > 0 {
		return 4 + 8*n
	}
	return 0
}

// append writes the options in the order that Linux uses and middleboxes know:
// MSS, SACK-permitted, timestamps, window scale, and Fast Open last. What does
// not fit is left out: a Fast Open option whole, SACK blocks one by one.
func (o *Options) append(dst []byte) []byte {
	start := len(dst)
	if o.MSS != 0 {
		dst = append(dst, optionMSS, 4)
		dst = binary.BigEndian.AppendUint16(dst, o.MSS)
	}
	switch {
	case o.SACKPermitted && o.Timestamps:
		dst = append(dst, optionSACKPermitted, 2)
	case o.SACKPermitted:
		dst = append(dst, optionNop, optionNop, optionSACKPermitted, 2)
	case o.Timestamps:
		dst = append(dst, optionNop, optionNop)
	}
	if o.Timestamps {
		dst = append(dst, optionTimestamps, 10)
		dst = binary.BigEndian.AppendUint32(dst, o.TSVal)
		dst = binary.BigEndian.AppendUint32(dst, o.TSEcr)
	}
	if o.WindowScale != 0 {
		dst = append(dst, optionNop, optionWindowScale, 3, o.WindowScale-1)
	}
	if used := len(dst) - start; o.HasFastOpen && used+o.FastOpen.Len() <= MaxOptionsLen {
		dst = o.FastOpen.Append(dst)
		for (len(dst)-start)&3 != 0 {
			dst = append(dst, optionNop)
		}
	}
	if n := o.sackLen(len(dst) - start); n > 0 {
		dst = append(dst, optionNop, optionNop, optionSACK, uint8(n-2))
		for _, r := range o.SACK[:(n-4)/8] {
			dst = binary.BigEndian.AppendUint32(dst, r.Start)
			dst = binary.BigEndian.AppendUint32(dst, r.End)
		}
	}
	return dst
}

// parse reads an option block. Options that are allowed only on a SYN are
// ignored elsewhere, as is whatever follows a malformed length.
//
// "A TCP implementation MUST be able to receive a TCP Option in any segment
// (MUST-5). A TCP implementation MUST (MUST-6) ignore without error any TCP Option
// it does not implement, assuming that the option has a length field. [...] TCP
// implementations MUST be prepared to handle an illegal option length (e.g.,
// zero)" (MUST-7)
// https://www.rfc-editor.org/rfc/rfc9293#section-3.1-3.10
func (o *Options) parse(b []byte, syn bool) {
	// The one layout that nearly every segment of a connection has: two
	// pads and timestamps.
	if len(b) == 12 && binary.BigEndian.Uint32(b) == optionNop<<24|optionNop<<16|optionTimestamps<<8|10 {
		o.Timestamps = true
		o.TSVal, o.TSEcr = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
		return
	}
	if syn {
		o.FastOpen, o.HasFastOpen = tfo.ParseOption(b)
	}
	for len(b) > 0 {
		if b[0] == optionEnd {
			return
		}
		if b[0] == optionNop {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return
		}
		o.parseOne(b[0], b[2:b[1]], syn)
		b = b[b[1]:]
	}
}

func (o *Options) parseOne(kind uint8, v []byte, syn bool) {
	switch {
	case kind == optionMSS && syn && len(v) == 2:
		o.MSS = binary.BigEndian.Uint16(v)
	case kind == optionWindowScale && syn && len(v) == 1:
		// "If a Window Scale option is received with a shift.cnt value
		// larger than 14, the TCP SHOULD log the error but MUST use 14
		// instead of the specified value."
		// https://www.rfc-editor.org/rfc/rfc7323#section-2.3
		o.WindowScale = min(v[0], 14) + 1
	case kind == optionSACKPermitted && syn && len(v) == 0:
		o.SACKPermitted = true
	case kind == optionTimestamps && len(v) == 8:
		o.Timestamps = true
		o.TSVal, o.TSEcr = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	case kind == optionSACK && len(v) >= 8 && len(v)%8 == 0:
		o.SACKs = 0
		for ; len(v) >= 8 && int(o.SACKs) < MaxSACK; v = v[8:] {
			o.SACK[o.SACKs] = Range{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
			o.SACKs++
		}
	}
}
