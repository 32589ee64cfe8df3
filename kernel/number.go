package kernel

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// parseInt reads a value as the kernel does for a setting that is one int
// (proc_dointvec and proc_get_long in kernel/sysctl.c): in decimal, after 0x
// in hexadecimal, after 0 in octal, perhaps with a minus sign. The errors
// continue a sentence that begins with the value.
func parseInt(text string) (int32, error) {
	for text != "" && isSpace(text[0]) {
		text = text[1:]
	}
	if text == "" {
		return 0, errors.New("is empty")
	}
	if len(text) > numberMost {
		text = text[:numberMost]
	}
	digits, negative := strings.CutPrefix(text, "-")
	digits, base := base(digits)
	n, rest := uint64(0), digits
	for rest != "" && digit(rest[0]) < base {
		// Beyond 64 bits the kernel says ERANGE, so any such value will do.
		if n <= math.MaxUint32 {
			n = n*base + digit(rest[0])
		}
		rest = rest[1:]
	}
	switch {
	case len(rest) == len(digits):
		return 0, errors.New("is no number")
	case len(text) == numberMost && rest == "":
		return 0, errors.New("has too many digits")
	case rest != "" && strings.IndexByte(" \t\n\x00", rest[0]) < 0:
		return 0, errors.New("is no number: it goes on after " + strconv.Quote(text[:len(text)-len(rest)]))
	case negative && n > -math.MinInt32, !negative && n > math.MaxInt32:
		return 0, errors.New("is out of range")
	case negative:
		return int32(-int64(n)), nil
	}
	return int32(n), nil
}

// isSpace is that of the kernel (lib/ctype.c), for which characters are those
// of Latin-1.
func isSpace(c byte) bool { return '\t' <= c && c <= '\r' || c == ' ' || c == 0xa0 }

// The kernel looks at no more than this of a number, and takes none so long
// (TMPBUFLEN in kernel/sysctl.c).
const numberMost = 21

// base takes off the prefix that tells the base (_parse_integer_fixup_radix in
// lib/kstrtox.c).
func base(text string) (digits string, base uint64) {
	switch {
	case text == "" || text[0] < '0' || text[0] > '9':
		return "", 10 // no number begins with anything else
	case len(text) > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && digit(text[2]) < 16:
		return text[2:], 16
	case text[0] == '0':
		return text, 8
	}
	return text, 10
}

func digit(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c && c <= 'f':
		return uint64(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return uint64(c-'A') + 10
	}
	return math.MaxUint64
}
